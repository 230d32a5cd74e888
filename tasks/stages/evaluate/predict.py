"""Stage `predict@WHICH`: one model's greedy answers to the held-out rows.

Writes artefacts/predict/WHICH/predictions.parquet and measured/predict/WHICH/facts.json. A champion that does not
exist answers nothing: an empty table and `{"present": false}`. Plain texts are not answered: texts.parquet says how
well each is foretold, where there are any.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pyarrow as pa

from tasks.core import facts, processor, prompts, record, texts
from tasks.core.config import Frozen
from tasks.core.facts import Fact, Facts
from tasks.core.files import whole_folder, write_json
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.prompts import Prompts
from tasks.core.progress import Progress, announce
from tasks.stages.cluster import connection, versions
from tasks.stages.evaluate import models, reading, speed
from tasks.stages.evaluate.contenders import Which
from tasks.stages.evaluate.decode import Generated, Limits, Tokens, answer_all, shared_prefix
from tasks.stages.evaluate.models import Located, Manner
from tasks.stages.evaluate.sample import rows_for
from tasks.stages.evaluate.team import spread, vllm_engine
from tasks.stages.evaluate.team.alone import Alone
from tasks.stages.evaluate.team.answerer import Answerer, Brief
from tasks.stages.evaluate.team.team import Team

SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("prompt_tokens", pa.int32()),
        ("answer", pa.string()),  # without the stop token; empty where there is none
        ("stopped", pa.bool_()),  # the model ended its turn itself, before max_new_tokens
        ("reason", pa.string()),  # why there is no answer: prompt_too_long, or empty
    ]
)
TOO_LONG = "prompt_too_long"


@dataclass(frozen=True)
class Predictions:
    """Result of the stage."""

    present: bool
    """There is such a model."""
    table: pa.Table
    """Rows of SCHEMA, in the order of the test rows."""
    stop: frozenset[int]
    """Tokens that ended a turn."""
    measured: Facts
    texts: pa.Table | None = None
    """Of `reading.SCHEMA`, in the order of the test rows; None where none is a plain text."""


class Params(Frozen):
    """What it reads of params.yaml."""

    evaluation: Evaluation
    prompts: Prompts


def run(params: Params, layout: Layout, which: Which) -> Predictions:
    """Answer artefacts/split/test.parquet with the model `which`, or its sample with the base model.

    Errors: see `tasks.stages.evaluate.models.locate`, and `tasks.stages.evaluate.team`.
    """
    located = models.locate(layout, which)
    held_out = record.read_table(layout.stage("split") / "test.parquet").to_pylist()
    plain = [row for row in held_out if texts.is_text(row)]
    rows = rows_for(which, [row for row in held_out if not texts.is_text(row)], params.evaluation)
    if located is None:
        result = Predictions(False, SCHEMA.empty_table(), frozenset(), {})
    else:
        vllm_engine.require_installed(params.evaluation)
        if params.evaluation.engine == "vllm":
            vllm_engine.require(located, has_texts=bool(plain))
        if warning := processor.slow_bf16("evaluation", params.evaluation.device, params.evaluation.precision):
            print(warning, flush=True)
        # Nobody serves the base model, and nothing is judged by its latency where it is asked less than the others.
        alone = which != "base" or params.evaluation.base_rows is None
        asked = Asked(models.manner(located), rows, params)
        with ready(asked.brief(located), f"predict@{which}") as team:
            result = predict(team, asked, f"predict@{which}", alone)
            if plain:
                of = asked.manner
                read = reading.measure(team, of.tokenizer, of.context, plain, params.prompts, f"predict@{which}")
                result = replace(result, texts=read)
    _write(result, layout, which, params.evaluation)
    return result


class Asked:
    """Rows (of `tasks.core.record.SCHEMA`) as prompts of a model."""

    def __init__(self, manner: Manner, rows: Sequence[Mapping[str, Any]], params: Params) -> None:
        self.manner, self.rows, self.settings = manner, rows, params.evaluation
        self.encoded = [encode(manner.tokenizer, row, params) for row in rows]
        most = self.settings.max_new_tokens
        self.fitting = [place for place, tokens in enumerate(self.encoded) if manner.fits(tokens, most)]
        self.prompts = [self.encoded[place] for place in self.fitting]

    def brief(self, located: Located) -> Brief:
        most, also = self.settings.max_new_tokens, ["vllm"] if self.settings.engine == "vllm" else []
        return Brief(
            located,
            self.settings,
            Limits(self.manner.stop, most),
            shared_prefix(self.prompts),
            longest=max(map(len, self.prompts), default=1) + most,
            versions=versions.of_here(also),
        )


@contextmanager
def ready(brief: Brief, name: str) -> Iterator[Team]:
    """The model, loaded here, or by Ray's workers."""
    if brief.settings.by_ray(connection.address() is not None):
        with spread.ready(brief, name) as team:
            yield team
        return
    announce(name, "loading the model")
    answerer = Answerer(brief)
    answerer.load()
    yield Alone(answerer)


