"""The most memory that this process has held."""

import resource
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_bytes(gpu: bool) -> int:
    """Of its GPU's memory, or of the machine's."""
    if gpu:
        import torch

        return int(torch.cuda.max_memory_allocated())
    if STATUS.is_file():  # `ru_maxrss` begins with what the process held that started this one
        return int(STATUS.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
