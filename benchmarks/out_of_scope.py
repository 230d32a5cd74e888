"""Out-of-scope queries that a model fine-tuned on CLINC150 recognises by its confidence alone.

    python benchmarks/out_of_scope.py --data data_full.json --run .hallmark/runs/RUN [--rows 1000] [--out FILE]

`data_full.json` is that of repository clinc/oos-eval (CC BY 3.0), which is not part of this project. RUN is a run of
examples/clinc150. Nothing out of scope is trained on or used to choose the threshold: it is the highest confidence at
which at most LOSS of all in-scope validation queries are right and would still be reviewed. The figure is the share of
out-of-scope test queries at or below it. The in-scope accuracy given up on the test queries is beside it.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
GOAL, LOSS = 0.7, 0.03
PARTS = ("val", "test", "oos_test")
Pairs = Sequence[tuple[str, str]]


def choose_threshold(confidence: Sequence[float], right: Sequence[bool], loss: float = LOSS) -> float:
    """Return the highest confidence at or below which at most `loss` of all answers are right."""
    hits = sorted(value for value, is_right in zip(confidence, right, strict=True) if is_right)
    allowed = math.floor(loss * len(confidence))
    if allowed >= len(hits):
        return 1.0
    return max((value for value in confidence if value < hits[allowed]), default=-1.0)


def share_at_most(confidence: Sequence[float], threshold: float) -> float:
    return sum(value <= threshold for value in confidence) / len(confidence)


def ask(run: Path, parts: dict[str, Pairs]) -> dict[str, tuple[list[float], list[bool]]]:
    """Return the confidences of the candidate's answers to each part, and whether they are right."""
    from tasks.core.layout import Layout
    from tasks.core.params import params
    from tasks.stages.evaluate import models, predict

    layout, read = Layout(run.resolve()), params.load_params(run / "params.yaml")
    located = models.locate_model(layout, "candidate")
    assert located is not None
    (task,) = read.prompts
    asked = predict.Params(evaluation=read.evaluation, prompts=read.prompts)
    limits = models.read_prompt_limits(located)
    encoded = {
        name: predict.EncodedRows(limits, [_record(text, label, task) for text, label in pairs], asked)
        for name, pairs in parts.items()
    }
    first, *others = encoded.values()
    setup = first.model_setup(located, [prompt for other in others for prompt in other.prompts])
    found = {}
    with predict.start_executor(setup, "out_of_scope") as executor:
        for name, rows in encoded.items():
            said = predict.answer_rows(executor, rows, name).to_pylist()
            found[name] = (
                [math.exp(row["log_probability"]) if not row["reason"] else 0.0 for row in said],
                [row["answer"].strip() == label for row, (_, label) in zip(said, parts[name], strict=True)],
            )
    return found


def _record(text: str, label: str, task: str) -> dict[str, object]:
    turns = [{"role": "user", "content": text}, {"role": "assistant", "content": label}]
    return {"record_id": text, "task": task, "messages": turns}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--rows", type=int, help="evenly spaced queries of each part at most; all by default")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "out_of_scope.json")
    args = parser.parse_args()
    full = json.loads(args.data.read_text())
    parts = {name: full[name][:: max(1, len(full[name]) // (args.rows or len(full[name])))] for name in PARTS}
    found = ask(args.run, parts)
    if sum(found["val"][1]) <= LOSS * len(parts["val"]):
        sys.exit(f"the model is right on {sum(found['val'][1])} of {len(parts['val'])} queries, so it gives up none")
    threshold = choose_threshold(*found["val"])
    confidence, right = found["test"]
    lost = sum(is_right and value <= threshold for value, is_right in zip(confidence, right, strict=True)) / len(right)
    recognised = share_at_most(found["oos_test"][0], threshold)
    row = {
        "metric": "out-of-scope queries recognised by confidence", "ours": round(recognised, 4), "goal": GOAL,
        "met": recognised >= GOAL and lost <= LOSS, "unit": "share", "threshold": threshold,
        "in_scope_accuracy": round(sum(right) / len(right), 4), "accuracy_given_up": round(lost, 4),
        "rows": {name: len(pairs) for name, pairs in parts.items()},
    }  # fmt: skip
    print(json.dumps(row, indent=2))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps([row], indent=2) + "\n")


if __name__ == "__main__":
    main()
