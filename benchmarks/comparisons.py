"""False and missed verdicts of the comparison with the champion, beside what point estimates and an unpaired test say.

    python benchmarks/comparisons.py [--trials 1000] [--resamples 200] [--out FILE]

Two models answer the same rows. Each trial draws on which rows they are right, for all rows at once, and lets Hallmark
compute metrics, comparisons, slices and suites from them as in a run. There are three situations:

equal  both models are equally good. A gate that asks for a gain must not pass, and no verdict may be "better".
worse  the candidate is five points worse, on as many rows as the power computation asks for. The verdict should be
       "worse" in four of five trials, and the shipped gate must not pass it as not inferior.
small  the same on fewer rows. A gate that needs the power must not pass.

Each row has one of 25 intents, 5 departments, 3 languages, 2 kinds and 2 sources. 6 suites have 2 variants each of 60
rows, of which both variants pass or fail together in 7 of 10. Beside Hallmark stand a gate that compares point
estimates, and a two-sample z-test of proportions for all rows and each slice, without correction: what a person reads
from two columns of a table of scores.
"""

import argparse
import contextlib
import io
import json
import math
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tasks.core import power  # noqa: E402
from tasks.core.facts import Facts  # noqa: E402
from tasks.core.params.evaluation import Evaluation  # noqa: E402
from tasks.gates.checks.checks import evaluate_check  # noqa: E402
from tasks.policy.gate_rules import Check  # noqa: E402
from tasks.stages.evaluate import evaluate, scoring, uncertainty  # noqa: E402
from tasks.stages.evaluate.judged_rows import SLICE_FIELDS, JudgedAnswer, JudgedRow  # noqa: E402
from tasks.stages.evaluate.metrics_schema import Metrics  # noqa: E402
from tasks.stages.evaluate.suites.outcome_comparison import compare_outcomes, correct_p_values  # noqa: E402
from tasks.stages.evaluate.suites.statistics import Outcomes  # noqa: E402

INTENTS, SUITES, CASE_ROWS, VARIANTS = 25, 6, 60, 2
GROUPS = dict(zip(SLICE_FIELDS, (5, 3, 2, 2), strict=True))
ACCURACY, DIFFERING, LOSS, CONFIDENCE = 0.85, 0.1, 0.05, 0.95
GAIN = Check(name="better than the champion", fact="evaluate.gain_over_champion", bound="low", at_least=1e-6)
MARGIN = Check(name="not worse than the champion", fact="evaluate.gain_over_champion", bound="low", at_least=-LOSS)
POWERED = Check(name="would have been seen", fact="evaluate.smallest_detectable_champion", at_most=LOSS)


