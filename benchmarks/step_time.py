"""Step time of training in a real run compared with plain PyTorch, with the base model and tickets of the sample.

    python benchmarks/step_time.py [--rounds 7] [--batches 6] [--threads 2] [--out benchmarks/results/step_time.json]

`hallmark run` brings the sample to its training in a clone of this checkout: Prefect's flow run, DVC, the stage in its
sandbox, Ray, DeepSpeed, MLflow, signed records. In every round it takes `--batches` steps; then its worker is stopped
(SIGSTOP), and plain loops take the same steps:

    ours    from the time at which the record has a step to the time at which it has that many more
    plain   a loop of forward, backward, clip and AdamW in this process, with the same loss (target_loss.py)
    usual   the same loop with transformers' own loss, which projects every position onto the vocabulary

The ratio of `ours` to `plain` is the cost of the platform for a step; the ratio to `usual` is what the loss saves.
Start up, checkpoints and validation are not included, since they are no part of a step and have no peer in the plain
loop. Work of the platform that continues without a training (servers, heartbeats) also continues beside `plain`.
"""

import argparse
import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
SLOWDOWN = 1.025
WARM_STEPS = 8
START_TIMEOUT_SECONDS = 900.0
"""Maximum number of seconds until the run trains."""
SETTINGS = {
    "global_batch_size": 16, "micro_batch_tokens": 32_768, "epochs": 20, "validate_steps": "null",
    "checkpoint_steps": 100_000,
}  # fmt: skip
"""Settings of the training: each step is one pass, as in the plain loops; there are enough steps, and no
checkpoints."""
WORKER = "ray::RayTrainWorker"


def base_model(folder: Path) -> Path:
    """Return the base model of params.yaml, converted in `folder`. Its download is cached in the checkout's state."""
    from tasks.core.layout import Layout
    from tasks.core.params import params
    from tasks.stages.train.base import convert, origins

    fetched = origins.fetch_base_model(params.load_params(ROOT / "params.yaml").base_model, Layout(ROOT))
    if fetched.is_dir():
        return fetched
    convert.convert_gguf(fetched, folder / "model")
    return folder / "model"


@dataclass(frozen=True)
class Run:
    folder: Path
    record: Path
    worker: psutil.Process

    def steps(self) -> int:
        return self.record.read_bytes().count(b"\n")

    def wait_for_step(self, steps: int) -> float:
        """Wait until that many steps are done. Return the value of `time.perf_counter` then."""
        while self.steps() < steps:
            if not self.worker.is_running():
                raise RuntimeError(f"the training ended before step {steps}")
            time.sleep(0.005)
        return time.perf_counter()


def hallmark(*words: str) -> list[str]:
    return [str(Path(sys.executable).with_name("hallmark")), *words]


@contextmanager
def training(clone: Path, threads: int) -> Iterator[Run]:
    from tasks.stages.train.coordinator import LOG_FILE

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "MLFLOW", "HALLMARK"))}
    told = kept | {"HALLMARK_ROOT": str(clone), "HALLMARK_PREFECT_PORT": port, "HALLMARK_MLFLOW_PORT": "off"}
    subprocess.run(hallmark("init"), cwd=clone, env=told, check=True, stdout=subprocess.DEVNULL)
    changes = [f"--set=training.{name}={value}" for name, value in (SETTINGS | {"threads": threads}).items()]
    command = hallmark("run", "--as", "ml-engineer", "--demo-approvals", *changes)
    with (clone.parent / "run.log").open("w") as log:
        process = subprocess.Popen(command, cwd=clone, env=told, stdout=log, stderr=log)
    try:
        yield _begun(clone, process, LOG_FILE)
    finally:
        process.terminate()
        process.wait()
        subprocess.run(hallmark("down"), cwd=clone, env=told, stdout=subprocess.DEVNULL)


def _begun(clone: Path, process: "subprocess.Popen[bytes]", name: str) -> Run:
    until = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < until and process.poll() is None:
        records = list(clone.glob(f".hallmark/**/scratch/{name}"))
        workers = [each for each in psutil.process_iter() if _is_worker(each, clone)]
        if records and workers and records[0].read_bytes().count(b"\n") >= WARM_STEPS:
            (worktree,) = clone.glob(".hallmark/runs/*/artefacts")
            return Run(worktree.parent, records[0], workers[0])
        time.sleep(1)
    raise RuntimeError(f"the run came to no training:\n{(clone.parent / 'run.log').read_text()[-3000:]}")


def _is_worker(process: psutil.Process, clone: Path) -> bool:
    """Return whether a process is a worker of the clone's run.

    The environment of Ray's worker does not name the clone, but that of one of its ancestors does.
    """
    try:
        if not process.name().startswith(WORKER):
            return False
        return any(str(clone) in value for each in process.parents() for value in each.environ().values())
    except psutil.Error:
        return False


