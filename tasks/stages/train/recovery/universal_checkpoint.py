"""Conversion of a checkpoint to DeepSpeed's universal checkpoint, which another number of workers can load."""

import shutil
import subprocess
import sys
from pathlib import Path

from tasks.core.errors import Unavailable
from tasks.core.params.training import Training
from tasks.stages.train.recovery import safe_loading
from tasks.stages.train.recovery.checkpoints import STATE_FOLDER, Checkpoint

UNIVERSAL_FOLDER = "universal"
CONVERSION_CODE = f"""import sys
sys.modules["mlflow"] = None
{safe_loading.ALLOW_CLASSES_CODE}
from deepspeed.checkpoint import ds_to_universal
ds_to_universal.main(ds_to_universal.parse_arguments())
"""


def is_conversion_needed(checkpoint: Checkpoint | None, training: Training, workers: int) -> bool:
    """Return whether the checkpoint has to be converted for this number of workers.

    ZeRO divides the optimizer's state between the workers. Without ZeRO, each worker has the complete state.
    """
    return checkpoint is not None and training.zero_stage > 0 and checkpoint.workers != workers


def convert_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Write the converted checkpoint to `folder` and leave the original unchanged.

    Raises:
        Unavailable: DeepSpeed cannot convert the checkpoint.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [sys.executable, "-I", "-c", CONVERSION_CODE, "--inject_missing_state",
               "--num_extract_workers", "1", "--num_merge_workers", "1",
               "--input_folder", str(checkpoint.folder / STATE_FOLDER), "--output_folder",
               str(folder / STATE_FOLDER)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, env=safe_loading.safe_loading_environment())
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-3:])
        raise Unavailable(
            f"checkpoint {checkpoint.folder.name} of {checkpoint.workers} workers cannot be brought into the form for "
            f"another number of them: {last}; train with {checkpoint.workers} workers, or remove it to begin anew"
        )
