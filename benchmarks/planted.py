"""Recall and precision of the data stages on faults and personal data that are planted in the sample's sources.

    python benchmarks/planted.py [--rows 1620] [--out benchmarks/results/planted.json]

`seen` are the phrases of the sample with its own seed; `unseen` are other sentences, names and records
(tests/examples/unseen). The figures of a set are those of its seeds together.
"""

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # for the sample's generator and the unseen sentences

from examples.support_triage.generate import PERSONAL, SOUND_ROWS, generate, truth_table  # noqa: E402
from tasks.core import code_digest  # noqa: E402
from tasks.core.files import read_json, write_json  # noqa: E402
from tasks.core.layout import Layout  # noqa: E402
from tasks.core.params import params  # noqa: E402
from tasks.inquiry.planted_defects import score  # noqa: E402
from tasks.inquiry.planted_defects.score import PlantedScore  # noqa: E402
from tasks.runs.requests.source_resolution import resolve_sources  # noqa: E402
from tasks.sources import sources, vault_keys  # noqa: E402
from tasks.stages.data.clean import clean  # noqa: E402
from tasks.stages.data.deduplicate import deduplicate  # noqa: E402
from tasks.stages.data.ingest import ingest  # noqa: E402

SETS = {"seen": (PERSONAL, (7,)), "unseen": (ROOT / "tests/examples/unseen", (23, 24))}
TODAY = date(2026, 3, 14)


def figures(personal: Path, seed: int, rows: int) -> PlantedScore:
    """Generate sources, run the data stages on them, and return the figures."""
    with tempfile.TemporaryDirectory() as folder:
        layout, made = Layout(Path(folder)), generate(seed, rows, personal)
        data = layout.root / "examples/support_triage/data"
        data.mkdir(parents=True)
        for name, content in (made.files | {"truth.csv": truth_table(made.truth)}).items():
            (data / name).write_bytes(content)
        vault_keys.create_key(layout.state)
        inventory = sources.load_sources(ROOT / "infra/governance")
        pinned = resolve_sources(inventory, layout.root, TODAY, vault_keys.load_keys(layout.state).fingerprint)
        write_json(layout.sources_path, pinned.model_dump(mode="json"))
        write_json(layout.stage_digests_path, code_digest.stage_digests(ROOT))
        shutil.copy(ROOT / "constraints.txt", layout.root)
        for stage in (ingest, clean, deduplicate):
            stage.run(params.load_params(ROOT / "params.yaml"), layout)
        score.write_score(layout)
        return PlantedScore.model_validate(read_json(layout.measurements("planted.json")))


def sums(runs: list[PlantedScore]) -> dict[str, Counter[str]]:
    """Return the sums of truth, hit, marked and right, by kind (rows) and by class (characters)."""
    sums: dict[str, Counter[str]] = {}
    for run in runs:
        for kind in run.kinds:
            counts = {"truth": kind.planted, "hit": kind.found, "marked": kind.removed, "right": kind.right}
            sums.setdefault(f"rows: {kind.defect}", Counter()).update(counts)
        for item in run.classes:
            counts = item.model_dump(include={"truth", "hit", "marked", "right"})
            sums.setdefault(f"text: {item.category}", Counter()).update(counts)
    return sums


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=SOUND_ROWS)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/planted.json")
    given = parser.parse_args()
    results = {}
    for name, (personal, seeds) in SETS.items():
        results[name] = sums([figures(personal, seed, given.rows) for seed in seeds])
        print(f"\n| {name}, seeds {', '.join(map(str, seeds))} | planted | recall | precision |\n|---|---|---|---|")
        for what, n in results[name].items():
            precision = f"{n['right'] / n['marked']:.3f}" if n["marked"] else "–"
            print(f"| {what} | {n['truth']:,} | {n['hit'] / max(1, n['truth']):.3f} | {precision} |")
    write_json(given.out, {"rows": given.rows, "results": results})


if __name__ == "__main__":
    main()
