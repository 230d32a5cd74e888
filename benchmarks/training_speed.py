"""Training throughput compared with libraries that users would pick instead.

    python benchmarks/training_speed.py [--rounds 5] [--steps 10] [--rows 480] [--threads 2] [--precision P]
                                        [--only ours,plain]

All contenders have the same rows, model, LoRA and effective batch: rows of BANKING77 (HALLMARK_SHARED, default
../shared), SmolLM2-135M-Instruct, LoRA of rank 16 on all linear layers, bf16 if the processor has instructions for it,
otherwise fp32; 16 rows per step. Each contender is a process of its own, which loads once, takes some steps to warm up,
and then takes `--steps` optimizer steps in each round, in turns with the others. The speed is the number of tokens in
the rows, without padding, divided by the seconds of the steps. The figures are its median over the rounds, and the
median of the ratios.

    ours     the loop of stages/train, with DeepSpeed, in the layout that `auto` chooses on this device
    packed   the same with training.layout packed
    compiled the same with training.kernels compiled
    trl      TRL's SFTTrainer at its defaults except for the batch: completion-only loss, gradient checkpointing
    trl-pack the same with packing
    grouped  transformers' Trainer, batches grouped by length
    plain    a loop of forward, backward, clip and AdamW over length-sorted batches, with transformers' own loss

TRL is fetched from the package index into a folder of its own. Without an index the script exits with 3, unless
`--only` leaves TRL out.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
BATCH = 16
WARM_UP_STEPS = 3
OURS = {"ours": "", "packed": "training.layout packed", "compiled": "training.kernels compiled"}
"""Contenders of Hallmark, each with the setting that differs from the default."""
PEERS = {
    "trl": ("TRL's SFTTrainer at its defaults", 2.5),
    "trl-pack": ("TRL's SFTTrainer with packing", 2.5),
    "grouped": ("transformers' Trainer, grouped by length", 1.5),
    "plain": ("plain loop of length-sorted batches", 1.3),
}
"""Peers, each with its description and the minimum ratio of Hallmark's speed to its speed."""
SYSTEM = "Intent"
FETCHED = ("trl==1.16.0", "datasets", "dill", "multiprocess", "xxhash")


def banking77(count: int) -> list[dict[str, Any]]:
    """Return records of BANKING77 as stage `split` writes them."""
    file = Path(os.environ.get("HALLMARK_SHARED", ROOT.parent / "shared")) / "data" / "banking77" / "train.csv"
    if not file.is_file():
        print(f"{file} is not there; set HALLMARK_SHARED to the folder that holds data/banking77")
        raise SystemExit(3)
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    step = max(1, len(rows) // count)
    return [{"task": "t", "messages": turns(row["text"], row["category"])} for row in rows[::step][:count]]


def turns(text: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]


def training(**changes: Any) -> Any:
    from tasks.core.params.training import Training

    return Training(global_batch_size=BATCH, precision=precision(), learning_rate=1e-3,
                    threads=int(os.environ["OMP_NUM_THREADS"]), epochs=1000, **changes)  # fmt: skip


def precision() -> str:
    return os.environ["TRAINING_SPEED_PRECISION"]


def dtype() -> Any:
    import torch

    return {"bf16": torch.bfloat16, "fp32": torch.float32}[precision()]


def serve(steps: Iterator[int], per_round: int) -> None:
    """Take `per_round` steps for each line on stdin, and print their tokens and seconds."""
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    for _ in range(WARM_UP_STEPS):
        next(steps)
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        tokens = sum(next(steps) for _ in range(per_round))
        print(json.dumps([tokens, time.perf_counter() - began]), flush=True)


def hallmark_steps(folder: Path, **changes: str) -> Iterator[int]:
    """Take steps of the loop of stages/train, yielding the tokens of each."""
    from torch import distributed

    from tasks.stages.train import loop
    from tasks.stages.train.job import Job
    from tasks.stages.train.model import engine as engines
    from tasks.stages.train.rows import examples
    from tasks.stages.train.rows.order import RowOrder

    os.environ.update(RANK="0", WORLD_SIZE="1", LOCAL_RANK="0", LOCAL_WORLD_SIZE="1")
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting-{os.getpid()}", rank=0, world_size=1)
    job = Job(training(**changes), folder / "model", folder / "rows", folder, folder, folder)
    engine, order = engines.create_engine(job), RowOrder(examples.map_examples(job.rows), job.training)
    for number in range(order.step_count):
        yield int(loop.take_step(engine, order, number)["tokens"])


def plain_steps(folder: Path) -> Iterator[int]:
    """Take steps of a plain loop with rows sorted by length, yielding the tokens of each."""
    import torch
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    from tasks.core.params.training_methods import lora
    from tasks.stages.train.rows import examples

    rows = examples.map_examples(folder / "rows")
    model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=dtype())
    model = get_peft_model(model, lora.build_lora_config(training(), {})).train()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-3)
    order = sorted(range(len(rows)), key=lambda row: rows.row_lengths([row])[0])
    while True:
        for start in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            ids = [torch.from_numpy(rows.row_tokens(row)) for row in chosen]
            tokens = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True)
            labels = torch.full_like(tokens, -100)
            for place, row in enumerate(chosen):
                labels[place, int(rows.target_starts[row]) : len(ids[place])] = ids[place][
                    int(rows.target_starts[row]) :
                ]
            mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(it) for it in ids], batch_first=True)
            loss = model(input_ids=tokens, attention_mask=mask, labels=labels, use_cache=False).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            loss.item()
            yield int(mask.sum())


