"""Verification of releases: detection of 10,000 changed bytes, and time compared with hashing alone.

    python benchmarks/release_verification.py [--changes 10000] [--out benchmarks/results/release_verification.json]

Each change is of a single byte: half of them at a random place of a random file, half at a random place of all bytes. A
tenth as many changes remove, add or replace a file. The time is that for a bundle with the LoRA adapter of a
135M-parameter model, rank 16 on every linear layer, 19.5 MB. The peer is OpenSSF Model Signing's own verification,
which covers only the payload.
"""

import argparse
import contextlib
import hashlib
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from model_signing import verifying
from safetensors.numpy import save

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tasks.registry.verify import verification  # noqa: E402
from tests.registry.house import copy, found  # noqa: E402

GOAL_SECONDS = 2.0
REPETITIONS = 5
PEER_CHANGES = 500
LAYERS, RANK = 30, 16
LAYER_SIZES = {"q": (576, 576), "k": (576, 192), "v": (576, 192), "o": (576, 576), "gate": (576, 1536),
               "up": (576, 1536), "down": (1536, 576)}  # fmt: skip
"""Linear layers of SmolLM2-135M: numbers of inputs and outputs."""
Accepts = Callable[[Path], bool]
Change = Callable[[Path, list[Path], random.Random, Accepts], str]


def adapter(layers: int) -> bytes:
    choose = np.random.default_rng(1)
    tensors = {}
    for layer in range(layers):
        for name, (inputs, outputs) in LAYER_SIZES.items():
            tensors[f"{layer}.{name}.lora_A.weight"] = choose.standard_normal((RANK, inputs), np.float32)
            tensors[f"{layer}.{name}.lora_B.weight"] = choose.standard_normal((outputs, RANK), np.float32)
    return save(tensors)


def release(root: Path, weights: bytes) -> tuple[Path, str]:
    """Make a release that passed its gates and was promoted.

    Returns:
        The folder of a copy, and the fingerprint of the root key that verifies it.
    """
    house = found(root)
    made = house.release("run-1", weights)
    return copy(Path(made.bundle), root / "outside"), house.root_of_trust


def by_hallmark(root: str) -> Accepts:
    return lambda folder: verification.verify_from_root(folder, root).verdict == "valid"


def by_model_signing(folder: Path) -> bool:
    attestations = folder / "attestations"
    try:
        config = verifying.Config().use_elliptic_key_verifier(public_key=attestations / "model-signing.pub")
        config.verify(folder / "payload", attestations / "model.sig")
    except Exception:  # model_signing does not document the errors that it raises
        return False
    return True


def accepts_flip(folder: Path, names: list[Path], choose: random.Random, accepts: Accepts) -> str:
    """Change one byte, verify, and change it back. Return a description if the change was accepted; otherwise empty."""
    weights = [path.stat().st_size for path in names]
    path = choose.choices(names, weights)[0] if choose.random() < 0.5 else choose.choice(names)
    place, change = choose.randrange(path.stat().st_size), choose.randrange(1, 256)
    with path.open("r+b") as file:
        file.seek(place)
        before = file.read(1)
        file.seek(place)
        file.write(bytes([before[0] ^ change]))
        file.flush()
        passed = accepts(folder)
        file.seek(place)
        file.write(before)
    return f"{path.relative_to(folder)}, byte {place}: {before[0] ^ change:#04x}" if passed else ""


def accepts_file_change(folder: Path, names: list[Path], choose: random.Random, accepts: Accepts) -> str:
    """Remove, add or replace a file, verify, and undo it. Return a description if the change was accepted."""
    path, other = choose.sample(names, 2)
    kind = choose.choice(["taken away", "added", "exchanged"])
    aside, extra = folder.parent / "aside", path.with_name(f"{path.stem}-{choose.randrange(100)}{path.suffix}")
    if kind == "added":
        shutil.copyfile(other, extra)
    else:
        path.rename(aside)
        if kind == "exchanged":
            shutil.copyfile(other, path)
    same = kind == "exchanged" and path.read_bytes() == aside.read_bytes()
    passed = not same and accepts(folder)
    if kind == "added":
        extra.unlink()
    else:
        aside.replace(path)
    return f"{path.relative_to(folder)} {kind}" if passed else ""


