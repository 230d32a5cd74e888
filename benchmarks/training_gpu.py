"""Training on a GPU: how much of the device it uses, and against what a user would pick instead, on the same rows.

    python benchmarks/training_gpu.py [--rounds 3] [--steps 4] [--shape 7b] [--only lora,padded]

The model has the shape of Llama 2 7B (arXiv:2307.09288) and random weights, since what it answers does not count here.
Rows are made up, their lengths like those of instructions: log-normal, half of them below 300 tokens; 64 a step; bf16.
Contenders go one after the other, each in a process of its own, and warm up for some steps. Told are medians of rounds.

    lora      LoRA of rank 16 on all linear layers, layout packed
    padded    the same with layout padded
    full      full fine-tuning
    qlora     LoRA over a base model in 4 bits
    offload   full fine-tuning with ZeRO 3, its weights and its optimizer in the machine's memory
    trl       TRL's SFTTrainer with the same LoRA, at its defaults but for the batch
    trl-pack  the same with packing

Ours keep all activations where preflight says that they fit, else each layer's input alone. What does not fit then is
left out and named. MFU is model FLOPs utilisation as in `preflight/operations.py`: what is computed twice counts once.
torchtune is not compared: its development ended in July 2025 (meta-pytorch/torchtune, issue 2883).

Without a GPU it exits with 3. `--device cpu --shape tiny` runs its code where there is none, and proves no speed.
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
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
ROWS = 4096
BATCH = 64
WARM = 2
"""Steps that do not count."""
MEDIAN, SPREAD, SHORTEST, LONGEST = 300, 0.8, 32, 2048
"""Of the lengths, in tokens; the spread is that of their logarithm."""
SHAPES: Mapping[str, Mapping[str, int]] = {
    "7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32},
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4},
}
FULL = {"method": "full", "lora_rank": None, "lora_alpha": None}
OURS: Mapping[str, Mapping[str, Any]] = {
    "lora": {},
    "padded": {"layout": "padded"},
    "full": FULL,
    "qlora": {"method": "qlora"},
    "offload": FULL | {"zero_stage": 3, "offload": "cpu"},
}
PEERS = {"trl": "TRL's SFTTrainer at its defaults", "trl-pack": "TRL's SFTTrainer with packing"}
MFU = 0.45
"""Asked of `lora` and `full`."""
PACKING = 2.0
"""Asked of `lora` over `padded`."""


def make_model(folder: Path, shape: str, device: str) -> None:
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


def make_rows(folder: Path) -> None:
    """A third of each row is its answer."""
    import numpy as np

    from tasks.stages.train.rows.examples import Origin, Writer
    from tasks.stages.train.rows.rendering import Example

    drawn = np.random.default_rng(1)
    lengths = np.clip(drawn.lognormal(np.log(MEDIAN), SPREAD, ROWS), SHORTEST, LONGEST).astype(int)
    folder.mkdir()
    with Writer(folder, 32_000) as writer:
        for length in lengths.tolist():
            writer.add(Example(drawn.integers(300, 32_000, length).tolist(), length - length // 3))
        writer.finish(Origin(data="", validation="", prompts="", model=""))


def settings(folder: Path, name: str, device: str) -> Any:
    """Of one of ours, as it fits by preflight; None where it does not."""
    from tasks.core.params.resources import Resources
    from tasks.core.params.training import Training
    from tasks.stages.train.preflight import estimate, room, shape, workload

    for checkpointing in (False, True):
        asked = Training.model_validate(
            {"global_batch_size": BATCH, "micro_batch_tokens": 8192, "max_length": LONGEST, "epochs": 1000,
             "learning_rate": 1e-5, "precision": "bf16", "device": device, "layout": "packed",
             "gradient_checkpointing": checkpointing} | OURS[name]
        )  # fmt: skip
        work, model = workload.of(folder / "rows", asked, None), shape.read(folder / "model")
        if estimate.of(asked, model, Resources(), room.of(asked, Resources(), folder), work).fits:
            return asked
    return None


def own(folder: Path, name: str, device: str) -> Iterator[tuple[int, float | None]]:
    """Tokens and MFU of each step."""
    from torch import distributed

    from tasks.stages.train import loop
    from tasks.stages.train.effort import Effort
    from tasks.stages.train.job import Job
    from tasks.stages.train.rows import examples
    from tasks.stages.train.rows.order import Order

    asked = settings(folder, name, device)
    os.environ.update(RANK="0", WORLD_SIZE="1", LOCAL_RANK="0", LOCAL_WORLD_SIZE="1")
    meeting = f"file://{folder}/meeting-{os.getpid()}"
    distributed.init_process_group("nccl" if device == "gpu" else "gloo", init_method=meeting, rank=0, world_size=1)
    job = Job(asked, folder / "model", folder / "rows", folder, folder, folder)
    loop.prepare(asked)
    engine, order, effort = loop.loaded(job, None), Order(examples.read(job.rows), asked), Effort(job)
    for number in range(order.steps):
        began = time.perf_counter()
        point = loop.take_step(engine, order, number)
        yield int(point["tokens"]), effort.of(order, number, time.perf_counter() - began).get("mfu")


def trl(folder: Path, packing: bool, device: str) -> Iterator[tuple[int, None]]:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    from benchmarks.training_speed import in_turns
    from tasks.stages.train.rows import examples

    read = examples.read(folder / "rows")
    rows = [
        {"input_ids": read.row(at).tolist(), "completion_mask": [int(it >= read.starts[at]) for it in range(length)]}
        for at, length in enumerate(read.lengths().tolist())
    ]
    together = 8  # rows a pass, of eight passes a step; packed rows are four times as long as the longest
    asked = SFTConfig(
        output_dir=str(folder / f"trl-{packing}"), per_device_train_batch_size=1 if packing else together,
        gradient_accumulation_steps=4 if packing else BATCH // together, packing=packing,
        max_length=4 * LONGEST if packing else LONGEST, bf16=True, use_cpu=device == "cpu", max_steps=100_000,
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

    for tokens in in_turns(make, Dataset.from_list(rows), lengths):
        yield tokens, None


def contender(folder: Path, name: str, device: str, rounds: int, per_round: int) -> None:
    """`--contender NAME`: what the processes do. Prints tokens a second and MFU of each round."""
    steps = own(folder, name, device) if name in OURS else trl(folder, name == "trl-pack", device)
    for _ in range(WARM):
        next(steps)
    for _ in range(rounds):
        began, tokens, used = time.perf_counter(), 0, []
        for _ in range(per_round):
            more, mfu = next(steps)
            tokens, used = tokens + more, [*used, mfu]
        known = [mfu for mfu in used if mfu is not None]
        speed = tokens / (time.perf_counter() - began)
        print(json.dumps([speed, statistics.mean(known) if known else None]), flush=True)


def measure(folder: Path, names: list[str], given: argparse.Namespace) -> dict[str, tuple[float, float | None]]:
    """Tokens a second and MFU of each, medians of rounds; without those that do not fit or fail."""
    from tasks.core.params.training import Training
    from tasks.stages.train.builders import crew

    environment = os.environ | crew(Training(device=given.device)).environment | {
        "PYTHONPATH": f"{ROOT}:{folder / 'trl'}", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "hf"),
        "PYTHONWARNINGS": "ignore",
    }  # fmt: skip
    told: dict[str, tuple[float, float | None]] = {}
    for name in names:
        if name in OURS and settings(folder, name, given.device) is None:
            print(f"{name}: left out, it does not fit", flush=True)
            continue
        command = [sys.executable, __file__, "--contender", name, "--folder", str(folder), "--device", given.device,
                   "--rounds", str(given.rounds), "--steps", str(given.steps)]  # fmt: skip
        ended = subprocess.run(command, env=environment, text=True, capture_output=True)
        rounds = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("[")]
        if ended.returncode or len(rounds) != given.rounds:
            print(f"{name}: failed\n{ended.stderr[-2000:]}", flush=True)
            continue
        used = [mfu for _, mfu in rounds if mfu is not None]
        told[name] = statistics.median(speed for speed, _ in rounds), statistics.median(used) if used else None
        share = "" if told[name][1] is None else f", MFU {told[name][1]:.1%}"
        print(f"{name}: {told[name][0]:,.0f} tokens/s{share}", flush=True)
    return told


def report(told: Mapping[str, tuple[float, float | None]]) -> list[dict[str, Any]]:
    lines = []
    for name in ("lora", "full"):
        if name in told and told[name][1] is not None:
            lines.append(line(f"MFU of {name}", told[name][1], "the device's data sheet", 1.0, told[name][1], MFU))
    asked = {"padded": ("packed over padded", PACKING), **{peer: (words, 1.0) for peer, words in PEERS.items()}}
    for name, (words, goal) in asked.items():
        if name in told and "lora" in told:
            ours, theirs = told["lora"][0], told[name][0]
            lines.append(line("tokens per second", ours, words, theirs, ours / theirs, goal))
    return lines


def line(metric: str, ours: Any, peer: str, other: float, ratio: Any, goal: float) -> dict[str, Any]:
    return {"metric": metric, "ours": round(ours, 3), "peer": peer, "peer_value": round(other, 3),
            "ratio": round(ratio, 3), "goal": goal, "met": ratio >= goal}  # fmt: skip


def device_name(device: str) -> str:
    """Exits with 3 where there is no GPU."""
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
    if given.contender:
        contender(Path(given.folder), given.contender, given.device, given.rounds, given.steps)
        return
    name, names = device_name(given.device), given.only.split(",")
    from benchmarks import step_time, training_speed

    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside)
        if any(each in PEERS for each in names):
            training_speed.fetch(folder / "trl")
        make_model(folder / "model", given.shape, given.device)
        make_rows(folder / "rows")
        lines = report(measure(folder, names, given))
    for row in lines:
        print(f"{row['metric']:<20} {row['ours']:>10,.3f}  {row['peer']}: {row['peer_value']:,.3f}  "
              f"ratio {row['ratio']:.2f}, goal {row['goal']:g}  {'met' if row['met'] else 'NOT met'}")  # fmt: skip
    given.out.parent.mkdir(parents=True, exist_ok=True)
    machine = step_time.machine(2) | {"device": name, "shape": given.shape}
    given.out.write_text(json.dumps([row | machine for row in lines], indent=2) + "\n")


if __name__ == "__main__":
    main()