def trainer_steps(make: Callable[[Any, list[Any]], Any], dataset: Any, lengths: Callable[[Any], int]) -> Iterator[int]:
    """Take steps of a trainer of transformers, yielding the tokens of each.

    The trainer runs in a thread and waits before each step. Raises what the trainer raises.
    """
    import threading

    from transformers import TrainerCallback

    go, done, seen = threading.Semaphore(0), threading.Semaphore(0), [0]

    class Turns(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            go.acquire()
            seen[0] = 0

        def on_step_end(self, *_: Any, **__: Any) -> None:
            done.release()

    trainer = make(dataset, [Turns()])
    compute = trainer.compute_loss

    def counted(model: Any, inputs: Any, *given: Any, **named: Any) -> Any:
        seen[0] += lengths(inputs)
        return compute(model, inputs, *given, **named)

    trainer.compute_loss = counted
    failed: list[BaseException] = []

    def train() -> None:
        try:
            trainer.train()
        except BaseException as error:
            failed.append(error)
        done.release()

    threading.Thread(target=train, daemon=True).start()
    while True:
        go.release()
        done.acquire()
        if failed:
            raise failed[0]
        yield seen[0]


def trl_steps(folder: Path, packing: bool) -> Iterator[int]:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    rows = json.loads((folder / "records.json").read_text())
    prompted = [
        {"prompt": [{"role": "system", "content": SYSTEM}, row["messages"][0]], "completion": [row["messages"][1]]}
        for row in rows
    ]
    settings = SFTConfig(
        output_dir=str(folder / f"trl-{packing}"), per_device_train_batch_size=1 if packing else BATCH, packing=packing,
        bf16=precision() == "bf16", use_cpu=True, max_steps=100_000, learning_rate=1e-3, report_to=[],
        save_strategy="no", logging_strategy="no", max_length=BATCH * 60 if packing else 1024,
        dataloader_pin_memory=False,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=dtype())

    def make(dataset: Any, callbacks: list[Any]) -> Any:
        return SFTTrainer(
            model=model, args=settings, train_dataset=dataset, callbacks=callbacks,
            peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
        )  # fmt: skip

    def lengths(inputs: Any) -> int:
        if "attention_mask" in inputs:
            return int(inputs["attention_mask"].sum())
        return int(inputs["input_ids"].numel())

    yield from trainer_steps(make, Dataset.from_list(prompted), lengths)


def grouped_steps(folder: Path) -> Iterator[int]:
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer, DataCollatorForSeq2Seq, Trainer, TrainingArguments

    from tasks.core.params.training_methods import lora
    from tasks.stages.train.rows import examples

    rows = examples.map_examples(folder / "rows")
    dataset = [
        {
            "input_ids": (ids := rows.row_tokens(row).tolist()),
            "attention_mask": [1] * len(ids),
            "labels": [-100] * int(rows.target_starts[row]) + ids[int(rows.target_starts[row]) :],
        }
        for row in range(len(rows))
    ]
    model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=dtype())
    model = get_peft_model(model, lora.build_lora_config(training(), {}))
    settings = TrainingArguments(
        output_dir=str(folder / "grouped"), per_device_train_batch_size=BATCH, bf16=precision() == "bf16", use_cpu=True,
        train_sampling_strategy="group_by_length", max_steps=100_000, learning_rate=1e-3, report_to=[],
        save_strategy="no", logging_strategy="no", dataloader_pin_memory=False, remove_unused_columns=False,
    )  # fmt: skip
    collator = DataCollatorForSeq2Seq(AutoTokenizer.from_pretrained(folder / "model"), padding=True)

    def make(dataset: Any, callbacks: list[Any]) -> Any:
        return Trainer(model=model, args=settings, train_dataset=dataset, callbacks=callbacks, data_collator=collator)

    yield from trainer_steps(make, dataset, lambda inputs: int(inputs["attention_mask"].sum()))


