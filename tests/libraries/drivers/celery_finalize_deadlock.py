"""An app is finalized as another thread asks for its tasks: two locks are taken in either order.

requires: celery==5.7.0
include: celery, kombu
expect: deadlock
at: celery/app/base.py, kombu/utils/objects.py
"""

import threading

from celery import Celery

ROUNDS = 40
apps = []
for number in range(ROUNDS):
    app = Celery(f"shop {number}", broker="memory://", set_as_current=False)

    @app.task(name="shop.order", shared=False)
    def order(item):
        return item

    @app.on_after_finalize.connect(weak=False)
    def set_up(sender, **kwargs):
        sender.tasks["shop.order"].rate_limit = "10/m"

    apps.append(app)
start = threading.Barrier(2)
done = [0, 0]
failures = []


def finalize():
    for app in apps:
        start.wait()
        try:
            app.finalize()
            done[0] += 1
        except Exception as error:
            failures.append(error)


def ask():
    for app in apps:
        start.wait()
        try:
            if "shop.order" in app.tasks:
                done[1] += 1
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, daemon=True) for work in (finalize, ask)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(1.5)
alive = sum(thread.is_alive() for thread in threads)
print(f"RESULT {alive} threads stand still, after {done} apps, {len(failures)} failed")
