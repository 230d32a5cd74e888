"""Time, memory and result size of the data gate's checks, on a million records of which half fail an expectation.

    python benchmarks/data_gate.py [--rows 1000000] [--rounds 3] [--out benchmarks/results/data_gate.json]

The peer is Great Expectations with result format COMPLETE, on the same pandas frame, in turns in the same process.
Bytes are those of all files that stage `validate` writes, and of the peer's result as JSON. Memory is the maximum of a
separate process: for Hallmark the whole stage from Parquet to Data Docs, for the peer the checks alone.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
GOAL_SECONDS, GOAL_MEGABYTES, GOAL_MEMORY = 3.0, 1.0, 2.0
EXPECTATION = {
    "type": "expect_column_values_to_be_in_set",
    "kwargs": {"column": "language", "value_set": ["en"]},
    "why": "half of them are not",
}
RECORDS_AT_ONCE = 50_000


def suite() -> Any:
    from tasks.sources.expectation_suites import ExpectationSuite

    return ExpectationSuite.model_validate({"name": "bench", "expectations": [EXPECTATION]})


def write_run(root: Path, rows: int) -> None:
    """Write a run's output of `deduplicate`: short messages, half of them in a language that fails the expectation."""
    import pyarrow as pa

    from tasks.core.files import write_json
    from tasks.core.layout import Layout
    from tasks.core.records.record import RECORD_SCHEMA, write_batches
    from tasks.sources.expectation_suites import Suites
    from tasks.sources.resolved_sources import ResolvedSource, ResolvedSources
    from tasks.sources.sources import Source

    layout = Layout(root)
    inventory = dict.fromkeys(("owner", "steward", "lawful_basis", "licence", "region"), "x")
    inventory |= {"classification": "internal", "access": ["x"], "retention_days": 1, "refresh_days": 1}
    source = Source.model_validate(
        {"id": "src", "kind": "csv", "location": "x", "approved_uses": ["x"], **inventory}
        | {"mapping": {"prompt": "p", "response": "r"}, "constants": {"task": "t"}}
    )
    pinned = ResolvedSource(source=source, sha256="0" * 64, bytes=1)
    resolved = ResolvedSources.model_validate({"sources": [pinned], "as_of": "2026-03-01", "vault": "0" * 32})
    write_json(layout.sources_path, resolved.model_dump(mode="json"))
    write_json(layout.suites_path, Suites(by_source={}, dataset=suite()).model_dump(mode="json"))
    plain = dict.fromkeys(RECORD_SCHEMA.names, "") | {"policy_tags": [], "subjects": [], "source_id": "src"}
    plain |= {"effective_from": None, "retired_at": None}

    def record(number: int) -> dict[str, Any]:
        text = f"message {number} about a card that somebody lost on the way and wants back before long"
        turns = [{"role": "user", "content": text}, {"role": "assistant", "content": "card"}]
        return plain | {"record_id": f"{number:032x}", "messages": turns, "language": "de" if number % 2 else "en"}

    parts = (
        pa.RecordBatch.from_pylist(
            [record(number) for number in range(begin, min(begin + RECORDS_AT_ONCE, rows))], schema=RECORD_SCHEMA
        )
        for begin in range(0, rows, RECORDS_AT_ONCE)
    )
    write_batches(parts, RECORD_SCHEMA, layout.artefacts("deduplicate") / "records.parquet")


def frame(root: Path) -> Any:
    from tasks.core.files import read_json
    from tasks.core.layout import Layout
    from tasks.sources.resolved_sources import ResolvedSources
    from tasks.stages.data.validate.frame import RecordTable

    layout = Layout(root)
    resolved = ResolvedSources.model_validate(read_json(layout.sources_path))
    records = RecordTable(layout.artefacts("deduplicate") / "records.parquet", resolved, json_target=False)
    return records.to_frame(None, {"language"})


def ours(data: Any) -> None:
    from tasks.stages.data.validate import suite_evaluation
    from tasks.stages.data.validate.suite_evaluation import TableExpectations
    from tasks.stages.data.validate.suite_results import suite_result

    answer = suite_evaluation.evaluate_suite(suite(), None, [TableExpectations([0], data)], {})
    assert suite_result(suite(), None, len(data), answer).expectations[0].unexpected_count == len(data) // 2