def contender(name: str, folder: Path, per_round: int) -> None:
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    steps = {
        "ours": lambda: hallmark_steps(folder),
        "packed": lambda: hallmark_steps(folder, layout="packed"),
        "compiled": lambda: hallmark_steps(folder, kernels="compiled"),
        "plain": lambda: plain_steps(folder),
        "grouped": lambda: grouped_steps(folder),
        "trl": lambda: trl_steps(folder, packing=False),
        "trl-pack": lambda: trl_steps(folder, packing=True),
    }[name]
    serve(steps(), per_round)


def fetch_trl(folder: Path) -> None:
    """Fetch TRL and those of its dependencies that are not installed. Exit with 3 if there is no package index."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *FETCHED]
    if subprocess.run(command).returncode != 0:
        print("TRL cannot be fetched; the comparison needs a package index")
        raise SystemExit(3)


def measure(folder: Path, per_round: int, rounds: int, threads: int, names: list[str]) -> dict[str, list[float]]:
    from tasks.stages.train.model.builders import build_worker_spec

    environment = os.environ | build_worker_spec(training()).environment | {
        "OMP_NUM_THREADS": str(threads), "PYTHONPATH": f"{ROOT}:{folder / 'trl'}", "HF_DATASETS_OFFLINE": "1",
        "HF_HOME": str(folder / "hf"), "PYTHONWARNINGS": "ignore",
    }  # fmt: skip
    speeds: dict[str, list[float]] = {name: [] for name in names}
    processes = {}
    try:
        for name in names:  # one after the other, since loading uses both cores
            command = [
                sys.executable,
                __file__,
                "--contender",
                name,
                "--folder",
                str(folder),
                "--steps",
                str(per_round),
            ]
            with (folder / f"{name}.log").open("w") as log:
                processes[name] = subprocess.Popen(
                    command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
                )
            if read_answer(processes[name]) != "ready":
                raise RuntimeError(f"{name} did not start:\n{(folder / f'{name}.log').read_text()[-2000:]}")
        for number in range(1, rounds + 1):
            for name, process in processes.items():
                print("go", file=process.stdin, flush=True)
                tokens, seconds = json.loads(read_answer(process))
                speeds[name].append(tokens / seconds)
            told = "  ".join(f"{name} {values[-1]:.0f}" for name, values in speeds.items())
            print(f"round {number} of {rounds}, tokens/s: {told}", flush=True)
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()
    return speeds


def read_answer(process: "subprocess.Popen[str]") -> str:
    """Return the next line of the protocol, skipping lines that libraries print."""
    assert process.stdout
    for line in process.stdout:
        if line.startswith(("ready", "[")):
            return line.strip()
    return ""


def report(speeds: dict[str, list[float]], machine: dict[str, Any]) -> list[dict[str, Any]]:
    lines = []
    for name, (words, goal) in PEERS.items():
        if name in speeds:
            ratio = statistics.median(ours / peer for ours, peer in zip(speeds["ours"], speeds[name], strict=True))
            lines.append(line("real tokens per second", speeds["ours"], words, speeds[name], ratio, goal))
    for name, words in OURS.items():
        if words and name in speeds:
            ratio = statistics.median(ours / other for ours, other in zip(speeds["ours"], speeds[name], strict=True))
            lines.append(line("defaults against others", speeds["ours"], words, speeds[name], ratio, 1.0))
    return [each | machine | {"precision": precision()} for each in lines]


def line(metric: str, ours: list[float], peer: str, others: list[float], ratio: float, goal: float) -> dict[str, Any]:
    return {
        "metric": metric, "ours": round(statistics.median(ours), 1), "peer": peer,
        "peer_value": round(statistics.median(others), 1), "ratio": round(ratio, 3), "goal": goal,
        "met": ratio >= goal, "unit": "tokens/s",
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="optimizer steps a round")
    parser.add_argument("--rows", type=int, default=480, help="of BANKING77, evenly drawn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "training_speed.json")
    parser.add_argument("--precision", choices=["bf16", "fp32"])
    parser.add_argument("--only", default=",".join([*OURS, *PEERS]), help="contenders, of which ours has to be one")
    for part in ("--contender", "--folder"):
        parser.add_argument(part, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.contender:
        contender(given.contender, Path(given.folder), given.steps)
        return
    os.environ.setdefault("OMP_NUM_THREADS", str(given.threads))
    from benchmarks import step_time
    from tasks.core.machine import processor

    os.environ["TRAINING_SPEED_PRECISION"] = given.precision or ("bf16" if processor.has_bf16() else "fp32")
    print(f"in {precision()}", flush=True)
    with tempfile.TemporaryDirectory() as aside:
        folder, rows, names = Path(aside), banking77(given.rows), given.only.split(",")
        if any(name.startswith("trl") for name in names):
            fetch_trl(folder / "trl")
        prepare(folder, rows)
        speeds = measure(folder, given.steps, given.rounds, given.threads, names)
    lines = report(speeds, step_time.machine(given.threads))
    for row in lines:
        print(f"{row['metric']:<24} {row['ours']:>7.0f}  {row['peer']}: {row['peer_value']:.0f}  "
              f"ratio {row['ratio']:.2f}, goal {row['goal']:g}  {'met' if row['met'] else 'NOT met'}")  # fmt: skip
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(lines, indent=2) + "\n")


def prepare(folder: Path, rows: list[dict[str, Any]]) -> None:
    from transformers import AutoTokenizer

    from benchmarks import step_time
    from tasks.core.params.prompts import Prompt
    from tasks.core.records.prompts import split_context_and_target
    from tasks.core.records.rendering import stop_token_ids, tokenise_conversation
    from tasks.stages.train.rows.examples import ExampleWriter, TokensOrigin

    model = step_time.base_model(folder)
    if model != folder / "model":
        (folder / "model").symlink_to(model)
    (folder / "records.json").write_text(json.dumps(rows))
    (folder / "rows").mkdir()
    tokenizer, prompts = AutoTokenizer.from_pretrained(model), {"t": Prompt(system=SYSTEM)}
    with ExampleWriter(folder / "rows", len(tokenizer)) as writer:
        for row in rows:
            writer.add(
                tokenise_conversation(
                    *split_context_and_target(row, prompts), tokenizer, stop_token_ids(tokenizer, model)
                )
            )
        writer.finish(TokensOrigin(data="", validation="", prompts="", model=""))


if __name__ == "__main__":
    main()
