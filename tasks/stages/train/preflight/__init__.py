"""Before a device is taken: does it fit, how long does it take, what does it cost.

shape.py       what a model is made of, read from the headers of its files
room.py        what the machines have
memory.py      bytes on each device, by what they are for
workload.py    rows, tokens and steps, from the rows as they are
operations.py  what tokens cost to compute, at least
speed.py       tokens a second, and where that figure comes from
parts.py       whether several workers can take a pass together
estimate.py    all of it together, and what change would make it fit; read this one first
"""
