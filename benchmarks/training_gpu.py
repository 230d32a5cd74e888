"""Training on a GPU: use of the device, and speed compared with libraries that users would pick instead.

    python benchmarks/training_gpu.py [--rounds 3] [--steps 4] [--shape 7b] [--only lora,padded]

The model has the shape of Llama 2 7B (arXiv:2307.09288) and random weights, since its answers do not count here. Rows
are made up, and the same for all. Their lengths are like those of instructions: log-normal, half of them below 300
tokens. There are 64 rows per step, shuffled, in bf16. Contenders run one after the other, each in a process of its own,
and warm up for some steps. The table has medians of rounds.

    lora      LoRA of rank 16 on all linear layers, layout packed
    padded    the same with layout padded
    full      full fine-tuning, ZeRO 2, which keeps less in bf16: a 7B shape needs 140 GB
    qlora     LoRA over a base model in 4 bits
    offload   full fine-tuning with ZeRO 3, with weights and optimizer in the machine's memory
    trl       TRL's SFTTrainer with the same LoRA, with its defaults except for the batch
    trl-pack  the same with packing

Hallmark's contenders keep all activations if preflight says that they fit; otherwise only the input of each layer.
Contenders that do not fit are named and left out. MFU is model FLOPs utilisation as in `preflight/operations.py`, which
counts recomputed operations once. torchtune is not compared, since its development ended in July 2025
(meta-pytorch/torchtune, issue 2883).

The script exits with 3 without a GPU, or without a package index if TRL must be fetched. `--device cpu --shape tiny`
runs its code on a machine without a GPU, proves no speed and writes no JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
MODEL = "model"
"""Value of `--contender` with which the process makes the model."""
ROWS = 4096
BATCH = 64
WARM_UP_STEPS = 2
"""Number of steps that warm up and do not count."""
MEDIAN_TOKENS, MAX_TOKENS = {"7b": 300, "tiny": 30}, {"7b": 2048, "tiny": 128}
"""Median and maximum number of tokens of a row, by shape."""
SPREAD, MIN_TOKENS = 0.8, 16
"""Standard deviation of the logarithm of the lengths, and minimum number of tokens of a row."""
SHAPES: Mapping[str, Mapping[str, int]] = {
    "7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32},
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4},
}
FULL = {"method": "full", "lora_rank": None, "lora_alpha": None, "zero_stage": 2}
OURS: Mapping[str, Mapping[str, Any]] = {
    "lora": {},
    "padded": {"layout": "padded"},
    "full": FULL,
    "qlora": {"method": "qlora"},
    "offload": FULL | {"zero_stage": 3, "offload": "cpu"},
}
PEERS = {"trl": "TRL's SFTTrainer at its defaults", "trl-pack": "TRL's SFTTrainer with packing"}
MFU_GOALS = {"lora": 0.45, "full": 0.45}
"""Minimum MFU, by contender."""
PACKING_GOAL = 2.0
"""Minimum ratio of the tokens per second of `lora` to those of `padded`."""
CONTENDER_TIMEOUT_SECONDS = 1800.0
"""Maximum number of seconds of a contender."""


def make_model(folder: Path, shape: str, device: str) -> None:
    """Make the model. This runs in a process of its own, whose GPU memory is free when it ends."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from tests.tiny_model import byte_tokenizer

    tokenizer = byte_tokenizer()
    config = LlamaConfig(vocab_size=32_000, max_position_embeddings=4096, **SHAPES[shape],
                         eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)  # fmt: skip
    torch.manual_seed(1)
    with torch.device("cuda" if device == "gpu" else "cpu"):
        LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def make_rows(folder: Path, shape: str) -> None:
    """Write rows, of each of which a third is the answer."""
    import numpy as np

    from tasks.core.records.rendering import Example
    from tasks.stages.train.rows.examples import ExampleWriter, TokensOrigin

    drawn = np.random.default_rng(1)
    lengths = np.clip(
        drawn.lognormal(np.log(MEDIAN_TOKENS[shape]), SPREAD, ROWS), MIN_TOKENS, MAX_TOKENS[shape]
    ).astype(int)
    folder.mkdir()
    with ExampleWriter(folder, 32_000) as writer:
        for length in lengths.tolist():
            writer.add(Example(drawn.integers(300, 32_000, length).tolist(), length - length // 3))
        writer.finish(TokensOrigin(data="", validation="", prompts="", model=""))


def longest(folder: Path) -> int:
    from tasks.stages.train.rows import examples

    return int(examples.map_examples(folder / "rows").row_lengths().max())


def settings(folder: Path, name: str, device: str) -> Any:
    """Return the settings of a contender with which it fits according to preflight; None if none fits."""
    from tasks.core.params.resources import Resources
    from tasks.core.params.training import Training
    from tasks.stages.train.preflight import estimate, machine_capacity, model_shape, workload

    for checkpointing in (False, True):
        asked = Training.model_validate(
            {"global_batch_size": BATCH, "micro_batch_tokens": 8192, "max_length": longest(folder), "epochs": 1000,
             "learning_rate": 1e-5, "precision": "bf16", "device": device, "layout": "packed", "order": "shuffled",
             "threads": os.cpu_count(), "gradient_checkpointing": checkpointing} | OURS[name]
        )  # fmt: skip
        work, model = (
            workload.count_workload(folder / "rows", asked, None),
            model_shape.read_model_shape(folder / "model"),
        )
        if (
            estimate.estimate_training(
                asked, model, Resources(), machine_capacity.capacity_per_worker(asked, Resources(), folder), work
            ).fits_memory
            is not False
        ):
            return asked
    return None


def hallmark_steps(folder: Path, name: str, device: str) -> Iterator[tuple[int, float]]:
    """Yield the tokens of each step, and the seconds that it would take at an MFU of 1; 0 if they are not known."""
    from torch import distributed

    from tasks.stages.train import loop
    from tasks.stages.train.job import Job
    from tasks.stages.train.measurement.utilisation import Utilisation
    from tasks.stages.train.rows import examples
    from tasks.stages.train.rows.order import RowOrder

    asked = settings(folder, name, device)
    os.environ.update(RANK="0", WORLD_SIZE="1", LOCAL_RANK="0", LOCAL_WORLD_SIZE="1")
    meeting = f"file://{folder}/meeting-{os.getpid()}"
    distributed.init_process_group("nccl" if device == "gpu" else "gloo", init_method=meeting, rank=0, world_size=1)
    job = Job(asked, folder / "model", folder / "rows", folder, folder, folder)
    loop.set_up_torch(asked)
    engine, order, effort = (
        loop.load_engine(job, None),
        RowOrder(examples.map_examples(job.rows), asked),
        Utilisation(job),
    )
    for number in range(order.step_count):
        point = loop.take_step(engine, order, number)
        yield int(point["tokens"]), effort.measure_step(order, number, 1.0).get("mfu", 0.0)


def trl(folder: Path, packing: bool, device: str) -> Iterator[tuple[int, float]]:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    from benchmarks.training_speed import trainer_steps
    from tasks.stages.train.rows import examples

    read = examples.map_examples(folder / "rows")
    rows = [
        {
            "input_ids": read.row_tokens(at).tolist(),
            "completion_mask": [int(it >= read.target_starts[at]) for it in range(length)],
        }
        for at, length in enumerate(read.row_lengths().tolist())
    ]
    together, most = (
        8,
        longest(folder),
    )  # rows per pass, with eight passes per step; packed rows are four times as long as the longest row
    asked = SFTConfig(
        output_dir=str(folder / f"trl-{packing}"), per_device_train_batch_size=1 if packing else together,
        gradient_accumulation_steps=4 if packing else BATCH // together, packing=packing,
        max_length=4 * most if packing else most, bf16=True, use_cpu=device == "cpu", max_steps=100_000,
        learning_rate=1e-5, report_to=[], save_strategy="no", logging_strategy="no", completion_only_loss=True,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.bfloat16)

    def make(dataset: Any, callbacks: list[Any]) -> Any:
        return SFTTrainer(
            model=model, args=asked, train_dataset=dataset, callbacks=callbacks,
            processing_class=AutoTokenizer.from_pretrained(folder / "model"),
            peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
        )  # fmt: skip

    def lengths(inputs: Any) -> int:
        there = inputs["attention_mask"].sum() if "attention_mask" in inputs else inputs["input_ids"].numel()
        return int(there)

    for tokens in trainer_steps(make, Dataset.from_list(rows), lengths):
        yield tokens, 0.0


def contender(folder: Path, name: str, device: str, rounds: int, per_round: int) -> None:
    steps = hallmark_steps(folder, name, device) if name in OURS else trl(folder, name == "trl-pack", device)
    for _ in range(WARM_UP_STEPS):
        next(steps)
    for _ in range(rounds):
        began = time.perf_counter()
        taken = [next(steps) for _ in range(per_round)]
        seconds = time.perf_counter() - began
        print(json.dumps([sum(part) / seconds for part in zip(*taken, strict=True)]), flush=True)


@dataclass(frozen=True)
class Figures:
    """Medians of the rounds of a contender."""

    tokens_per_second: float
    mfu: float
    """Model FLOPs utilisation; 0 if the peak of the device is not known."""
    settings: Mapping[str, Any]
    """Settings that were chosen here; empty for a peer."""


def measure(folder: Path, names: list[str], given: argparse.Namespace) -> dict[str, Figures]:
    """Return the figures of the contenders that fit and do not fail."""
    from tasks.core.params.training import Training
    from tasks.stages.train.model.builders import build_worker_spec

    environment = os.environ | build_worker_spec(Training(device=given.device)).environment | {
        "PYTHONPATH": f"{ROOT}:{folder / 'trl'}", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "hf"),
        "PYTHONWARNINGS": "ignore",
    }  # fmt: skip
    figures: dict[str, Figures] = {}
    for name in names:
        chosen = settings(folder, name, given.device) if name in OURS else None
        if name in OURS and chosen is None:
            print(f"{name}: left out, it does not fit", flush=True)
            continue
        rounds, error = _rounds(folder, name, given, environment)
        if len(rounds) != given.rounds:
            print(f"{name}: failed\n{error[-2000:]}", flush=True)
            continue
        speed, mfu = (statistics.median(part) for part in zip(*rounds, strict=True))
        kept = {key: getattr(chosen, key) for key in ("gradient_checkpointing", "zero_stage")} if chosen else {}
        figures[name] = Figures(speed, mfu, kept)
        print(f"{name}: {speed:,.0f} tokens/s{f', MFU {mfu:.1%}' if mfu else ''} {kept or ''}", flush=True)
    return figures


def _rounds(
    folder: Path, name: str, given: argparse.Namespace, environment: Mapping[str, str]
) -> tuple[list[list[float]], str]:
    command = [sys.executable, __file__, "--contender", name, "--folder", str(folder), "--device", given.device,
               "--rounds", str(given.rounds), "--steps", str(given.steps)]  # fmt: skip
    try:
        ended = subprocess.run(
            command, env=environment, text=True, capture_output=True, timeout=CONTENDER_TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return [], f"it took longer than {CONTENDER_TIMEOUT_SECONDS:.0f} s"
    return [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("[")], ended.stderr


def report(figures: Mapping[str, Figures]) -> list[dict[str, Any]]:
    lines = []
    for name, it in figures.items():
        row = {"metric": name, "tokens_per_second": round(it.tokens_per_second, 1), "mfu": round(it.mfu, 4)} | {
            "settings": dict(it.settings)
        }
        if it.mfu and name in MFU_GOALS:
            row |= {"mfu_goal": MFU_GOALS[name], "mfu_met": it.mfu >= MFU_GOALS[name]}
        if name in PEERS | {"padded": ""} and "lora" in figures:
            goal = PACKING_GOAL if name == "padded" else 1.0
            ratio = figures["lora"].tokens_per_second / it.tokens_per_second
            row |= {"lora_over_it": round(ratio, 3), "goal": goal, "met": ratio >= goal}
        lines.append(row)
    return lines


def device_name(device: str) -> str:
    """Return the name of the device. Exit with 3 if there is no GPU."""
    import torch

    if device == "cpu":
        return "cpu"
    if not torch.cuda.is_available():
        print("there is no GPU here: nothing was measured")
        raise SystemExit(3)
    return str(torch.cuda.get_device_name())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4, help="optimizer steps a round")
    parser.add_argument("--shape", choices=list(SHAPES), default="7b")
    parser.add_argument("--device", choices=["gpu", "cpu"], default="gpu")
    parser.add_argument("--only", default=",".join([*OURS, *PEERS]), help="contenders")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "training_gpu.json")
    for part in ("--contender", "--folder"):
        parser.add_argument(part, help=argparse.SUPPRESS)
    given = parser.parse_args()
    os.environ.pop("RAY_ADDRESS", None)  # preflight must take the memory of this machine, not of a cluster
    if given.contender == MODEL:
        make_model(Path(given.folder), given.shape, given.device)
        return
    if given.contender:
        contender(Path(given.folder), given.contender, given.device, given.rounds, given.steps)
        return
    name, names = device_name(given.device), given.only.split(",")
    if unknown := [each for each in names if each not in OURS | PEERS]:
        parser.error(f"--only: no contender {', '.join(unknown)}; there are {', '.join(OURS | PEERS)}")
    from benchmarks import step_time, training_speed

    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside)
        if any(each in PEERS for each in names):
            training_speed.fetch_trl(folder / "trl")
        making = [sys.executable, __file__, "--contender", MODEL, "--folder", str(folder / "model")]
        subprocess.run([*making, "--device", given.device, "--shape", given.shape], check=True)
        make_rows(folder / "rows", given.shape)
        lines = report(measure(folder, names, given))
    for row in lines:
        goals = "".join(
            f"  {what} {row[figure]:.2f}, goal {row[goal]:g} {'met' if row[met] else 'NOT met'}"
            for what, figure, goal, met in (
                ("MFU", "mfu", "mfu_goal", "mfu_met"), ("lora over it", "lora_over_it", "goal", "met"),
            )
            if goal in row
        )  # fmt: skip
        print(f"{row['metric']:<9} {row['tokens_per_second']:>10,.0f} tokens/s{goals}")
    if given.device == "gpu":
        given.out.parent.mkdir(parents=True, exist_ok=True)
        machine = step_time.machine(2) | {"device": name, "shape": given.shape, "rounds": given.rounds}
        given.out.write_text(json.dumps([row | machine for row in lines], indent=2) + "\n")
    if len(lines) != len(names):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
