"""Library code in which threads wait for each other: what of it is described, and which of its functions are seen. And
containers that are written in Python.

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

_VIEWS = ("KeysView", "ItemsView", "ValuesView", "MappingView")
_MAPPING = ("Mapping", "MutableMapping", *_VIEWS)
_SET = ("Set", "MutableSet")
_SEQUENCE = ("Sequence", "MutableSequence")
# Containers that are written in Python, by module: classes and functions, by qualified name.
CONTAINERS: Mapping[str, tuple[str, ...]] = {
    "collections.abc": (*_MAPPING, *_SET, *_SEQUENCE),
    "collections": ("UserDict", "UserList", "Counter.update", "Counter.subtract"),
    "functools": ("cached_property.__get__",),
    "weakref": tuple(
        f"{name}.{method}"
        for name in ("WeakValueDictionary", "WeakKeyDictionary")
        for method in (
            *("__getitem__", "__setitem__", "__delitem__", "__contains__", "__len__", "__iter__", "get", "pop"),
            *("setdefault", "items", "keys", "values", "popitem"),
        )
    ),
    "_weakrefset": tuple(
        f"WeakSet.{method}" for method in ("__iter__", "__len__", "__contains__", "add", "pop", "remove", "discard")
    ),
}


def is_of_container(module: str, function: str) -> bool:
    """Whether a function, by its qualified name, is one of a container's, or is made by one."""
    return any(f"{function}.".startswith(f"{name}.") for name in CONTAINERS.get(module, ()))
