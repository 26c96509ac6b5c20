# Finds: 2 - printed lost updates of cell total.
#
# The counter is a local variable of main, but increment closes over it: both threads share the one cell.

from threading import Thread
from time import sleep


def main():
    total = 0

    def increment():
        nonlocal total
        count = total
        sleep(0)
        total = count + 1

    threads = [Thread(target=increment) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(total)


main()
