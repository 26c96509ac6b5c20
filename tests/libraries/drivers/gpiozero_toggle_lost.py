"""A coloured lamp is turned over by threads, which read how it is and set it: one is lost.

requires: gpiozero==2.0.1.post3, colorzero==2.0
include: gpiozero, colorzero
expect: lost update
at: gpiozero/output_devices.py:RGBLED.toggle
"""

import threading

from gpiozero import RGBLED, Device
from gpiozero.pins.mock import MockFactory, MockPWMPin

Device.pin_factory = MockFactory(pin_class=MockPWMPin)
lamp = RGBLED(17, 27, 22)
ready = threading.Barrier(4)
TURNS = 2500


def press():
    ready.wait()
    for _ in range(TURNS):
        lamp.toggle()


threads = [threading.Thread(target=press) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
states = lamp._leds[0].pin.states
turned = sum(1 for before, after in zip(states, states[1:]) if before.state != after.state)
print(f"RESULT {turned} turns of {4 * TURNS} changed the lamp")
