"""Threads ask an application for its description, which is kept: each makes one, and works on one that is replaced.

requires: fastapi==0.165.0, starlette==1.10.0
include: fastapi
expect: stale check
at: fastapi/applications.py:FastAPI.openapi
"""

import threading

from fastapi import FastAPI

app = FastAPI(title="shop")


def endpoint(kind):
    def read(number: int, name: str = "") -> dict[str, str]:
        return {"name": name}

    read.__name__ = f"read_{kind}"
    return read


for kind in range(40):
    app.get(f"/{kind}/{{number}}")(endpoint(kind))
ready = threading.Barrier(4)
made = []


def serve(place):
    ready.wait()
    schema = app.openapi()
    schema.setdefault("x-served-by", []).append(place)
    made.append(schema)


threads = [threading.Thread(target=serve, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(
    f"RESULT {len({id(one) for one in made})} descriptions, {len(app.openapi()['x-served-by'])} "
    f"marks of 4 are in the one that is kept"
)
