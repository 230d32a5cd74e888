"""Share of rows on which the candidate's answer differs from another model's.

It shows whether fine-tuned weights were loaded.

A base model that is passed off as an adapter, or an adapter of zeros, changes no answer. In bf16, a few answers change
by rounding alone, if the models answer in different batches.
"""

from collections.abc import Sequence

from tasks.core.facts import Fact, Facts
from tasks.stages.evaluate import uncertainty
from tasks.stages.evaluate.judged_rows import JudgedRow
from tasks.stages.evaluate.model_names import MODELS


def changed_answer_facts(rows: Sequence[JudgedRow], confidence: float) -> Facts:
    """Return `changed_answers_MODEL` for every other model, as a proportion of the rows that both answered."""
    found: Facts = {}
    for other in MODELS:
        pairs = [(row.said["candidate"], row.said[other]) for row in rows if other in row.said]
        if other == "candidate" or not pairs:
            continue
        changed = sum(candidate.text != said.text for candidate, said in pairs)
        share = uncertainty.wilson_interval(changed, len(pairs), confidence)
        note = f"{changed:,} of {len(pairs):,} answers differ from the {other}'s; none would if it were the same model"
        found[f"changed_answers_{other}"] = Fact(**share.model_dump(), note=note)
    return found
