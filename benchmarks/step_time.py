"""Step time of training as a run executes it against plain PyTorch, on base model and tickets of the sample use case.

    python benchmarks/step_time.py [--rounds 7] [--batches 6] [--threads 2] [--out benchmarks/results/step_time.json]

Three contenders take optimizer steps over the same rows in the same batches of 16, each in turn in every round:

    ours    a Prefect task, which runs `dvc repro`, whose stage trains on Ray with DeepSpeed and the loss of
            stages/train/target_loss.py; each step goes to the record, which is followed, told to Prefect and tracked in
            MLflow, by the code that `train` uses
    plain   a loop of forward, backward, clip and AdamW in a process without any of these, over the same loss
    usual   the same loop over transformers' own loss, which projects every position onto the vocabulary

The ratio of `ours` to `plain` is what the platform costs a step; that to `usual` is what the loss saves. Not in it:
starting up, checkpoints and export, which are no part of a step and have no peer in the plain loop. Prefect's server
is a private one of the flow. What of the platform goes on while nothing trains (servers, heartbeats) also goes on
beside `plain`.
"""

import argparse
import csv
import itertools
import json
import os
import pickle
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SLOWDOWN = 1.05
ROWS_A_BATCH = 16


def training_rows(count: int) -> list[dict[str, Any]]:
    """Tickets with both message and target, as records."""
    with (ROOT / "examples/support_triage/data/tickets.csv").open(newline="", encoding="utf-8") as file:
        tickets = [row for row in csv.DictReader(file) if row["message"] and row["intent"]]
    return [
        {
            "task": "triage",
            "messages": [
                {"role": "user", "content": ticket["message"]},
                {"role": "assistant", "content": json.dumps({k: ticket[k] for k in ("intent", "queue", "action")})},
            ],
        }
        for ticket in tickets[:count]
    ]


def put_rows(rows: list[dict[str, Any]], model: Path, folder: Path) -> Path:
    """The rows as tokens, as stage `tokenise` leaves them."""
    from transformers import AutoTokenizer

    from tasks.core.prompts import chat
    from tasks.stages.train.rows.examples import Origin, Writer
    from tasks.stages.train.rows.rendering import render, stop_tokens

    tokenizer, prompts = AutoTokenizer.from_pretrained(model), params_of_the_sample().prompts
    folder.mkdir()
    with Writer(folder, len(tokenizer)) as writer:
        for row in rows:
            writer.add(render(*chat(row, prompts), tokenizer, stop_tokens(tokenizer, model)))
        writer.finish(Origin(data="", validation="", prompts="", model=""))
    return folder


def params_of_the_sample() -> Any:
    from tasks.core.params import params

    return params.load(ROOT / "params.yaml")


def base_model(folder: Path) -> Path:
    """The base model of params.yaml, converted below `folder`; its download is kept in the checkout's state."""
    from tasks.core.layout import Layout
    from tasks.stages.train.base import convert, origins

    fetched = origins.fetch(params_of_the_sample().base_model, Layout(ROOT))
    if fetched.is_dir():
        return fetched
    convert.from_gguf(fetched, folder / "model")
    return folder / "model"


