"""Cost of appending to the ledger and of verifying a million entries, and detection of tampering.

    python benchmarks/ledger.py [--entries 1000000] [--tamperings 1000] [--out benchmarks/results/ledger.json]

The peers are what users would write instead, on the same disk with the same durability: a plain table without any
protection, and a table in which each row has the hash of the previous one, verified from the first row to the last. A
chain has no short proof of a single entry, so the peer verifies the whole chain there. The benchmark takes about 1 GB
of disk.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import platform
import random
import resource
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.pop("HALLMARK_LEDGER_URL", None)

from tasks.ledger import ledger_verification as ledger_check  # noqa: E402
from tasks.ledger import proof as ledger_proof  # noqa: E402
from tasks.ledger.entry import Row, format_time  # noqa: E402
from tasks.ledger.heads import publication  # noqa: E402
from tasks.ledger.ledger import Ledger, open_ledger  # noqa: E402
from tasks.policy import governance  # noqa: E402
from tasks.policy.governance import Governance  # noqa: E402
from tests.ledger_tampering import KINDS, mend, tamper, unguard  # noqa: E402

APPENDS = 300
CHECKS = 200
PROOFS = 50
TAMPERED_ENTRIES = 200
"""Number of entries of the ledger that is tampered with."""
BODY = {"gate": "data", "sha256": "0" * 64, "state": "passed", "note": "of about the size of most entries"}


class PlainTable:
    name = "a plain SQLite table"

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"):
            self.connection.execute(statement)
        self.connection.execute("CREATE TABLE log (seq INTEGER PRIMARY KEY, time, kind, subject, body, hash)")

    def append(self, kind: str, subject: str, body: dict[str, Any]) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        (last,) = self.connection.execute("SELECT coalesce(max(seq), 0) FROM log").fetchone()
        values = (last + 1, str(time.time()), kind, subject, json.dumps(body), self.mark(last, body))
        self.connection.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)", values)
        self.connection.execute("COMMIT")

    def mark(self, last: int, body: dict[str, Any]) -> str | None:
        return None


class HashChain(PlainTable):
    """Table in which each row has the hash of the previous row."""

    name = "a hash chain"

    def mark(self, last: int, body: dict[str, Any]) -> str:
        before = self.connection.execute("SELECT hash FROM log WHERE seq = ?", (last,)).fetchone()
        return self.link(before[0] if before else "", json.dumps(body))

    def link(self, before: str, body: str) -> str:
        return hashlib.sha256(f"{before}{body}".encode()).hexdigest()

    def fill(self, count: int) -> None:
        def rows() -> Any:
            before = ""
            for seq in range(1, count + 1):
                body = json.dumps({**BODY, "n": seq})
                before = self.link(before, body)
                yield seq, "t", "gate.closed", f"run-{seq}", body, before

        self.connection.execute("BEGIN")
        self.connection.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)", rows())
        self.connection.execute("COMMIT")

    def verify(self) -> None:
        before = ""
        for body, mark in self.connection.execute("SELECT body, hash FROM log ORDER BY seq"):
            before = self.link(before, body)
            assert before == mark


def seconds(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def processor_seconds(act: Callable[[], Any]) -> float:
    """Return the seconds of processor time, which depend little on other work on the machine."""
    began = time.process_time()
    act()
    return time.process_time() - began


def flush_seconds(path: Path) -> float:
    """Return the seconds in which this disk stores one more page of a file, the minimum for any durable append."""
    with path.open("ab") as file:
        file.write(bytes(4096))
        file.flush()
        return seconds(lambda: os.fsync(file.fileno()))


def new_governance(folder: Path) -> Governance:
    loaded = governance.load_governance(ROOT / "infra" / "governance", folder / ".hallmark")
    governance.create_vault_and_keys(loaded.state, loaded.people)
    return loaded


def fill(state: Path, count: int, first: int = 1, kind: str = "gate.closed") -> None:
    """Write entries from number `first` on. The ledger's own append flushes each to disk, which would take an hour."""
    began = time.time()
    connection = sqlite3.connect(state / "ledger.db", isolation_level=None)
    unguard(connection)
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO hallmark_ledger VALUES (?, ?, ?, ?, ?)", rows(first, count, began, kind))
    mend(connection)
    connection.execute("COMMIT")
    connection.close()


def rows(first: int, count: int, began: float, kind: str) -> Any:
    from datetime import UTC, datetime

    for seq in range(first, first + count):
        body = json.dumps({**BODY, "n": seq}, sort_keys=True, separators=(",", ":"))
        yield Row(seq, format_time(datetime.fromtimestamp(began + seq / 1000, UTC)), kind, f"run-{seq}", body)


def appends(folder: Path) -> list[dict[str, Any]]:
    """Measure appends to the ledger and both peers in turns, since the machine may be shared."""
    ledger = open_ledger(folder / "appends")
    plain, chain = PlainTable(folder / "plain.db"), HashChain(folder / "chain.db")
    taken: dict[str, list[float]] = {"ours": [], "flush": [], plain.name: [], chain.name: []}
    for number in range(APPENDS):
        body = {**BODY, "n": number}
        taken["flush"].append(flush_seconds(folder / "flushed"))
        taken["ours"].append(seconds(lambda body=body: ledger.append("gate.closed", "run", body)))
        for peer in (plain, chain):
            taken[peer.name].append(seconds(lambda peer=peer, body=body: peer.append("gate.closed", "run", body)))
    ours = statistics.median(taken["ours"]) * 1000
    processor = (
        processor_seconds(lambda: [ledger.append("gate.closed", "run", BODY) for _ in range(APPENDS)]) / APPENDS * 1000
    )
    return [
        row("append, median", ours, 10, "ms", peer.name, statistics.median(taken[peer.name]) * 1000)
        for peer in (plain, chain)
    ] + [
        row("one page flushed to this disk, median", statistics.median(taken["flush"]) * 1000, None, "ms"),
        row("append, processor time, mean", processor, None, "ms"),
    ]


