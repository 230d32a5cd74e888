"""Calibration: measurement of one worker's tokens per second with a few training steps on this machine.

The steps run in a separate process, with the threads and the environment of a worker, because they can run out of
memory.
"""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tasks.core.errors import HallmarkError, Unavailable
from tasks.core.files import read_json, write_json
from tasks.core.params.training import Training
from tasks.core.records.rendering import Example
from tasks.stages.cluster.worker_spec import worker_python_command
from tasks.stages.train.job import Job
from tasks.stages.train.model import builders
from tasks.stages.train.preflight.model_shape import ModelShape
from tasks.stages.train.preflight.speed import CalibratedSpeed
from tasks.stages.train.rows import examples
from tasks.stages.train.rows.examples import ExampleWriter, TokensOrigin

MEASUREMENT_SECONDS = 15.0
"""Duration of the measurement in seconds, without the first step. The last step is completed even if it takes
longer."""
GENERATED_ROW_COUNT = 64
REQUEST_FILE, RESULT_FILE = "asked.json", "told.json"


def calibrate_speed(
    training: Training, shape: ModelShape, model: Path, rows: Path | None, run_id: str, scratch_folder: Path
) -> CalibratedSpeed:
    """Train for a few seconds and return the speed.

    Args:
        training: Parameters of the training run.
        shape: Shape of the model.
        model: Folder of the model.
        rows: Folder with the rows of a run; None to train on generated rows.
        run_id: Id of the run that `rows` belong to.
        scratch_folder: Empty folder for temporary files.

    Raises:
        Unavailable: No step was completed.
    """
    alone = training.model_copy(update={"workers": 1, "least_workers": None, "sequence_parallel": 1})
    words = f"rows of run {run_id}"
    if rows is None:
        length = min(training.max_length, shape.context_length or training.max_length)
        rows, words = scratch_folder / "rows", f"made-up rows of {length:,} tokens"
        write_generated_rows(rows, length, shape.vocabulary)
    request = {
        "training": alone.model_dump(mode="json"),
        "model": str(model),
        "rows": str(rows),
        "seconds": MEASUREMENT_SECONDS,
    }
    write_json(scratch_folder / REQUEST_FILE, request)
    command = [*shlex.split(worker_python_command()), __file__, str(scratch_folder.resolve())]
    environment = {**os.environ, **builders.build_worker_spec(alone).environment}
    ended = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if ended.returncode or not (scratch_folder / RESULT_FILE).is_file():
        last = next((line for line in reversed(ended.stderr.splitlines()) if line.strip()), "nothing was said")
        raise Unavailable(
            f"the calibration got through no step (exit code {ended.returncode}): {last.strip()}; leave --calibrate "
            "out, or ask for a training that this machine can do"
        )
    result = read_json(scratch_folder / RESULT_FILE)
    return CalibratedSpeed(result["tokens"] / result["seconds"], result["steps"], result["seconds"], words)


def write_generated_rows(folder: Path, length: int, vocabulary: int) -> None:
    folder.mkdir()
    with ExampleWriter(folder, vocabulary) as writer:
        for row in range(GENERATED_ROW_COUNT):
            writer.add(Example([(row * 7919 + place) % vocabulary for place in range(length)], length // 2))
        nothing = "0" * 64
        writer.finish(TokensOrigin(data=nothing, validation=nothing, prompts=nothing, model=nothing))


def measure_steps(job: Job, seconds: float) -> dict[str, Any]:
    """Train in this process, as the only worker, for at least `seconds`.

    Returns:
        Number of `steps`, number of `tokens`, and their duration in `seconds`. The first step is not counted.
    """
    from tasks.stages.train import loop
    from tasks.stages.train.rows.order import RowOrder

    loop.set_up_torch(job.training)
    engine, order = loop.load_engine(job, None), RowOrder(examples.map_examples(job.rows), job.training)
    loop.take_step(engine, order, 0)
    steps = tokens = 0
    began = time.monotonic()
    while not steps or time.monotonic() - began < seconds:
        steps += 1
        tokens += int(loop.take_step(engine, order, steps % order.step_count)["tokens"])
    return {"steps": steps, "tokens": tokens, "seconds": time.monotonic() - began}


def main(scratch_folder: Path) -> int:
    """Run the calibration that `asked.json` in `scratch_folder` describes, and write its result to `told.json`.

    The process is started as `python -I tasks/stages/start.py .../calibrate.py FOLDER`.
    """
    from torch import distributed

    request = read_json(scratch_folder / REQUEST_FILE)
    job = Job(
        training=Training.model_validate(request["training"]),
        model=Path(request["model"]),
        rows=Path(request["rows"]),
        checkpoints=scratch_folder,
        weights_folder=scratch_folder,
        scratch=scratch_folder,
    )
    os.environ.update(RANK="0", WORLD_SIZE="1", LOCAL_RANK="0", LOCAL_WORLD_SIZE="1")
    backend = "nccl" if job.training.device == "gpu" else "gloo"
    distributed.init_process_group(backend, init_method=f"file://{scratch_folder / 'meeting'}", rank=0, world_size=1)
    try:
        result = measure_steps(job, request["seconds"])
    except HallmarkError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    finally:
        distributed.destroy_process_group()
    write_json(scratch_folder / RESULT_FILE, result)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
