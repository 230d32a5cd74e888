"""Device on which a model computes, and the settings by which PyTorch gives the same answer on every machine."""

import os

from tasks.core.errors import Unavailable
from tasks.sources.owner_detectors import OwnerDetector


def prepare_device(detector: OwnerDetector) -> str:
    """Return the name of a detector's device in PyTorch, after setting PyTorch up.

    One thread computes, so that the answer does not depend on the number of cores. The processes of `ingest` use the
    cores. The libraries do not try to reach the Hugging Face Hub.

    Raises:
        Unavailable: The detector is for a GPU, and there is none.
    """
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    import torch

    torch.set_num_threads(1)
    if detector.device == "cpu":
        return "cpu"
    if not torch.cuda.is_available():
        raise Unavailable(
            "it runs on a GPU, and PyTorch finds none here; run on a machine with one, or say `device: cpu`"
        )
    return "cuda"
