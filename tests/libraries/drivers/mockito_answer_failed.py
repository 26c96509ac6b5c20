"""A stub's answers are counted, then taken: another thread has taken one meanwhile.

requires: mockito==2.0.4
include: mockito
expect: failed access, stale check, unguarded check
at: mockito/invocation.py:CompositeAnswer.answer
"""

import threading

from mockito import mock, when

failures = []
ready = threading.Barrier(4)
ROUNDS = 60
stubs = []
for _ in range(ROUNDS):
    stub = mock()
    when(stub).read().thenReturn(1).thenReturn(2).thenReturn(3).thenReturn(4)
    stubs.append(stub)
last = []


def work(place):
    for stub in stubs:
        ready.wait()
        try:
            stub.read()
            stub.read()
        except IndexError as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
wrong = sum(stub.read() != 4 for stub in stubs)
print(f"RESULT {len(failures)} calls failed, {wrong} stubs have lost their last answer")