def accepted(folder: Path, change: Change, times: int, accepts: Accepts) -> list[str]:
    choose = random.Random(17)
    names = sorted(path for path in folder.rglob("*") if path.is_file())
    assert accepts(folder), "the release does not verify before anything was changed"
    texts = [change(folder, names, choose, accepts) for _ in range(times)]
    assert accepts(folder), "the release does not verify after every change was undone"
    return [text for text in texts if text]


def seconds(do: Callable[[], Any]) -> float:
    taken = []
    for _ in range(REPETITIONS):
        began = time.perf_counter()
        do()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def hash_all(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                hashlib.file_digest(file, "sha256")


def timings(folder: Path, root: str) -> list[dict[str, Any]]:
    """Measure verification as a whole command and in this process, each minus the time of hashing."""
    hashing = seconds(lambda: hash_all(folder))
    command = [sys.executable, "-m", "infra.cli", "releases", "verify", str(folder), "--root", root]
    key = ["--public_key", str(folder / "attestations" / "model-signing.pub")]
    signature = ["--signature", str(folder / "attestations" / "model.sig")]
    peer = [sys.executable, "-m", "model_signing", "verify", "key", str(folder / "payload"), *signature, *key]

    def run(given: list[str]) -> Callable[[], Any]:
        return lambda: subprocess.run(given, cwd=ROOT, check=True, capture_output=True)

    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    subject = f"a release of {size / 1e6:.1f} MB"
    rows = [
        ("the command, beyond hashing", seconds(run(command)), seconds(run(peer))),
        ("verification in a process, beyond hashing", seconds(lambda: by_hallmark(root)(folder)),
         seconds(lambda: by_model_signing(folder))),
    ]  # fmt: skip
    return [row(f"{what}, {subject}", ours - hashing, peers - hashing, GOAL_SECONDS, "s") for what, ours, peers in rows]


def row(metric: str, ours: float, peer: float, goal: float, unit: str) -> dict[str, Any]:
    return {
        "metric": metric, "ours": round(ours, 4), "peer": "model_signing verify key", "peer_value": round(peer, 4),
        "ratio": round(ours / peer, 4) if peer else None, "goal": goal, "met": ours <= goal, "unit": unit,
    }  # fmt: skip


def measure(root: Path, changes: int) -> list[dict[str, Any]]:
    small, small_root = release(root / "small", adapter(layers=1))
    few = [
        accepted_changes(small, small_root, accepts_flip, changes, "changes of single bytes"),
        accepted_changes(
            small, small_root, accepts_file_change, max(1, changes // 10), "files taken away, added, exchanged"
        ),
    ]
    large, large_root = release(root / "large", adapter(LAYERS))
    return [*few, *timings(large, large_root)]


def accepted_changes(folder: Path, root: str, change: Change, times: int, what: str) -> dict[str, Any]:
    """Measure how many changes are accepted. The peer gets only a part of them, and its result is extrapolated."""
    passed = accepted(folder, change, times, by_hallmark(root))
    for text in passed:
        print(f"ACCEPTED: {text}")
    fewer = min(times, PEER_CHANGES)
    with contextlib.redirect_stdout(None):  # model_signing prints a line for each verification
        by_peer = accepted(folder, change, fewer, by_model_signing)
    return row(f"accepted of {times:,} {what}", len(passed), times * len(by_peer) / fewer, 0, "accepted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "release_verification.json")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        lines = measure(Path(folder), args.changes)
    for line in lines:
        verdict = "met" if line["met"] else "NOT met"
        print(
            f"{line['metric']:<66} {line['ours']:g} {line['unit']}, {line['peer']}: {line['peer_value']:g}  {verdict}"
        )
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps([line | machine for line in lines], indent=2) + "\n")


if __name__ == "__main__":
    main()