@dataclass(frozen=True)
class PlainLoops:
    """Training of the run, as plain loops in this process."""

    training: Any
    examples: Any
    order: Any
    model: Path

    @classmethod
    def of(cls, run: Run) -> "PlainLoops":
        from tasks.core.params import params
        from tasks.stages.train.rows import examples
        from tasks.stages.train.rows.order import RowOrder

        given = params.load_params(run.folder / "params.yaml").training
        rows = examples.map_examples(run.folder / "artefacts" / "tokenise")
        return cls(given, rows, RowOrder(rows, given), run.folder / "artefacts" / "base_model" / "model")

    def tokens(self, steps: Sequence[int]) -> int:
        return sum(int(self.examples.lengths(self.order.step(number)).sum()) for number in steps)

    def loop(self, folder: Path, usual: bool) -> Callable[[Sequence[int]], float]:
        """Return a function that takes the steps with the given numbers and returns the seconds."""
        import torch

        from tasks.stages.train.job import Job
        from tasks.stages.train.model import builders, target_loss
        from tasks.stages.train.model import engine as engines
        from tasks.stages.train.rows.batches import collate

        job = Job(self.training, self.model, self.model, folder, folder, folder)
        model = engines.load_model(job)
        if not usual:
            model = target_loss.TargetLoss(model)
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        optimizer = builders.build_optimizer(self.training, weights)

        def loss_of(rows: Any) -> Any:
            batch = collate(self.examples, rows, share_prefix=not usual)
            if not usual:
                return model(batch) / len(batch.targets)
            labels = torch.full_like(batch.tokens, -100)
            labels[batch.predicts_target.roll(1, dims=1)] = batch.targets
            return model(input_ids=batch.tokens, labels=labels, use_cache=False).loss

        def take(steps: Sequence[int]) -> float:
            began = time.perf_counter()
            for number in steps:
                loss = loss_of(self.order.step(number))
                loss.backward()
                torch.nn.utils.clip_grad_norm_(weights, self.training.max_grad_norm)
                optimizer.step()
                optimizer.zero_grad()
                loss.item()
            return time.perf_counter() - began

        return take


def measure(run: Run, folder: Path, rounds: int, batches: int) -> list[dict[str, float]]:
    """Return the seconds of each contender and the tokens, for each round. The first round warms up and is left out."""
    from tasks.stages.train.loop import set_up_torch

    loops = PlainLoops.of(run)
    set_up_torch(loops.training)
    taken = []
    with paused_worker(run):
        plain, usual = (loops.loop(folder, usual=each) for each in (False, True))
    for number in range(rounds + 1):
        first = run.steps() + 1  # the step in which the worker was stopped does not count
        began = run.wait_for_step(first)
        ours = run.wait_for_step(first + batches) - began
        steps = range(first, first + batches)
        with paused_worker(run):
            each = {"ours": ours, "plain": plain(steps), "usual": usual(steps)}
        told = "  ".join(f"{name} {value:.2f} s" for name, value in each.items())
        print(f"round {number} of {rounds}: {told}", flush=True)
        taken.append(each | {"tokens": float(loops.tokens(steps))})
    return taken[1:]


@contextmanager
def paused_worker(run: Run) -> Iterator[None]:
    run.worker.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        run.worker.send_signal(signal.SIGCONT)


def report(rounds: list[dict[str, float]], batches: int) -> list[dict[str, Any]]:
    median = statistics.median
    each = {name: median(it[name] for it in rounds) / batches for name in ("ours", "plain", "usual")}
    speed = {name: median(it["tokens"] / it[name] for it in rounds) for name in ("ours", "plain", "usual")}
    slower = median(it["ours"] / it["plain"] for it in rounds)
    faster = median(it["usual"] / it["ours"] for it in rounds)
    return [
        line("step time, one worker", each["ours"], "plain PyTorch loop, same loss", each["plain"], slower, SLOWDOWN,
             slower <= SLOWDOWN, "s"),
        line("training throughput", speed["ours"], "plain PyTorch loop, transformers' loss", speed["usual"], faster,
             1.0, faster >= 1.0, "tokens/s"),
    ]  # fmt: skip


def line(
    metric: str, ours: float, peer: str, peer_value: float, ratio: float, goal: float, met: bool, unit: str
) -> dict[str, Any]:
    return {
        "metric": metric, "ours": round(ours, 4), "peer": peer, "peer_value": round(peer_value, 4),
        "ratio": round(ratio, 4), "goal": goal, "met": met, "unit": unit,
    }  # fmt: skip


def machine(threads: int) -> dict[str, Any]:
    return {
        "machine": platform.machine(), "cores": os.cpu_count(), "threads": threads, "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "transformers", "peft", "deepspeed", "ray")},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="repetitions that count; one more warms up")
    parser.add_argument("--batches", type=int, default=6, help="optimizer steps a round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "step_time.json")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with training(folder / "clone", given.threads) as run:
            lines = report(measure(run, folder, given.rounds, given.batches), given.batches)
    for row in lines:
        print(f"{row['metric']:<22} {row['ours']:>9.3f} {row['unit']:<8}  {row['peer']}: {row['peer_value']:.3f}  "
              f"ratio {row['ratio']:.3f}, goal {row['goal']:g}  {'met' if row['met'] else 'NOT met'}")  # fmt: skip
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps([row | machine(given.threads) for row in lines], indent=2) + "\n")


def with_environment() -> None:
    """Start this script again with the environment of the workers, which OpenMP reads when a process starts."""
    from tasks.core.params.training import Training
    from tasks.stages.train.model.builders import build_worker_spec

    wanted = build_worker_spec(Training()).environment | {"HALLMARK_BENCH": "1"}
    sys.exit(subprocess.run([sys.executable, *sys.argv], env=os.environ | wanted).returncode)


if __name__ == "__main__":
    main() if os.environ.get("HALLMARK_BENCH") else with_environment()
