"""Fields are numbered as they are made: only the GIL keeps threads from taking the same number.

requires: WTForms==3.3.2
include: wtforms
expect: unguarded update:gil-only, unguarded own write:gil-only, lost update, overwritten before read
at: wtforms/fields/core.py:UnboundField.__init__
"""

import threading

from wtforms import Form, IntegerField, StringField

FORMS = 250
start = threading.Barrier(4)
numbers = []
failures = []


def make():
    start.wait()
    for _ in range(FORMS):
        try:

            class Order(Form):
                item = StringField("Item")
                amount = IntegerField("Amount")

            numbers.extend((Order.item.creation_counter, Order.amount.creation_counter))
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=make) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(set(numbers))} different numbers for {len(numbers)} fields, {len(failures)} failed")
