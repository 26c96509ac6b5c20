"""Two threads query one instrument: each writes and then reads, and reads the answer to what the other wrote.

requires: PyVISA==1.16.2, PyVISA-sim==0.7.1, stringparser==0.7, PyYAML==6.0.4
include: pyvisa, pyvisa_sim
expect: overwritten before read, failed access, unrepeatable read, stale check
at: pyvisa/resources/messagebased.py:MessageBasedResource.query, pyvisa_sim/devices.py:Device.read
"""

import threading

import pyvisa

ROUNDS = 150
manager = pyvisa.ResourceManager("@sim")
instrument = manager.open_resource("TCPIP0::localhost::inst0::INSTR", read_termination="\n", write_termination="\n")
instrument.timeout = 50
wrong = []
failed = []


def watch(question, right, delay):
    for _ in range(ROUNDS):
        try:
            answer = instrument.query(question, delay)
        except Exception as error:
            failed.append(error)
        else:
            if answer != right:
                wrong.append(answer)


answers = {question: instrument.query(question) for question in ("?FREQ", "?AMP")}
threads = [
    threading.Thread(target=watch, args=("?FREQ", answers["?FREQ"], 0.001)),
    threading.Thread(target=watch, args=("?AMP", answers["?AMP"], 0.002)),
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
kinds = sorted({type(error).__name__ for error in failed})
print(f"RESULT {len(wrong)} of {2 * ROUNDS} answers were wrong, {len(failed)} failed {kinds}")
