"""A logger with a sink, from several threads, while another one adds and removes a sink.

requires: loguru==0.7.3
include: loguru
expect: nothing
"""

import threading

from loguru import logger

lines = []
logger.remove()
logger.add(lines.append, format="{message}")


def work(place):
    for number in range(60):
        if place == 0:
            logger.remove(logger.add(lambda line: None))
        else:
            logger.bind(place=place).info("line {}", number)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(lines)} lines")