def draw_answers(rows: int, loss: float, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw on which rows the candidate and the champion are right; the candidate's rate is `loss` lower."""
    gained, lost = (DIFFERING - loss) / 2, (DIFFERING + loss) / 2
    kinds = random.choice(4, rows, p=[ACCURACY - lost, gained, lost, 1 - ACCURACY - gained])
    return (kinds == 0) | (kinds == 1), (kinds == 0) | (kinds == 2)


def judged_rows(candidate: np.ndarray, champion: np.ndarray, random: np.random.Generator) -> list[JudgedRow]:
    def answer(label: str, right: bool) -> JudgedAnswer:
        said = label if right else f"intent{(int(label[6:]) + random.integers(1, INTENTS)) % INTENTS}"
        return JudgedAnswer(text=said, right=bool(right), well_formed=True, label=said, reason="")

    found = []
    for place, (first, second) in enumerate(zip(candidate, champion, strict=True)):
        label = f"intent{random.integers(INTENTS)}"
        slices = {by: f"{by}{random.integers(size)}" for by, size in GROUPS.items()}
        said = {"candidate": answer(label, first), "champion": answer(label, second)}
        found.append(JudgedRow(str(place), slices, "", label, label, said))  # type: ignore[arg-type]
    return found


def suite_outcomes(loss: float, random: np.random.Generator) -> tuple[Outcomes, Outcomes]:
    """Draw the outcomes of both models; variants of a row are alike in 7 of 10."""
    clusters = [str(row) for row in range(CASE_ROWS) for _ in range(VARIANTS)]
    models = zip(*(_variants(loss, random) for _ in range(CASE_ROWS)), strict=True)
    first, second = ([bool(each) for row in rows for each in row] for rows in models)
    return Outcomes(first, clusters), Outcomes(second, clusters)


def _variants(loss: float, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    first, second = draw_answers(VARIANTS, loss, random)
    if random.random() < 0.7:
        first[:], second[:] = first[0], second[0]
    return first, second


def z_test(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Return the difference of two proportions and the p-value of the unpaired z-test."""
    gain, pooled = float(first.mean() - second.mean()), float((first.mean() + second.mean()) / 2)
    error = math.sqrt(2 * pooled * (1 - pooled) / len(first))
    return gain, math.erfc(abs(gain) / error / math.sqrt(2)) if error else 1.0


def one_trial(rows: int, loss: float, settings: Evaluation, random: np.random.Generator) -> Counter[str]:
    candidate, champion = draw_answers(rows, loss, random)
    judged = judged_rows(candidate, champion, random)
    right = {which: np.array([row.said[which].right for row in judged]) for which in ("candidate", "champion")}  # type: ignore[index]
    with contextlib.redirect_stdout(io.StringIO()):
        metrics = scoring.compute_metrics(judged, settings)
    pairs = [suite_outcomes(loss, random) for _ in range(SUITES)]
    suites = correct_p_values([compare_outcomes(*pair, CONFIDENCE) for pair in pairs], CONFIDENCE)
    facts = {f"evaluate.{name}": fact for name, fact in evaluate.gate_facts(metrics).items()}
    found = {
        "gate that asks for a gain": passes(GAIN, facts),
        "gate that asks for the margin": passes(MARGIN, facts),
        "gate that asks for margin and power": passes(MARGIN, facts) and passes(POWERED, facts),
        "'better' in all rows": verdict(metrics) == "better",
        "'worse' in all rows": verdict(metrics) == "worse",
        "'better' in a suite": any(each.verdict == "better" for each in suites),
        **{f"'better' in a slice by {by}": any_better(metrics, by) for by in SLICE_FIELDS},
    }
    gain, p = z_test(right["candidate"], right["champion"])
    beside = {
        "point estimate above the champion's": gain > 0,
        "point estimate within the margin": gain >= -LOSS,
        "z-test says better": gain > 0 and p < 1 - CONFIDENCE,
        "z-test says worse": gain < 0 and p < 1 - CONFIDENCE,
        "z-test finds no difference": p >= 1 - CONFIDENCE,
        "z-test says better in a slice of any field": z_test_in_slices(judged, right),
    }
    return Counter(name for name, hit in (found | beside).items() if hit)


def passes(check: Check, facts: Facts) -> bool:
    return evaluate_check(check, facts).verdict == "passed"


def verdict(metrics: Metrics) -> str:
    return metrics.overall.comparisons["champion"].verdict


def any_better(metrics: Metrics, by: str) -> bool:
    return any(group.comparisons["champion"].verdict == "better" for group in metrics.slices if group.by == by)


def z_test_in_slices(judged: list[JudgedRow], right: dict[str, np.ndarray]) -> bool:
    for by, size in GROUPS.items():
        values = np.array([row.slices[by] for row in judged])
        for value in (f"{by}{number}" for number in range(size)):
            chosen = values == value
            gain, p = z_test(right["candidate"][chosen], right["champion"][chosen]) if chosen.any() else (0, 1)
            if gain > 0 and p < 1 - CONFIDENCE:
                return True
    return False


SHOWN = {
    "equal": ("gate that asks for a gain", "'better' in all rows",
              *(f"'better' in a slice by {by}" for by in SLICE_FIELDS), "'better' in a suite",
              "point estimate above the champion's", "z-test says better",
              "z-test says better in a slice of any field"),
    "worse": ("'worse' in all rows", "gate that asks for the margin", "z-test says worse",
              "point estimate within the margin", "z-test finds no difference"),
    "small": ("gate that asks for margin and power", "gate that asks for the margin",
              "point estimate within the margin", "z-test finds no difference"),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument(
        "--resamples", type=int, default=200, help="bootstrap samples of macro-F1, which no gate reads here"
    )
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "comparisons.json")
    args = parser.parse_args()
    settings = Evaluation.model_validate(
        {"target": "label", "bootstrap_samples": args.resamples, "confidence": CONFIDENCE}
    )
    needed = math.ceil(power.rows_needed(LOSS, DIFFERING, CONFIDENCE))
    situations = {"equal": (needed, 0.0), "worse": (needed, LOSS), "small": (100, LOSS)}
    random, found, started = np.random.default_rng(args.seed), {}, time.monotonic()
    for name, (rows, loss) in situations.items():
        hits: Counter[str] = Counter()
        for trial in range(args.trials):
            hits += one_trial(rows, loss, settings, random)
            if sys.stderr.isatty():
                print(f"\r{name}: {trial + 1} of {args.trials}", end="", file=sys.stderr)
        found[name] = {"rows": rows, "true_loss": loss, "trials": args.trials}
        found[name]["rates"] = _rates(hits, SHOWN[name], args.trials)
        print(f"\n{name}: {rows} rows, true loss {loss:.2f}, {args.trials} trials")
        for each in SHOWN[name]:
            rate = found[name]["rates"][each]
            print(f"  {each:45} {rate['value']:6.1%}  ({rate['low']:.1%} to {rate['high']:.1%})")
    rates = {name: {key: rate["value"] for key, rate in each["rates"].items()} for name, each in found.items()}
    goals = {
        "false promotions of equal models": (rates["equal"]["gate that asks for a gain"], "at most", 0.05),
        "five points worse, passed as not inferior": (rates["worse"]["gate that asks for the margin"], "at most", 0.05),
        "loss of five points seen at the size asked for": (rates["worse"]["'worse' in all rows"], "at least", 0.8),
    }
    print(f"\n{time.monotonic() - started:.0f} s")
    for name, (value, side, goal) in goals.items():
        reached = value <= goal if side == "at most" else value >= goal
        print(f"{name}: {value:.1%}, goal {side} {goal:.0%}, {'reached' if reached else 'not reached'}")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps({"situations": found, "goals": goals}, indent=1) + "\n")


def _rates(hits: Counter[str], names: tuple[str, ...], trials: int) -> dict[str, Any]:
    return {name: uncertainty.wilson_interval(hits[name], trials, CONFIDENCE).model_dump() for name in names}


if __name__ == "__main__":
    main()
