"""Reliability trials: recordings that are killed, starved, lied to and crowded, in ways that are drawn at random.

`python -m tests.faults` runs them. A trial is determined by the seed and its number, and by how fast the machine is: if
a signal is sent "after 0.03 s", that is where it was sent this time.
"""
