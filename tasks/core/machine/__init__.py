"""The machine: processor, memory, processes, locks, and commands that transfer data.

processor.py        CPU features, such as instructions for bf16
resource_limits.py  cores and memory that this process may use
locks.py            file locks between processes
processes.py        whether a process still runs
transfers.py        commands that transfer data, ended when they stall
"""
