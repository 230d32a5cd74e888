"""The stage with this process in place of Ray's workers, which takes a third of the time."""

import contextlib
import os
from pathlib import Path

import pytest

from tasks.core.layout import Layout
from tasks.core.params import params as params_file
from tasks.stages.cluster import connection
from tasks.stages.train import loop, train
from tasks.stages.train.machines import fitting


def run(layout: Layout) -> None:
    """Run the stage. This process has to be the only one of a process group (`alone`)."""
    from huggingface_hub import constants

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "running", lambda *_, **__: contextlib.nullcontext())
        patch.setattr(fitting, "fit", loop.work)
        patch.setattr(constants, "HF_HUB_OFFLINE", True)  # as workers have it; the tokenizer's settings name it
        train.run(params_file.load(layout.params), layout)


def alone(meeting: Path) -> None:
    """Make this process the only one of a process group, which meets at the file `meeting`."""
    from torch import distributed

    os.environ.update(RANK="0", WORLD_SIZE="1", LOCAL_RANK="0", LOCAL_WORLD_SIZE="1")
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=0, world_size=1)
