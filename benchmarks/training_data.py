"""Data path of training: time of the packing plan, wasted positions, memory of a worker, size of a checkpoint.

    python benchmarks/training_data.py [--rows 1000000] [--out benchmarks/results/training_data.json]

Rows have log-normal lengths with a mean of 67 tokens. The plan is made for every step of an epoch, with 128 rows per
step, in passes of 4,096 tokens. Memory is the maximum of a process that trains a model of 330,000 parameters for 150
steps, with 10,000 rows and with `--rows`. The checkpoint is one of LoRA. Its size is compared with the bytes of what is
trained: weights, their copy in fp32 under ZeRO, and both moments of Adam.
"""

import argparse
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
SMALL = 10_000
STEPS = 150
ROWS_A_STEP = 128


def lengths(count: int) -> Any:
    import numpy as np

    return np.random.default_rng(17).lognormal(4.0, 0.6, count).astype(np.int64).clip(8, 500)


def plan(count: int, layout: str, workers: int) -> tuple[float, float]:
    """Return the seconds to plan an epoch, and the mean share of positions without a token."""
    import numpy as np

    from tasks.core.params.training import Training
    from tasks.stages.train.rows import forward_passes
    from tasks.stages.train.rows.examples import Examples
    from tasks.stages.train.rows.order import RowOrder

    ends = np.cumsum(lengths(count))
    training = Training(
        global_batch_size=ROWS_A_STEP, layout=layout, order="shuffled" if layout == "packed" else "by_length"
    )
    order = RowOrder(Examples(np.zeros(1, np.uint16), ends, np.zeros(count, np.int32)), training)
    began, wasted = time.perf_counter(), []
    for number in range(order.steps_per_epoch):
        sizes = order.examples.row_lengths(order.rows_of_step(number))
        wasted.append(
            forward_passes.padding_share(
                sizes, forward_passes.plan_passes(sizes, training, workers), layout == "packed"
            )
        )
    return time.perf_counter() - began, float(np.mean(wasted))


def put(folder: Path, count: int) -> Path:
    import numpy as np

    from tasks.core.records.rendering import Example
    from tasks.stages.train.rows.examples import ExampleWriter, TokensOrigin

    folder.mkdir()
    random = np.random.default_rng(17)
    with ExampleWriter(folder, 259) as writer:
        for length in lengths(count).tolist():
            writer.add(Example(random.integers(0, 250, length).tolist(), length // 2))
        writer.finish(TokensOrigin(data="", validation="", prompts="", model=""))
    return folder


def as_worker(folder: Path) -> None:
    """Train the job in a folder, and write the maximum memory in kilobytes (`--worker FOLDER`)."""
    os.environ.update(DS_ACCELERATOR="cpu", RANK="0", WORLD_SIZE="1", LOCAL_RANK="0", LOCAL_WORLD_SIZE="1")
    from torch import distributed

    from tasks.stages.train import loop

    distributed.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=0, world_size=1)
    loop.run_training(pickle.loads((folder / "job.pickle").read_bytes()))
    (folder / "kilobytes").write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


def memory(aside: Path, model: Path, count: int) -> float:
    """Return the maximum memory of a worker in MB."""
    from benchmarks.training_exact import job

    rows = put(aside / f"rows-{count}", count)
    folder = aside / f"job-{count}"
    epochs = STEPS / -(-count // 16)
    job(folder, model, rows, global_batch_size=16, epochs=epochs, checkpoint_steps=1000)
    subprocess.run([sys.executable, __file__, "--worker", str(folder)], check=True, stderr=subprocess.DEVNULL)
    return int((folder / "kilobytes").read_text()) / 1000


def checkpoint(aside: Path, model: Path, rows: Path) -> dict[str, float]:
    """Return the bytes of a checkpoint divided by those of what is trained, by ZeRO stage."""
    from benchmarks.training_exact import job, start
    from tasks.stages.train.preflight import model_shape
    from tests.stages.train.conftest import training

    ratios = {}
    for stage in (0, 2, 3):
        folder = aside / f"checkpoint-{stage}"
        changes: dict[str, Any] = {"zero_stage": stage, "lora_rank": 256, "lora_alpha": 512, "checkpoint_steps": 2}
        made = job(folder, model, rows, epochs=0.4, **changes)
        start(folder).wait()
        (kept,) = made.checkpoints.glob("step-*")
        size = sum(path.stat().st_size for path in kept.rglob("*") if path.is_file())
        trained = model_shape.read_model_shape(model).trained_weight_count(training(**changes))
        ratios[f"ZeRO {stage}"] = size / (trained * (16 if stage else 12))
    return ratios


def line(metric: str, ours: float, peer: str, peer_value: float | None, goal: float, unit: str) -> dict[str, Any]:
    ratio = None if peer_value is None else round(ours / peer_value, 4)
    return {
        "metric": metric, "ours": round(ours, 4), "peer": peer, "peer_value": peer_value, "ratio": ratio, "goal": goal,
        "met": (ours if ratio is None else ratio) <= goal, "unit": unit,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "training_data.json")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        as_worker(given.worker)
        return
    from benchmarks.step_time import machine
    from tests.stages.train.conftest import put_rows, rendered
    from tests.tiny_model import make_tiny_model

    lines = []
    for layout, workers in (("packed", 1), ("packed", 2), ("padded", 1)):
        seconds, wasted = plan(given.rows, layout, workers)
        what = f"{layout}, {workers} worker{'s' if workers > 1 else ''}"
        lines.append(line(f"plan of {given.rows:,} rows, {what}", seconds, "", None, 10.0, "s"))
        if layout == "packed":
            lines.append(line(f"wasted positions, {what}", wasted, "", None, 0.02, ""))
    with tempfile.TemporaryDirectory() as folder:
        aside = Path(folder)
        make_tiny_model(aside / "model")
        small, large = (memory(aside, aside / "model", count) for count in (SMALL, given.rows))
        lines.append(line(f"memory of a worker, {given.rows:,} rows", large, f"{SMALL:,} rows", small, 1.05, "MB"))
        rows = put_rows(aside / "rows", rendered(aside / "model", 24))
        for stage, ratio in checkpoint(aside, aside / "model", rows).items():
            lines.append(line(f"LoRA checkpoint over what it trains, {stage}", ratio, "", None, 1.1, ""))
    for row in lines:
        peer = f"{row['peer']}: {row['peer_value']:.1f}, ratio {row['ratio']:.3f}" if row["peer"] else ""
        print(f"{row['metric']:<48} {row['ours']:.4g} {row['unit']}  {peer}  goal {row['goal']:g}  "
              f"{'met' if row['met'] else 'NOT met'}")  # fmt: skip
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps([row | machine(1) for row in lines], indent=2) + "\n")


if __name__ == "__main__":
    main()
