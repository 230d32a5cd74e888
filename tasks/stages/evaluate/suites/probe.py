"""Stage `probe@WHICH`, in which one model answers the cases of the evaluation suites by greedy decoding.

The output is artefacts/probe/WHICH/answers.parquet. If there is no champion, or if no suite is for this use case, the
table is empty.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from tasks.core import facts
from tasks.core.facts import Fact
from tasks.core.files import atomic_folder, write_json
from tasks.core.layout import Layout
from tasks.core.progress import ProgressReporter
from tasks.core.records import record
from tasks.stages.evaluate import models, predict
from tasks.stages.evaluate.decode import answer_prompts
from tasks.stages.evaluate.inference import vllm_engine
from tasks.stages.evaluate.model_names import ModelName
from tasks.stages.evaluate.models import ModelFolders
from tasks.stages.evaluate.predict import PREDICTIONS_SCHEMA, EncodedRows, Params, prediction
from tasks.stages.evaluate.suites.cases import Case, load_cases
from tasks.stages.evaluate.suites.kept_answers import KeptAnswers, kept_folder, model_digest

__all__ = ["Params", "run"]

ANSWERS_SCHEMA = pa.schema([("case", pa.string()), *list(PREDICTIONS_SCHEMA)[1:]])
"""Predictions, with the key of a case in place of the id of a record."""
BATCHES_BETWEEN_WRITES = 4
"""Number of batches whose answers are lost at most if the stage is killed."""


def run(params: Params, layout: Layout, which: ModelName) -> pa.Table:
    """Ask the model `which` the cases, except those whose answers are known from an earlier execution.

    Errors in locating, loading and running the model are not caught.
    """
    cases = load_cases(layout, params.evaluation, params.prompts)
    located = models.locate_model(layout, which) if cases else None
    asked, answers = (0, []) if located is None else _answer_cases(located, cases, params, layout, which)
    table = pa.Table.from_pylist(answers, schema=ANSWERS_SCHEMA)
    measured = {"asked": Fact(value=asked, unit="cases", note="prompts that were not answered before")}
    with atomic_folder(layout.measurements(f"probe/{which}")) as folder:
        write_json(folder / "facts.json", {"facts": facts.facts_to_json(measured)})
    with atomic_folder(layout.artefacts(f"probe/{which}")) as folder:
        record.write_table(table, folder / "answers.parquet")
        write_json(folder / "result.json", {"present": located is not None, "facts": {}})
    return table


def _answer_cases(
    located: ModelFolders, cases: Sequence[Case], params: Params, layout: Layout, which: ModelName
) -> tuple[int, list[dict[str, Any]]]:
    """Return the number of prompts that the model was asked, and its answers to all cases."""
    vllm_engine.require_installed(params.evaluation)
    limits = models.read_prompt_limits(located)
    encoded = EncodedRows(limits, [case.row for case in cases], params)
    digest = model_digest(layout, located, limits, params.evaluation)
    with KeptAnswers.open(kept_folder(layout, which), digest) as kept:
        rows = {
            tuple(prompt): cases[place].row
            for place, prompt in zip(encoded.fitting_indices, encoded.prompts, strict=True)
        }
        new = [row for prompt, row in rows.items() if kept.find(prompt) is None]
        if new:
            _ask(located, EncodedRows(limits, new, params), kept, f"probe@{which}")
        answers = [kept.find(prompt) or prediction(prompt, None, limits.tokenizer) for prompt in encoded.encoded]
    return len(new), [{**answer, "case": case.key} for case, answer in zip(cases, answers, strict=True)]


def _ask(located: ModelFolders, encoded: EncodedRows, kept: KeptAnswers, name: str) -> None:
    """Ask a model prompts that fit into its context, and keep the answers of every few batches."""
    prompts = sorted(encoded.prompts, key=len, reverse=True)
    size = encoded.settings.batch_size
    progress = ProgressReporter(name, len(prompts))
    with predict.start_executor(encoded.model_setup(located), name) as executor:
        answer_batches = partial(executor.map_unordered, "answer")
        for start in range(0, len(prompts), size * BATCHES_BETWEEN_WRITES):
            part = prompts[start : start + size * BATCHES_BETWEEN_WRITES]
            said = answer_prompts(answer_batches, part, size, partial(_report, progress, start))
            tokenizer = encoded.prompt_limits.tokenizer
            kept.add(part, [prediction(prompt, answer, tokenizer) for prompt, answer in zip(part, said, strict=True)])


def _report(progress: ProgressReporter, before: int, done: int) -> None:
    progress.report(before + done)
