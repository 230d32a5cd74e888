"""Estimate of a training run before a device is used: whether it fits, how long it takes, and what it costs.

estimate.py                 complete estimate, and changes that would make a training run fit; read this one first
model_shape.py              shape of a model, from the headers of its files
machine_capacity.py         memory and disk of the machines
memory.py                   memory of each worker, in bytes by purpose
workload.py                 rows, tokens and steps, from the rows of stage `tokenise`
operations.py               minimum number of operations that a training run needs
speed.py                    tokens per second, and the source of this value
sequence_parallel_check.py  check whether several workers can share a forward pass
device_peak.py              peak operations per second of a device
"""
