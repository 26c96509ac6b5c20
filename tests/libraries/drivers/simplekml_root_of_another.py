"""Threads write maps of their own: the styles of one are looked up in the other's, and written again and again.

requires: simplekml==1.3.6
include: simplekml
expect: overwritten before read, unguarded own write
at: simplekml/kml.py, simplekml/base.py
"""

# While a map is turned to text, the class of all its parts holds which map that is, and that it goes on. A second
# thread that writes its own map sets both: parts note their styles and images in the other's map, or in none.

import threading

import simplekml

MAPS = 25
wrong = []
failures = []
start = threading.Barrier(3, timeout=20)


def draw(place):
    chart = simplekml.Kml(name=f"map {place}")
    style = simplekml.Style()
    style.iconstyle.icon.href = f"icon{place}.png"
    for number in range(12):
        point = chart.newfolder().newpoint(name=f"point {number}", coords=[(number, place)])
        point.style = style
    return chart.kml()


def work(place):
    right = draw(place).count("<Style")
    start.wait()
    for _ in range(MAPS):
        try:
            if draw(place).count("<Style") != right:
                wrong.append(place)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of {3 * MAPS} maps have too many styles or too few, {len(failures)} failed")
