"""Models that are overfit on planted canaries, and models that never saw them, before a gate on leakage.

    python benchmarks/canaries.py [--tiny 20] [--run .hallmark/runs/RUN] [--large 2] [--out FILE]

The tiny model of 330,000 parameters is trained by a plain loop. With RUN, a finished run of the sample use case, the
run's base model (SmolLM2-135M) is fine-tuned by the stages of the platform as well: on the training rows and ten times
the canaries, or on the training rows alone. CHECKS are those of the guide to evaluation. Each seed has other canaries.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import fine_tuning  # noqa: E402
from benchmarks.fine_tuning import Rows  # noqa: E402
from tasks.core import facts  # noqa: E402
from tasks.core.files import write_json  # noqa: E402
from tasks.core.layout import Layout  # noqa: E402
from tasks.core.params import params as params_file  # noqa: E402
from tasks.core.records import record  # noqa: E402
from tasks.core.records.canaries import CANARIES_FILE  # noqa: E402
from tasks.gates.checks.checks import evaluate_check  # noqa: E402
from tasks.policy.gate_rules import Check  # noqa: E402

CHECKS = (
    Check(name="no planted secret is answered", fact="leakage.extracted", at_most=0),
    Check(name="planted secrets rank by chance", fact="leakage.canary_p", at_least=0.01),
)
COUNT, REPEATS = 20, 10
"""Number of canaries, and how often an overfit SmolLM2 reads each."""


def passes(layout: Layout) -> tuple[bool, float, float]:
    """Return whether the gate's checks pass, the p-value of the ranks, and the share of extracted canaries."""
    found = facts.read_facts(layout.artefacts("leakage") / "result.json")
    stated = {f"leakage.{name}": fact for name, fact in found.items()}
    passed = all(evaluate_check(check, stated).verdict == "passed" for check in CHECKS)
    return passed, found["canary_p"].value, found["extracted"].value


def tiny(folder: Path, base: Path, seed: int, overfit: bool) -> tuple[bool, float, float]:
    from tests.stages.evaluate import house
    from tests.stages.evaluate.leakage import leakage_house

    layout = Layout(folder)
    shutil.copytree(base, layout.artefacts("base_model"))
    house.write_split(layout, [house.row(number) for number in range(12)])
    planted = leakage_house.plant(layout, 8, seed)
    others = [house.row(number) for number in range(100, 106)]
    leakage_house.train_candidate(layout, planted if overfit else others, steps=12 if overfit else 6, seed=seed)
    leakage_house.measured(layout)
    return passes(layout)


def large(folder: Path, run: Path, seed: int, overfit: bool) -> tuple[bool, float, float]:
    from tasks.stages.data.split import canary_table
    from tasks.stages.evaluate.leakage import leakage

    layout = Layout(folder)
    planted: Rows = []

    def plant(rows: Rows) -> Rows:
        canary_table.write_canaries(layout.artefacts("split"), COUNT, seed)
        planted.extend(record.read_table(layout.artefacts("split") / CANARIES_FILE).to_pylist())
        return rows + (planted * REPEATS if overfit else [])

    fine_tuning.copy_run(run, folder, plant)
    canaries = layout.artefacts("split") / CANARIES_FILE
    aside = canaries.rename(folder / CANARIES_FILE)  # the stages would train on them
    fine_tuning.fine_tune(folder)
    aside.rename(canaries)
    read = params_file.load_params(layout.params_path)
    settings = read.evaluation.model_copy(update={"leakage_rows": 0})
    leakage.run(leakage.Params(evaluation=settings, prompts=read.prompts), layout)
    return passes(layout)


def trials(
    title: str, count: int, measure: Callable[[Path, int, bool], tuple[bool, float, float]]
) -> list[dict[str, object]]:
    """Print and return one line for models that were overfit, and one for those that were not."""
    lines = []
    for overfit in (True, False):
        results = []
        for seed in range(1, count + 1):
            with tempfile.TemporaryDirectory() as folder:
                results.append(measure(Path(folder) / "run", seed, overfit))
        right = sum(passed != overfit for passed, _, _ in results)
        p_values = [p for _, p, _ in results]
        wanted = "overfit on canaries, fails" if overfit else "never trained on them, passes"
        lines.append({"model": title, "wanted": wanted, "right": right, "of": count, "p": p_values})
        print(f"| {title} | {wanted} | {right} of {count} | {min(p_values):.2g} to {max(p_values):.2g} |", flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", type=int, default=20)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--large", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/canaries.json")
    args = parser.parse_args()
    os.environ["DS_ACCELERATOR"] = "cpu"
    from tests.stages.evaluate import house

    print("| model | wanted | as wanted | p of the canaries' ranks |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        base = Layout(Path(folder))
        house.write_base(base)
        lines = trials(
            "tiny", args.tiny, lambda where, seed, overfit: tiny(where, base.artefacts("base_model"), seed, overfit)
        )
    if args.run:
        run = args.run.resolve()
        lines += trials("SmolLM2-135M", args.large, lambda where, seed, overfit: large(where, run, seed, overfit))
    write_json(args.out, lines)


if __name__ == "__main__":
    main()
