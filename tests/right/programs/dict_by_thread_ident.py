"""State in one dict by the thread's identifier: each thread uses its own key, and removes it as it ends."""

import threading

depths = {}
deepest = []
ready = threading.Barrier(4)


def descend(levels):
    me = threading.get_ident()
    depths[me] = depths.get(me, 0) + 1
    try:
        return depths[me] if levels == 0 else descend(levels - 1)
    finally:
        depths[me] -= 1


def work():
    ready.wait()
    for levels in range(12):
        deepest.append((levels, descend(levels)))
    ready.wait()
    assert depths.pop(threading.get_ident()) == 0


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert depths == {} and all(depth == levels + 1 for levels, depth in deepest)
