"""Synchronisation: what threads do to wait for each other."""

from enum import StrEnum
from typing import NamedTuple


class Primitive(StrEnum):
    """The types that threads wait by, and that the analysis knows; others are followed by their operations alone."""

    LOCK = "_thread.lock"
    RLOCK = "_thread.RLock"
    CONDITION = "threading.Condition"
    SEMAPHORE = "threading.Semaphore"
    BOUNDED_SEMAPHORE = "threading.BoundedSemaphore"
    PROCESS_SEMAPHORE = "_multiprocessing.SemLock"  # of it multiprocessing makes locks and all else
    EVENT = "threading.Event"
    BARRIER = "threading.Barrier"
    QUEUE = "queue.Queue"
    LIFO_QUEUE = "queue.LifoQueue"
    PRIORITY_QUEUE = "queue.PriorityQueue"
    SIMPLE_QUEUE = "_queue.SimpleQueue"
    FUTURE = "concurrent.futures._base.Future"
    THREAD_HANDLE = "_thread._ThreadHandle"  # what a join waits for since 3.13
    TASK_LOCK = "asyncio.locks.Lock"
    TASK_CONDITION = "asyncio.locks.Condition"
    TASK_SEMAPHORE = "asyncio.locks.Semaphore"
    TASK_BOUNDED_SEMAPHORE = "asyncio.locks.BoundedSemaphore"
    TASK_EVENT = "asyncio.locks.Event"
    TASK_BARRIER = "asyncio.locks.Barrier"
    TASK_QUEUE = "asyncio.queues.Queue"
    TASK_LIFO_QUEUE = "asyncio.queues.LifoQueue"
    TASK_PRIORITY_QUEUE = "asyncio.queues.PriorityQueue"
    TASK = "_asyncio.Task"
    TASK_FUTURE = "_asyncio.Future"


LOCKS = frozenset([Primitive.LOCK, Primitive.RLOCK, Primitive.TASK_LOCK])
SEMAPHORES = frozenset(
    [
        Primitive.SEMAPHORE,
        Primitive.BOUNDED_SEMAPHORE,
        Primitive.PROCESS_SEMAPHORE,
        Primitive.TASK_SEMAPHORE,
        Primitive.TASK_BOUNDED_SEMAPHORE,
    ]
)
EVENTS = frozenset([Primitive.EVENT, Primitive.TASK_EVENT])
CONDITIONS = frozenset([Primitive.CONDITION, Primitive.TASK_CONDITION])
BARRIERS = frozenset([Primitive.BARRIER, Primitive.TASK_BARRIER])
FIRST_IN_FIRST_OUT = frozenset([Primitive.QUEUE, Primitive.SIMPLE_QUEUE, Primitive.TASK_QUEUE])
LAST_IN_FIRST_OUT = frozenset([Primitive.LIFO_QUEUE, Primitive.TASK_LIFO_QUEUE])
OF_TASKS = frozenset(each for each in Primitive if each.startswith(("asyncio.", "_asyncio.")))
TASK_QUEUES = frozenset([Primitive.TASK_QUEUE, Primitive.TASK_LIFO_QUEUE, Primitive.TASK_PRIORITY_QUEUE])
QUEUES = FIRST_IN_FIRST_OUT | LAST_IN_FIRST_OUT | {Primitive.PRIORITY_QUEUE, Primitive.TASK_PRIORITY_QUEUE}


class Act(StrEnum):
    """What a thread does with one of them, or with another thread; as stored in `synchronisation.operation`."""

    ACQUIRE = "acquire"
    RELEASE = "release"
    WAIT = "wait"
    NOTIFY = "notify"
    SET = "set"
    CLEAR = "clear"
    RESET = "reset"
    ABORT = "abort"
    PUT = "put"
    GET = "get"
    TASK_DONE = "task_done"
    START = "start"
    JOIN = "join"
    CANCEL = "cancel"
    SUBMIT = "submit"
    SHUTDOWN = "shutdown"
    RESULT = "result"
    EXCEPTION = "exception"
    SET_RESULT = "set_result"
    SET_EXCEPTION = "set_exception"
    LOOK = "look"  # how it is, without a wait
    # of callbacks, which the analysis is given as `trace.callbacks` says and not as operations
    SCHEDULE = "schedule"
    RUN = "run"
    RUN_LOOP = "run_loop"
    FIND_DONE = "find_done"
    INTERRUPT = "interrupt"
    CONNECT = "connect"
    ACCEPT = "accept"
    IDLE = "idle"
    # waits of tasks, each of which ends with one of the above; given only if it had no end
    AWAIT_PUT = "await_put"
    AWAIT_GET = "await_get"
    AWAIT_END = "await_end"  # of another task
    AWAIT_RESULT = "await_result"  # of another future


OF_CALLBACKS = frozenset(
    [Act.SCHEDULE, Act.RUN, Act.RUN_LOOP, Act.FIND_DONE, Act.INTERRUPT, Act.CONNECT, Act.ACCEPT, Act.IDLE]
)
AWAITS = {Act.AWAIT_PUT: Act.PUT, Act.AWAIT_GET: Act.GET, Act.AWAIT_END: Act.JOIN, Act.AWAIT_RESULT: Act.RESULT}
OF_THREADS = frozenset([Act.START, Act.JOIN])
SETS_FUTURE = frozenset([Act.SET_RESULT, Act.SET_EXCEPTION])
ASKS_FUTURE = frozenset([Act.RESULT, Act.EXCEPTION])
# In C code: what lets another thread go on, and what waits for that.
GIVES_IN_C = frozenset([Act.RELEASE, Act.PUT])
TAKES_IN_C = frozenset([Act.ACQUIRE, Act.GET])
# What is over at once, whatever other threads do.
AT_ONCE = frozenset([Act.RELEASE, Act.NOTIFY, Act.SET, Act.CLEAR, Act.CANCEL, Act.TASK_DONE, Act.LOOK]) | SETS_FUTURE
# What waits for nothing that another thread has to give.
GIVES = (AT_ONCE - {Act.CANCEL, Act.LOOK}) | {Act.PUT, Act.SUBMIT, Act.START}


class SyncObject(NamedTuple):
    """A lock, condition, semaphore, event, barrier, queue, future or thread that at least two threads used."""

    id: int
    type_name: str  # a Primitive, or another type
    label: str  # as the source writes it if a woven call led to it: lock, self.queue


class Synchronisation(NamedTuple):
    """One operation of a thread. It ended at `seq`. If it may wait, it began at `earliest`.

    One that `begins` is about to wait. Its end is another row, which is missing if the thread never came out."""

    seq: int
    earliest: int
    thread: int
    site: int | None  # of the woven call that led there
    object: int | None  # a SyncObject; None for the start of a thread
    operation: str  # an Act
    begins: bool
    failed: bool  # it raised, or returned False: not free, timed out
    waited: float | None  # seconds from begin to end
    # of a lock that is acquired: the thread that held it as the operation began; of a task that is awaited: that task
    holder: int | None
    woken_by: int | None = None  # the thread whose release, put or the like ended the wait
    inside: int | None = None  # seq at which the operation began that this is a part of: `wait` of an Event in `start`
    started: int | None = None  # start: the thread that began to run
