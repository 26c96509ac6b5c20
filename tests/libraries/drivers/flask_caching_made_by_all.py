"""Requests for a cached report come at once: each finds it missing and makes it.

requires: Flask-Caching==2.5.1, Flask==3.1.3, cachelib==0.17.0
include: flask_caching, cachelib
expect: stale check
at: flask_caching/__init__.py:Cache.cached.<locals>.decorator.<locals>.decorated_function
"""

import threading
import time

from flask import Flask
from flask_caching import Cache

app = Flask("reports")
cache = Cache(app, config={"CACHE_TYPE": "SimpleCache"})
made = []


@app.get("/report/<int:year>")
@cache.cached(timeout=60)
def report(year):
    made.append(year)
    time.sleep(0.005)
    return f"report of {year}"


ready = threading.Barrier(5)


def ask():
    ready.wait()
    for year in range(2020, 2024):
        app.test_client().get(f"/report/{year}")


threads = [threading.Thread(target=ask) for _ in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(made)} reports were made, where 4 are kept")
