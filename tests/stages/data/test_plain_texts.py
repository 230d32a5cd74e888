"""Plain texts of documents go the way of all records: their text is what rules, duplicates and sides are about."""

from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import InputError
from tasks.core.params.params import Params
from tasks.core.records import texts
from tasks.sources.column_mapping import ColumnMapping
from tasks.stages.data.clean import clean
from tasks.stages.data.deduplicate import deduplicate
from tasks.stages.data.ingest import ingest
from tasks.stages.data.split import split
from tests.stages.data import build
from tests.stages.data.build import Run

TASKS = {"triage": {}, "wiki": {"text_window": 64}}


def params(**sections: Any) -> Params:
    """Of a continued pretraining on texts, whose answers are judged on conversations."""
    plain = build.params().model_dump()
    card = {**plain["use_case"], "approach": "continued_pretraining"}
    return Params.model_validate({**plain, "use_case": card, "prompts": TASKS, **sections})


def page(number: int) -> str:
    return f"Page {number}. " + " ".join(f"Branch {number * place} opens at {place}." for place in range(2, 9))


PAGES = [page(number) for number in range(12)] + [page(3), page(4).replace("opens", "openss", 1), "  ", ""]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Documents of which two come twice and two are empty, and conversations that are fixed for the test side."""
    made = Run(tmp_path)
    (tmp_path / "wiki.csv").write_bytes(build.table([{"body": text} for text in PAGES], ["body"]))
    (tmp_path / "chats.csv").write_bytes(build.table(build.messages(5)))
    constants = {"task": "wiki", "language": "en"}
    wiki = build.source("wiki.csv", id="wiki", mapping={"text": "body"}, constants=constants, split="draw")
    made.resolve(wiki, build.source("chats.csv", id="chats", split="test"))
    return made


def test_documents_are_cleaned_deduplicated_and_split_by_their_text(run: Run) -> None:
    how, layout = params(data={"test_share": 0.2, "seed": 3}), run.layout
    ingest.run(ingest.Params(data=how.data, prompts=how.prompts), layout)
    clean.run(clean.Params(data=how.data, evaluation=how.evaluation, prompts=how.prompts), layout)
    assert list(run.rules_of("clean").values()) == ["empty_prompt", "empty_prompt"]
    deduplicate.run(deduplicate.Params(data=how.data), layout)
    assert sorted(run.rules_of("deduplicate")) == [5, 13], "one that is the same, and one but for a slip"
    split.run(split.Params(data=how.data, evaluation=how.evaluation), layout)
    sides = {side: run.records_of("split", side) for side in ("train", "test")}
    plain = {
        side: {texts.plain_text_of(row) for row in rows if texts.is_plain_text(row)} for side, rows in sides.items()
    }
    assert all(texts.is_plain_text(row) for row in sides["train"])
    assert sum(not texts.is_plain_text(row) for row in sides["test"]) == 5
    assert plain["train"] and plain["test"] and not plain["train"] & plain["test"]
    kept = plain["train"] | plain["test"]
    assert {text.split(".")[0] for text in kept} == {f"Page {number}" for number in range(12)}


def test_a_test_side_of_texts_alone_is_refused(tmp_path: Path) -> None:
    made = Run(tmp_path)
    made.pin(build.table([{"body": text} for text in PAGES]), mapping={"text": "body"}, constants={"task": "wiki"})
    how = params(data={"test_share": 0.4})
    ingest.run(how, made.layout)
    clean.run(how, made.layout)
    deduplicate.run(how, made.layout)
    with pytest.raises(InputError, match="none of the test records is a conversation, and plain texts do not show"):
        split.run(how, made.layout)
    assert not made.layout.artefacts("split").exists()


@pytest.mark.parametrize(
    ("task", "mapping", "words"),
    [
        ("triage", {"text": "text"}, r"source src: `mapping.text` goes with .* prompts.triage of params.yaml has no"),
        ("wiki", {"prompt": "text", "response": "label"}, r"prompts.wiki of params.yaml has a text_window; map `text`"),
    ],
)
def test_a_source_and_its_task_are_both_of_texts_or_neither(
    tmp_path: Path, task: str, mapping: dict[str, str], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        Run(tmp_path).ingest(build.table(build.messages(3)), how=params(), mapping=mapping, constants={"task": task})


@pytest.mark.parametrize("fields", [{}, {"text": "a", "messages": "b"}, {"text": "a", "prompt": "b"}])
def test_a_mapping_has_one_form(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="or `text`"):
        ColumnMapping.model_validate(fields)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prompts": {"triage": {}}}, "the approach is continued_pretraining, and of the prompts none has one"),
        ({"use_case": build.CARD}, "the approach is lora, and of the prompts wiki has one"),
        ({"training": {"max_length": 63}}, "prompts.wiki.text_window 64 is more than training.max_length 63"),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        params(**changes)


@pytest.mark.parametrize("method", ["lora", "qlora", "full"])
@pytest.mark.parametrize("zero", [0, 2])
def test_every_method_trains_texts_with_and_without_zero(method: str, zero: int) -> None:
    ranks = {"lora_rank": None, "lora_alpha": None} if method == "full" else {}
    assert params(training={"method": method, "zero_stage": zero, **ranks}).training.method == method