def verification(folder: Path, entries: int) -> list[dict[str, Any]]:
    settled = new_governance(folder / "many")
    ledger = open_ledger(settled.state)
    fill(settled.state, entries)
    first = seconds(lambda: publication.publish(ledger, settled))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report, processor = None, 0.0

    def verify() -> None:
        nonlocal report
        report = ledger_check.verify_ledger(ledger, settled)

    def verify_counted() -> None:
        nonlocal processor
        processor = processor_seconds(verify)

    ours = seconds(verify_counted)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert report is not None and (report.verdict, report.anchored) == ("holds", entries), report
    chain = HashChain(folder / "many.db")
    chain.fill(entries)
    peer = seconds(chain.verify)
    ledger.append("a", "b", {})
    next_ = seconds(lambda: publication.publish(ledger, settled))
    made = None

    def prove() -> None:
        nonlocal made
        made = ledger_proof.prove_inclusion(ledger, settled, entries // 3)

    proving = seconds(prove)
    wanted = range(1, entries, max(entries // PROOFS, 1))

    def prove_many() -> None:
        prover = ledger_proof.Prover(ledger, settled)
        for seq in wanted:
            prover.prove_inclusion(seq)

    many = seconds(prove_many)
    text = made.model_dump_json()
    lines = publication.ledger_keys(settled)
    checks = [
        seconds(lambda: ledger_proof.verify_proof(ledger_proof.parse_proof(json.loads(text)), lines))
        for _ in range(CHECKS)
    ]
    return [
        row(f"full verification of {entries:,} entries", ours, 60, "s", chain.name, peer),
        row("processor time that it takes", processor, None, "s"),
        row("memory that it takes beyond the start", grown, 200, "MiB"),
        row("one inclusion proof checked, median", statistics.median(checks) * 1000, 50, "ms", chain.name, peer * 1000),
        row(f"one inclusion proof made, of {entries:,} entries", proving * 1000, None, "ms"),
        row(f"{len(wanted)} of them, as an audit makes them", many * 1000, None, "ms"),
        row("first head signed", first, None, "s"),
        row("a head signed after one more entry", next_ * 1000, None, "ms"),
        row("size of a proof", len(text) / 1024, None, "KiB"),
    ]


def tamperings(folder: Path, count: int) -> list[dict[str, Any]]:
    """Count the undetected changes to entries under the last published head.

    The attacker repairs the tree and deletes the heads that are stored beside the ledger.
    """
    os.environ[publication.PLACES_VARIABLE] = str(folder / "place")
    settled = new_governance(folder / "small")
    ledger: Ledger = open_ledger(settled.state)
    for number in range(TAMPERED_ENTRIES + 20):
        ledger.append("gate.closed", f"run-{number % 7}", {**BODY, "n": number})
        if number + 1 in (TAMPERED_ENTRIES // 2, TAMPERED_ENTRIES):
            publication.publish(ledger, settled)
    rng, unnoticed, done = random.Random(1), [], Counter()
    for number in range(count):
        copy, kind = folder / f"copy-{number}", KINDS[number % len(KINDS)]
        shutil.copytree(settled.state, copy, ignore=shutil.ignore_patterns("heads"))
        tampering = tamper(copy / "ledger.db", kind, TAMPERED_ENTRIES, rng)
        done[kind] += 1
        if ledger_check.verify_ledger(open_ledger(copy), dataclasses.replace(settled, state=copy)).verdict != "wrong":
            unnoticed.append(tampering)
        shutil.rmtree(copy)
    del os.environ[publication.PLACES_VARIABLE]
    metric = f"of {count:,} tamperings ({', '.join(f'{n} {kind}' for kind, n in done.items())}) unnoticed"
    return [row(metric, len(unnoticed), 0, "")]


def row(metric: str, ours: float, goal: float | None, unit: str, peer: str = "", value: float | None = None) -> Any:
    return {
        "metric": metric,
        "ours": round(ours, 4),
        "peer": peer,
        "peer_value": value and round(value, 4),
        "ratio": value and round(ours / value, 4),
        "goal": goal,
        "met": None if goal is None else ours <= goal,
        "unit": unit,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--tamperings", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "ledger.json")
    args = parser.parse_args()
    os.environ.pop(publication.PLACES_VARIABLE, None)
    with tempfile.TemporaryDirectory(dir=ROOT / "benchmarks") as name:
        folder = Path(name)
        lines = appends(folder) + verification(folder, args.entries) + tamperings(folder, args.tamperings)
    for line in lines:
        peer = f"{line['peer']} {line['peer_value']:g}, ratio {line['ratio']:g}  " if line["peer"] else ""
        verdict = "" if line["goal"] is None else f"goal {line['goal']:g}: {'met' if line['met'] else 'NOT met'}"
        print(f"{line['metric']:<60} {line['ours']:g} {line['unit']}  {peer}{verdict}")
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    machine |= {"sqlite": sqlite3.sqlite_version}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps([line | machine for line in lines], indent=2) + "\n")


if __name__ == "__main__":
    main()