def predict(team: Team, asked: Asked, name: str, requests: bool = True) -> Predictions:
    """Have all rows answered, and time it. `name` is what progress lines call it.

    `requests`: time some of the rows as requests one at a time, too, for the latency.
    """
    prompts, settings = asked.prompts, asked.settings
    alone = speed.sample(prompts) if requests else []
    then = f"{len(alone)} requests one at a time" if alone else ""
    progress = Progress(name, len(prompts), after=len(alone), then=then)
    began = time.monotonic()
    answers = answer_all(partial(team.each, "answer"), prompts, settings.batch_size, progress.tell)
    seconds = time.monotonic() - began
    said = dict(zip(asked.fitting, answers, strict=True))
    table = [
        _row(row, tokens, said.get(place), asked.manner.tokenizer)
        for place, (row, tokens) in enumerate(zip(asked.rows, asked.encoded, strict=True))
    ]
    progress = Progress(name, len(alone), "requests", before=len(prompts))
    timed = speed.latencies(team, alone, progress.tell)
    measured = speed.facts(timed, len(prompts), seconds, settings, team)
    return Predictions(True, pa.Table.from_pylist(table, schema=SCHEMA), asked.manner.stop, measured)


def _row(row: Mapping[str, Any], prompt: Tokens, said: Generated | None, tokenizer: Any) -> dict[str, Any]:
    """A row of SCHEMA. Special tokens that are no stop stay visible, since they would reach a caller too."""
    return {
        "record_id": row["record_id"],
        "prompt_tokens": len(prompt),
        "answer": tokenizer.decode(said.tokens) if said else "",
        "stopped": said is not None and said.stopped,
        "reason": "" if said else TOO_LONG,
    }


def encode(tokenizer: Any, row: Mapping[str, Any], params: Params) -> Tokens:
    """The prompt as the model sees it: the chat template up to where the assistant's turn begins."""
    turns, _ = prompts.chat(row, params.prompts)
    return list(tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False))


def _write(result: Predictions, layout: Layout, which: Which, settings: Evaluation) -> None:
    name = f"predict/{which}"
    with whole_folder(layout.measured(name)) as folder:
        write_json(folder / "facts.json", {"facts": facts.dump(result.measured)})
    with whole_folder(layout.stage(name)) as folder:
        record.write_table(result.table, folder / "predictions.parquet")
        if result.texts is not None:
            record.write_table(result.texts, folder / reading.file_of(layout, which).name)
        how = {"engine": settings.engine, "stop_token_ids": sorted(result.stop)} if result.present else {}
        stated = facts.dump(_facts(result, settings.engine))
        write_json(folder / "result.json", {"present": result.present, "facts": stated, **how})


def _facts(result: Predictions, engine: str) -> Facts:
    if not result.present:
        return {}
    reasons = result.table["reason"].to_pylist()
    stopped = sum(result.table["stopped"].to_pylist())
    return {
        "rows": Fact(value=len(reasons), note=f"held-out rows that it was asked, with {engine}"),
        "too_long": Fact(value=reasons.count(TOO_LONG), note="prompts that leave no room in the context: no answer"),
        "cut_off": Fact(value=len(reasons) - reasons.count(TOO_LONG) - stopped, note="answers cut at max_new_tokens"),
    }
