"""A generator of identifiers counts within a millisecond, without a lock; there is no switch point of 3.13 in between.

requires: snowflake-id==1.0.2
include: snowflake
expect: unguarded update:gil-only, unguarded check:gil-only, unguarded own write:gil-only, lost update
at: snowflake/snowflake.py:SnowflakeGenerator.__next__
"""

import threading

from snowflake import SnowflakeGenerator

generator = SnowflakeGenerator(42)
made = [[] for _ in range(4)]


def generate(mine):
    for _ in range(8000):
        identifier = next(generator)
        if identifier is not None:
            mine.append(identifier)


threads = [threading.Thread(target=generate, args=(mine,)) for mine in made]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
identifiers = [identifier for mine in made for identifier in mine]
print(f"RESULT {len(identifiers) - len(set(identifiers))} of {len(identifiers)} identifiers are there twice")
