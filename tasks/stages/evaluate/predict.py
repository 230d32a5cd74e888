"""Stage `predict@WHICH`, in which one model answers the held-out rows by greedy decoding.

The outputs are artefacts/predict/WHICH/predictions.parquet and measured/predict/WHICH/facts.json. If there is no
champion, the table of `predict@champion` is empty and its result.json has `"present": false`. Plain texts are not
answered. If there are any, texts.parquet contains the model's loss on each text.

The candidate answers the calibration rows before the test rows, and calibration.parquet contains these answers. Other
models do not answer them, because they may have been trained on these rows.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pyarrow as pa

from tasks.core import facts
from tasks.core.documents.config import FrozenModel
from tasks.core.facts import Fact, Facts
from tasks.core.files import atomic_folder, write_json
from tasks.core.layout import Layout
from tasks.core.machine import processor
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.prompts import Prompts
from tasks.core.progress import ProgressReporter, print_progress
from tasks.core.records import prompts, record, set_aside, texts
from tasks.core.records.set_aside import CALIBRATION_FILE
from tasks.stages.cluster import connection, versions
from tasks.stages.evaluate import models, speed, text_loss
from tasks.stages.evaluate.decode import GeneratedAnswer, StopConditions, Tokens, answer_prompts, shared_prefix
from tasks.stages.evaluate.inference import ray_workers, vllm_engine
from tasks.stages.evaluate.inference.executor import Executor
from tasks.stages.evaluate.inference.in_process import InProcessExecutor
from tasks.stages.evaluate.inference.model_process import ModelProcess, ModelSetup
from tasks.stages.evaluate.model_names import ModelName
from tasks.stages.evaluate.models import ModelFolders, PromptLimits
from tasks.stages.evaluate.sample import rows_to_answer

PREDICTIONS_SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("prompt_tokens", pa.int32()),
        ("answer", pa.string()),  # without the stop token; empty if there is no answer
        ("stopped", pa.bool_()),  # whether a stop token ended the answer, and not max_new_tokens
        ("reason", pa.string()),  # reason why there is no answer: prompt_too_long, or empty
        ("answer_tokens", pa.int32()),  # generated tokens, including the stop token; 0 if there is no answer
        ("log_probability", pa.float64()),  # of these tokens, in nats; null if there is no answer or vLLM answered
    ]
)
PROMPT_TOO_LONG = "prompt_too_long"
LOG_PROBABILITY_DECIMALS = 6
"""Number of decimal places of a log-probability. Further digits differ between processors and would change digests."""


@dataclass(frozen=True)
class Predictions:
    model_exists: bool
    table: pa.Table
    """Answers with schema PREDICTIONS_SCHEMA, in the order of the test rows."""
    stop_tokens: frozenset[int]
    measurements: Facts
    texts: pa.Table | None = None
    """Losses on the plain texts (`text_loss.TEXT_LOSS_SCHEMA`), in the order of the test rows; None if there are no
    plain texts."""
    calibration: pa.Table | None = None
    """Answers to the calibration rows with schema PREDICTIONS_SCHEMA; None if there are none."""


class Params(FrozenModel):
    evaluation: Evaluation
    prompts: Prompts


def run(params: Params, layout: Layout, which: ModelName) -> Predictions:
    """Answer the rows in artefacts/split/test.parquet with the model `which`.

    The base model may answer only a sample of the rows. Errors in locating, loading and running the model are not
    caught.
    """
    located = models.locate_model(layout, which)
    held_out = record.read_table(layout.artefacts("split") / "test.parquet").to_pylist()
    plain = [row for row in held_out if texts.is_plain_text(row)]
    rows = rows_to_answer(which, [row for row in held_out if not texts.is_plain_text(row)], params.evaluation)
    calibrating = set_aside.read_calibration_rows(layout.artefacts("split")) if which == "candidate" else []
    if located is None:
        result = Predictions(False, PREDICTIONS_SCHEMA.empty_table(), frozenset(), {})
    else:
        vllm_engine.require_installed(params.evaluation)
        if params.evaluation.engine == "vllm":
            vllm_engine.require_supported(located, has_texts=bool(plain))
        if warning := processor.bf16_warning("evaluation", params.evaluation.device, params.evaluation.precision):
            print(warning, flush=True)
        # The base model is not served, so its latency matters only for comparison with models that answer all rows.
        alone = which != "base" or params.evaluation.base_rows is None
        limits = models.read_prompt_limits(located)
        asked, first = EncodedRows(limits, rows, params), EncodedRows(limits, calibrating, params)
        with start_executor(asked.model_setup(located, first.prompts), f"predict@{which}") as team:
            calibration = answer_rows(team, first, f"predict@{which} calibration") if calibrating else None
            result = replace(predict(team, asked, f"predict@{which}", alone), calibration=calibration)
            if plain:
                of = asked.prompt_limits
                read = text_loss.measure_losses(
                    team, of.tokenizer, of.context_tokens, plain, params.prompts, f"predict@{which}"
                )
                result = replace(result, texts=read)
    _write_outputs(result, layout, which, params.evaluation)
    return result


class EncodedRows:
    """Rows (schema `tasks.core.records.record.SCHEMA_SCHEMA`), and their prompts as tokens.

    `prompts` contains only the prompts that fit into the model's context. `fitting_indices` contains the indices of
    their rows.
    """

    def __init__(self, limits: PromptLimits, rows: Sequence[Mapping[str, Any]], params: Params) -> None:
        self.prompt_limits, self.rows, self.settings = limits, rows, params.evaluation
        self.encoded = [encode_prompt(limits.tokenizer, row, params) for row in rows]
        most = self.settings.max_new_tokens
        self.fitting_indices = [place for place, tokens in enumerate(self.encoded) if limits.fits(tokens, most)]
        self.prompts = [self.encoded[place] for place in self.fitting_indices]

    def model_setup(self, folders: ModelFolders, other_prompts: Sequence[Tokens] = ()) -> ModelSetup:
        """Return the setup of a model that answers these prompts and `other_prompts`."""
        most, also = self.settings.max_new_tokens, ["vllm"] if self.settings.engine == "vllm" else []
        prompts = [*self.prompts, *other_prompts]
        return ModelSetup(
            folders,
            self.settings,
            StopConditions(self.prompt_limits.stop_tokens, most),
            shared_prefix(prompts),
            max_tokens=max(map(len, prompts), default=1) + most,
            versions=versions.installed_versions(also),
        )


@contextmanager
def start_executor(setup: ModelSetup, name: str) -> Iterator[Executor]:
    """Load the model in this process or on Ray workers, and yield its executor. `name` appears in progress lines."""
    if setup.settings.uses_ray(connection.cluster_address() is not None):
        with ray_workers.start_workers(setup, name) as team:
            yield team
        return
    print_progress(name, "loading the model")
    answerer = ModelProcess(setup)
    answerer.load()
    yield InProcessExecutor(answerer)


def predict(executor: Executor, encoded_rows: EncodedRows, name: str, measures_latency: bool = True) -> Predictions:
    """Answer all rows, and measure throughput and latency.

    Args:
        executor: Executor that runs the model.
        encoded_rows: Rows with their prompts.
        name: Name in progress lines.
        measures_latency: Whether to measure the latency, by sending some prompts again one at a time.
    """
    prompts, settings = encoded_rows.prompts, encoded_rows.settings
    alone = speed.sample_prompts(prompts) if measures_latency else []
    then = f"{len(alone)} requests one at a time" if alone else ""
    progress = ProgressReporter(name, len(prompts), work_after=len(alone), later_work=then)
    began = time.monotonic()
    answers = answer_prompts(partial(executor.map_unordered, "answer"), prompts, settings.batch_size, progress.report)
    seconds = time.monotonic() - began
    progress = ProgressReporter(name, len(alone), "requests", work_before=len(prompts))
    timed = speed.measure_latencies(executor, alone, progress.report)
    measured = speed.speed_facts(timed, len(prompts), seconds, settings, executor)
    return Predictions(
        True, _predictions_table(encoded_rows, answers), encoded_rows.prompt_limits.stop_tokens, measured
    )


def answer_rows(executor: Executor, encoded_rows: EncodedRows, name: str) -> pa.Table:
    """Answer all rows without measuring anything, and return a table with the schema PREDICTIONS_SCHEMA."""
    prompts, size = encoded_rows.prompts, encoded_rows.settings.batch_size
    progress = ProgressReporter(name, len(prompts))
    answers = answer_prompts(partial(executor.map_unordered, "answer"), prompts, size, progress.report)
    return _predictions_table(encoded_rows, answers)


def _predictions_table(encoded_rows: EncodedRows, answers: Sequence[GeneratedAnswer]) -> pa.Table:
    by_index = dict(zip(encoded_rows.fitting_indices, answers, strict=True))
    tokenizer = encoded_rows.prompt_limits.tokenizer
    table = [
        {"record_id": row["record_id"]} | prediction(tokens, by_index.get(place), tokenizer)
        for place, (row, tokens) in enumerate(zip(encoded_rows.rows, encoded_rows.encoded, strict=True))
    ]
    return pa.Table.from_pylist(table, schema=PREDICTIONS_SCHEMA)


def prediction(prompt: Tokens, answer: GeneratedAnswer | None, tokenizer: Any) -> dict[str, Any]:
    """Return one prediction as a row of a table with the schema PREDICTIONS_SCHEMA, but without the record's id.

    The answer includes special tokens, because a client of the model would receive them too.
    """
    return {
        "prompt_tokens": len(prompt),
        "answer": tokenizer.decode(answer.tokens) if answer else "",
        "stopped": answer is not None and answer.stopped,
        "reason": "" if answer else PROMPT_TOO_LONG,
        "answer_tokens": len(answer.tokens) + answer.stopped if answer else 0,
        "log_probability": _rounded(answer.log_probability) if answer else None,
    }


def _rounded(log_probability: float | None) -> float | None:
    if log_probability is None or not math.isfinite(log_probability):  # of a model that has diverged
        return None
    return round(log_probability, LOG_PROBABILITY_DECIMALS) + 0.0


def encode_prompt(tokenizer: Any, row: Mapping[str, Any], params: Params) -> Tokens:
    """Return the tokens of a row's prompt: the chat template up to the start of the assistant's turn."""
    turns, _ = prompts.split_context_and_target(row, params.prompts)
    return list(tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False))


def _write_outputs(result: Predictions, layout: Layout, which: ModelName, settings: Evaluation) -> None:
    name = f"predict/{which}"
    with atomic_folder(layout.measurements(name)) as folder:
        write_json(folder / "facts.json", {"facts": facts.facts_to_json(result.measurements)})
    with atomic_folder(layout.artefacts(name)) as folder:
        record.write_table(result.table, folder / "predictions.parquet")
        if result.calibration is not None:
            record.write_table(result.calibration, folder / CALIBRATION_FILE)
        if result.texts is not None:
            record.write_table(result.texts, folder / text_loss.table_path(layout, which).name)
        how = {"engine": settings.engine, "stop_token_ids": sorted(result.stop_tokens)} if result.model_exists else {}
        stated = facts.facts_to_json(_facts(result, settings.engine))
        write_json(folder / "result.json", {"present": result.model_exists, "facts": stated, **how})


def _facts(result: Predictions, engine: str) -> Facts:
    if not result.model_exists:
        return {}
    reasons = result.table["reason"].to_pylist()
    stopped = sum(result.table["stopped"].to_pylist())
    return {
        "rows": Fact(value=len(reasons), note=f"held-out rows that it was asked, with {engine}"),
        "too_long": Fact(
            value=reasons.count(PROMPT_TOO_LONG), note="prompts that leave no room in the context: no answer"
        ),
        "cut_off": Fact(
            value=len(reasons) - reasons.count(PROMPT_TOO_LONG) - stopped, note="answers cut at max_new_tokens"
        ),
    }
