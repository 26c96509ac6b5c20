"""Each thread writes its own cell in one phase and reads its neighbours' in the next; a barrier stands between."""

import threading

CELLS, STEPS = 4, 20
heat = [0, 0, 100, 0]
barrier = threading.Barrier(CELLS)


def simulate(place):
    for _ in range(STEPS):
        left, right = heat[place - 1], heat[(place + 1) % CELLS]
        mean = (left + heat[place] + right) // 3
        barrier.wait()
        heat[place] = mean
        barrier.wait()


expected = list(heat)
for _ in range(STEPS):
    expected = [(expected[p - 1] + expected[p] + expected[(p + 1) % CELLS]) // 3 for p in range(CELLS)]
threads = [threading.Thread(target=simulate, args=(place,)) for place in range(CELLS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert heat == expected
