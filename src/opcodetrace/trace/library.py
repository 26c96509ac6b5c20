"""Library code in which threads wait for each other: what of it is described, and which of its functions are seen.

What is written in C (locks, SimpleQueue, the start of a thread) the probe sees by itself: probe/intercept.c.
"""

from __future__ import annotations

from collections.abc import Mapping

# By module, then by qualified name: what the operation is called in the trace.
LIBRARY: Mapping[str, Mapping[str, str]] = {
    "threading": {
        "Condition.wait": "wait",
        "Condition.notify": "notify",
        "Semaphore.acquire": "acquire",
        "Semaphore.release": "release",
        "BoundedSemaphore.release": "release",
        "Event.set": "set",
        "Event.clear": "clear",
        "Event.wait": "wait",
        "Barrier.wait": "wait",
        "Barrier.reset": "reset",
        "Barrier.abort": "abort",
        "Thread.start": "start",
        "Thread.join": "join",
        "Timer.cancel": "cancel",
    },
    "queue": {
        "Queue.put": "put",
        "Queue.get": "get",
        "Queue.task_done": "task_done",
        "Queue.join": "join",
    },
    "concurrent.futures._base": {
        "Future.result": "result",
        "Future.exception": "exception",
        "Future.cancel": "cancel",
        "Future.set_result": "set_result",
        "Future.set_exception": "set_exception",
    },
    "concurrent.futures.thread": {
        "ThreadPoolExecutor.submit": "submit",
        "ThreadPoolExecutor.shutdown": "shutdown",
    },
}
