"""Runs the training stage in this process instead of Ray's workers, in a third of the time that Ray needs."""

import contextlib
import os
from pathlib import Path

import pytest

from tasks.core.layout import Layout
from tasks.core.params import params as params_file
from tasks.stages.cluster import connection
from tasks.stages.train import loop, train
from tasks.stages.train.machines import ray_attempt


def run(layout: Layout) -> None:
    """Run the stage. This process has to be the only one of a process group (`alone`)."""
    from huggingface_hub import constants

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "connect_to_ray", lambda *_, **__: contextlib.nullcontext())
        patch.setattr(ray_attempt, "run_attempt", loop.train_as_worker)
        patch.setattr(constants, "HF_HUB_OFFLINE", True)  # as on workers; the saved tokenizer tells whether it was
        train.run(params_file.load_params(layout.params_path), layout)


def alone(meeting: Path) -> None:
    """Create a process group with this process as its only member, whose store is the file `meeting`."""
    from torch import distributed

    os.environ.update(RANK="0", WORLD_SIZE="1", LOCAL_RANK="0", LOCAL_WORLD_SIZE="1")
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=0, world_size=1)
