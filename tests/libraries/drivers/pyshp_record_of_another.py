"""Two threads read records of one open shapefile: each moves the place in the file from which the other reads.

requires: pyshp==3.1.6
include: shapefile
expect: overwritten before read, unrepeatable read, failed access
at: shapefile.py:DbfReader.record, shapefile.py:DbfReader._record, shapefile.py:ShpReader.shape
"""

import os
import tempfile
import threading

import shapefile

COUNT = 2000
folder = tempfile.TemporaryDirectory()
path = os.path.join(folder.name, "places")
with shapefile.Writer(path, shapeType=shapefile.POINT) as writer:
    writer.field("name", "C", 20)
    for number in range(COUNT):
        writer.point(number, -number)
        writer.record(f"place {number}")
reader = shapefile.Reader(path)
wrong = []
failed = []


def read(step):
    for number in range(0, COUNT, step):
        try:
            name = reader.record(number)["name"]
            point = reader.shape(number).points[0]
        except Exception as error:
            failed.append(error)
        else:
            if name != f"place {number}" or point[0] != number:
                wrong.append(number)


threads = [threading.Thread(target=read, args=(step,)) for step in (1, 1, 1, 1)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
reader.close()
folder.cleanup()
print(f"RESULT {len(wrong)} places were wrong, {len(failed)} failed")