class Rounds:
    """Turns are taken through files, since the contenders are processes that share nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def call(self, number: int, worker: "subprocess.Popen[bytes]") -> float:
        """Let the worker, which belongs to that process, take round `number`; its seconds."""
        (self.folder / f"go-{number}").touch()
        done = self.folder / f"done-{number}"
        while not done.exists():
            if worker.poll() is not None:
                raise RuntimeError(f"the flow ended with exit code {worker.returncode} before round {number}")
            time.sleep(0.02)
        return float(done.read_text())

    def serve(self, number: int, take: Callable[[], float]) -> None:
        """Wait for round `number`, take it, tell its seconds."""
        while not (self.folder / f"go-{number}").exists():
            time.sleep(0.02)
        seconds = take()
        aside = self.folder / f".done-{number}"
        aside.write_text(str(seconds))
        aside.rename(self.folder / f"done-{number}")


@dataclass(frozen=True)
class Bench:
    """What all processes of the benchmark know, as a pickle in its folder."""

    folder: Path
    job: Any
    rounds: int
    """That count; one more warms up."""
    steps: int
    """Of a round."""

    @property
    def examples(self) -> Any:
        from tasks.stages.train.rows import examples

        return examples.read(self.job.rows)

    @property
    def layout(self) -> Any:
        from tasks.core.layout import Layout

        return Layout(self.folder / ".hallmark" / "runs" / "bench")

    @staticmethod
    def read(folder: Path) -> "Bench":
        return pickle.loads((folder / "bench.pickle").read_bytes())


def flow(folder: Path) -> None:
    """`--flow FOLDER`: a Prefect flow of one task, the one that runs the stages of a run."""
    import prefect

    from flows.stages import stage
    from tasks.gates.signed_request import Request, SignedRequest
    from tasks.runs import dvc, journal
    from tasks.runs.repository import Repository
    from tasks.runs.run import Run

    layout = Bench.read(folder).layout
    layout.root.mkdir(parents=True)
    command = f"python {Path(__file__).resolve()} --stage {folder}"
    (layout.root / "dvc.yaml").write_text(json.dumps({"stages": {"bench": {"cmd": command}}}))  # JSON is YAML
    subprocess.run(["git", "init", "--quiet"], cwd=layout.root, check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], cwd=layout.root, check=True)
    dvc.configure(layout)
    journal.write(layout.state, journal.Journal(run="bench", requested_by="bench"))
    request = Request(
        run_id="bench", requested_by="bench", commit="0" * 40, tree_sha256="0" * 64, params="params.yaml",
        params_sha256=None, governance=None, changes={}, demo_approvals=False, time=datetime.now(UTC),
    )  # fmt: skip
    run = Run(SignedRequest(request, {}, "", request.time), layout, params_of_the_sample(), Repository(layout.root))
    prefect.flow(name="bench")(lambda: stage(run, "bench"))()


def own_services(folder: Path) -> dict[str, str]:
    """The flow's environment: a Prefect server of its own on loopback, and MLflow in `folder`, whatever is set here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "MLFLOW"))}
    return kept | {
        "HALLMARK_ROOT": str(folder),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }


def as_stage(folder: Path) -> None:
    """`--stage FOLDER`: what DVC starts; trains on Ray, watched and tracked, as `train.execute` does."""
    from ray.train.torch import TorchTrainer

    from tasks.stages.cluster import connection
    from tasks.stages.train import builders, watch
    from tasks.stages.train.tracking import Tracker

    bench = Bench.read(folder)
    training = bench.job.training
    plan = watch.Plan((bench.rounds + 1) * bench.steps, training.model_dump(), {})
    trainer = TorchTrainer(
        in_ray,
        train_loop_config={"bench": bench},
        scaling_config=builders.scaling_config(training, training.workers),
        run_config=builders.run_config(folder / "ray"),
    )
    with (
        connection.running(builders.crew(training)),
        watch.watching(bench.job.record, plan, Tracker(bench.layout, "step-time")),
    ):
        trainer.fit()


def in_ray(config: dict[str, Any]) -> None:
    """The Ray Train worker: round 0 warms up."""
    import torch

    from tasks.stages.train import engine as engines
    from tasks.stages.train import loop
    from tasks.stages.train.keeping.home import Home
    from tasks.stages.train.rows.order import Order

    bench: Bench = config["bench"]
    job, turns = bench.job, Rounds(bench.folder)
    torch.set_num_threads(job.training.threads)
    torch.use_deterministic_algorithms(True)
    engine = engines.start(job)
    order = Order(bench.examples, job.training)
    home = Home(job)
    home.begin([])
    done = itertools.count(1)

    def take() -> float:
        began = time.perf_counter()
        for number in range(order.steps):
            step_began = time.monotonic()
            point = loop.take_step(engine, order, number)
            home.tell(point | {"step": next(done), "seconds": time.monotonic() - step_began})
        return time.perf_counter() - began

    for number in range(bench.rounds + 1):
        turns.serve(number, take)


def plain_loop(job: Any, examples: Any, usual: bool) -> Callable[[], float]:
    """Steps without Ray or DeepSpeed; calling the result takes one round."""
    import torch

    from tasks.stages.train import builders, target_loss
    from tasks.stages.train import engine as engines
    from tasks.stages.train.rows.batches import collate
    from tasks.stages.train.rows.order import Order

    model = engines.load_model(job)
    if not usual:
        model = target_loss.TargetLoss(model)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = builders.optimizer(job.training, weights)
    order = Order(examples, job.training)

    def loss_of(rows: Any) -> Any:
        batch = collate(examples, rows, share=not usual)
        if not usual:
            return model(batch) / len(batch.targets)
        labels = torch.full_like(batch.tokens, -100)
        labels[batch.predicts.roll(1, dims=1)] = batch.targets
        return model(input_ids=batch.tokens, labels=labels, use_cache=False).loss

    def take() -> float:
        began = time.perf_counter()
        for number in range(order.steps):
            loss = loss_of(order.step(number))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, job.training.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad()
            loss.item()
        return time.perf_counter() - began

    return take


