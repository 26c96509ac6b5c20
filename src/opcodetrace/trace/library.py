"""Library code in which threads wait for each other: what of it is described, and which of its functions are seen.

What is written in C (locks, SimpleQueue, the start of a thread) the probe sees by itself: probe/intercept.c.
"""

from __future__ import annotations

from collections.abc import Mapping

from opcodetrace.trace.sync import Act

# By module, then by qualified name: what the operation is called in the trace.
LIBRARY: Mapping[str, Mapping[str, Act]] = {
    "threading": {
        "Condition.wait": Act.WAIT,
        "Condition.notify": Act.NOTIFY,
        "Semaphore.acquire": Act.ACQUIRE,
        "Semaphore.release": Act.RELEASE,
        "BoundedSemaphore.release": Act.RELEASE,
        "Event.set": Act.SET,
        "Event.clear": Act.CLEAR,
        "Event.wait": Act.WAIT,
        "Barrier.wait": Act.WAIT,
        "Barrier.reset": Act.RESET,
        "Barrier.abort": Act.ABORT,
        "Thread.start": Act.START,
        "Thread.join": Act.JOIN,
        "Timer.cancel": Act.CANCEL,
    },
    "queue": {
        "Queue.put": Act.PUT,
        "Queue.get": Act.GET,
        "Queue.task_done": Act.TASK_DONE,
        "Queue.join": Act.JOIN,
    },
    "concurrent.futures._base": {
        "Future.result": Act.RESULT,
        "Future.exception": Act.EXCEPTION,
        "Future.cancel": Act.CANCEL,
        "Future.set_result": Act.SET_RESULT,
        "Future.set_exception": Act.SET_EXCEPTION,
    },
    "asyncio.events": {
        "Handle.__init__": Act.SCHEDULE,
        "Handle._run": Act.RUN,
    },
    "asyncio.base_events": {
        "BaseEventLoop.run_forever": Act.RUN_LOOP,
    },
    "asyncio.runners": {
        "Runner._on_sigint": Act.INTERRUPT,
    },
    "asyncio.selector_events": {
        "BaseSelectorEventLoop._sock_connect": Act.CONNECT,
        "BaseSelectorEventLoop._accept_connection": Act.ACCEPT,
        "BaseSelectorEventLoop._sock_accept": Act.ACCEPT,
    },
    "asyncio.locks": {
        "Lock.acquire": Act.ACQUIRE,
        "Lock.release": Act.RELEASE,
        "Event.is_set": Act.LOOK,
        "Event.set": Act.SET,
        "Event.clear": Act.CLEAR,
        "Event.wait": Act.WAIT,
        "Condition.wait": Act.WAIT,
        "Condition.notify": Act.NOTIFY,
        "Semaphore.acquire": Act.ACQUIRE,
        "Semaphore.release": Act.RELEASE,
        "Barrier.wait": Act.WAIT,
    },
    "asyncio.queues": {
        "Queue.empty": Act.LOOK,
        "Queue.qsize": Act.LOOK,
        "Queue.put": Act.AWAIT_PUT,
        "Queue.get": Act.AWAIT_GET,
        # what these end with
        "Queue.put_nowait": Act.PUT,
        "Queue.get_nowait": Act.GET,
        "Queue.task_done": Act.TASK_DONE,
        "Queue.join": Act.JOIN,
    },
    "concurrent.futures.thread": {
        "ThreadPoolExecutor.submit": Act.SUBMIT,
        "ThreadPoolExecutor.shutdown": Act.SHUTDOWN,
    },
}
