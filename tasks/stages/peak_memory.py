"""Peak memory of this process."""

import resource
from pathlib import Path

STATUS_FILE = Path("/proc/self/status")


def peak_memory_bytes(gpu: bool) -> int:
    """Return the peak memory of this process in bytes.

    If `gpu` is True, this is the memory that PyTorch allocated on the GPU, otherwise the resident memory.
    """
    if gpu:
        import torch

        return int(torch.cuda.max_memory_allocated())
    if STATUS_FILE.is_file():  # `ru_maxrss` starts at the parent's peak
        return int(STATUS_FILE.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