def peer(data: Any) -> int:
    """Check with Great Expectations. Return the bytes of the result."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("frame")
    asked = gx.ExpectationSuite(name="suite")
    asked.add_expectation(gx.expectations.ExpectColumnValuesToBeInSet(**EXPECTATION["kwargs"]))
    validation = gx.ValidationDefinition(
        name="validation",
        data=asset.add_batch_definition_whole_dataframe("all"),
        suite=context.suites.add(asked),
    )
    context.validation_definitions.add(validation)
    checkpoint = gx.Checkpoint(name="checkpoint", validation_definitions=[validation], result_format="COMPLETE")
    result = context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": data})
    (outcome,) = result.run_results.values()
    assert outcome.results[0].result["unexpected_count"] == len(data) // 2
    return len(json.dumps(outcome.to_json_dict()))


def stage(root: Path) -> int:
    """Run the stage `validate`. Return the bytes that it writes."""
    from tasks.core.layout import Layout
    from tasks.core.params import params
    from tasks.stages.data.validate import validate

    validate.run(params.load_params(ROOT / "params.yaml"), Layout(root))
    return sum(path.stat().st_size for path in Layout(root).artefacts("validate").rglob("*") if path.is_file())


ALONE: dict[str, Callable[[Path], int]] = {"stage": stage, "peer": lambda root: peer(frame(root))}


def run_alone(name: str, root: Path) -> dict[str, float]:
    """Return the seconds, the maximum memory in GB, and the bytes of one of ALONE, run in a process of its own."""
    command = [sys.executable, __file__, "--alone", name, "--root", str(root)]
    ran = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    said: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return said


def print_alone(name: str, root: Path) -> None:
    began = time.perf_counter()
    size = ALONE[name](root)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(json.dumps({"seconds": time.perf_counter() - began, "peak": peak, "bytes": size}))


def median_seconds(data: Any, rounds: int) -> tuple[float, float]:
    """Return the median seconds of Hallmark and of the peer."""
    taken: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(rounds):
        for name, check in (("ours", ours), ("peer", peer)):
            began = time.perf_counter()
            check(data)
            taken[name].append(time.perf_counter() - began)
    return statistics.median(taken["ours"]), statistics.median(taken["peer"])


def measure(root: Path, rows: int, rounds: int) -> list[dict[str, Any]]:
    write_run(root, rows)
    data = frame(root)
    ours(data[:1000])  # imports
    seconds = median_seconds(data, rounds)
    del data
    whole, other = run_alone("stage", root), run_alone("peer", root)
    megabytes = (whole["bytes"] / 1e6, other["bytes"] / 1e6)
    what = f"{rows:,} records, half failing a check"
    return [
        row(f"{what}: checking", *seconds, GOAL_SECONDS, "s"),
        row(f"{what}: result", *megabytes, GOAL_MEGABYTES, "MB"),
        row(f"{what}: memory", whole["peak"], other["peak"], GOAL_MEMORY, "GB"),
        row(f"{what}: the stage, imports and Data Docs too", whole["seconds"], None, None, "s"),
    ]


def row(metric: str, mine: float, theirs: float | None, goal: float | None, unit: str) -> dict[str, Any]:
    return {
        "metric": metric, "ours": round(mine, 4), "peer": "GE, result format COMPLETE",
        "peer_value": None if theirs is None else round(theirs, 2),
        "ratio": None if theirs is None else round(mine / theirs, 4),
        "goal": goal, "met": None if goal is None else mine <= goal, "unit": unit,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", choices=ALONE, help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "data_gate.json")
    args = parser.parse_args()
    if args.alone:
        print_alone(args.alone, args.root)
        return
    with tempfile.TemporaryDirectory() as folder:
        lines = measure(Path(folder), args.rows, args.rounds)
    for line in lines:
        verdict = {True: "met", False: "NOT met", None: "no goal"}[line["met"]]
        beside = f", peer {line['peer_value']}" if line["peer_value"] is not None else ""
        print(f"{line['metric']:<78} {line['ours']:.3f} {line['unit']}{beside}  {verdict}")
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    machine |= {name: version(name) for name in ("great-expectations", "pandas", "pyarrow")}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps([line | machine for line in lines], indent=2) + "\n")


if __name__ == "__main__":
    main()
