"""The machine: processor, memory, processes, locks, and commands that transfer data.

processor.py        CPU features, such as bf16 instructions
resource_limits.py  cores and memory that this process can use
locks.py            file locks between processes
processes.py        checks whether a process is still running
time_limit.py       time limit for a call of a library that has none
transfers.py        commands that transfer data, which are killed if they stall
"""