def prepare(rounds: int, batches: int, threads: int, folder: Path) -> Bench:
    from tasks.core.params.training import Training
    from tasks.stages.train.job import Job

    training = Training(global_batch_size=ROWS_A_BATCH, threads=threads)
    model = base_model(folder)
    tokens = put_rows(training_rows(batches * ROWS_A_BATCH), model, folder / "rows")
    (folder / "scratch").mkdir()
    job = Job(training, model, tokens, folder / "checkpoints", folder / "output", folder / "scratch")
    bench = Bench(folder, job, rounds, steps=batches)
    (folder / "bench.pickle").write_bytes(pickle.dumps(bench))
    return bench


def measure(bench: Bench) -> dict[str, Any]:
    """Median seconds of a round of each contender, interleaved; and the tokens of a round."""
    import torch

    torch.set_num_threads(bench.job.training.threads)
    torch.use_deterministic_algorithms(True)
    seconds: dict[str, list[float]] = {"ours": [], "plain": [], "usual": []}
    command = [sys.executable, __file__, "--flow", str(bench.folder)]
    with subprocess.Popen(command, env=own_services(bench.folder)) as worker:
        turns = Rounds(bench.folder)
        loops = {name: plain_loop(bench.job, bench.examples, usual=name == "usual") for name in ("plain", "usual")}
        for number in range(bench.rounds + 1):
            taken = {"ours": turns.call(number, worker), **{name: take() for name, take in loops.items()}}
            print(f"round {number}: " + "  ".join(f"{name} {value:.2f} s" for name, value in taken.items()), flush=True)
            if number:
                for name, value in taken.items():
                    seconds[name].append(value)
    ratios = [ours / plain for ours, plain in zip(seconds["ours"], seconds["plain"], strict=True)]
    return {
        "seconds": {name: statistics.median(values) for name, values in seconds.items()},
        "ratio": statistics.median(ratios),
        "tokens": int(bench.examples.lengths.sum()),
        "steps": bench.steps,
    }


def report(result: dict[str, Any]) -> list[dict[str, Any]]:
    each = {name: value / result["steps"] for name, value in result["seconds"].items()}
    speed = {name: result["tokens"] / value for name, value in result["seconds"].items()}
    return [
        line("step time, one worker", each["ours"], "plain PyTorch loop, same loss", each["plain"], result["ratio"],
             SLOWDOWN, result["ratio"] <= SLOWDOWN, "s"),
        line("training throughput", speed["ours"], "plain PyTorch loop, transformers' loss", speed["usual"],
             speed["ours"] / speed["usual"], 1.0, speed["ours"] >= speed["usual"], "tokens/s"),
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
    for part in ("--flow", "--stage"):
        parser.add_argument(part, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.flow or given.stage:
        (flow if given.flow else as_stage)(given.flow or given.stage)
        return
    with tempfile.TemporaryDirectory() as folder:
        lines = report(measure(prepare(given.rounds, given.batches, given.threads, Path(folder))))
    for row in lines:
        print(f"{row['metric']:<22} {row['ours']:>9.3f} {row['unit']:<8}  {row['peer']}: {row['peer_value']:.3f}  "
              f"ratio {row['ratio']:.3f}, goal {row['goal']:g}  {'met' if row['met'] else 'NOT met'}")  # fmt: skip
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps([row | machine(given.threads) for row in lines], indent=2) + "\n")


def with_environment() -> None:
    """Start again with the workers' environment, which OpenMP reads as the process begins."""
    from tasks.core.params.training import Training
    from tasks.stages.train.builders import crew

    wanted = crew(Training()).environment | {"HALLMARK_BENCH": "1"}
    sys.exit(subprocess.run([sys.executable, *sys.argv], env=os.environ | wanted).returncode)


if __name__ == "__main__":
    main() if os.environ.get("HALLMARK_BENCH") else with_environment()
