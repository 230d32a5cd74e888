"""The lines in the ML engineer's guide load a released model and ask it; it answers as it did when it was evaluated."""

import contextlib
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from transformers import AutoTokenizer

from hallmark.models import AdmittedModel
from infra.cli.releases.admit import admission_document
from tasks.core.errors import InputError, Refused
from tasks.core.files import read_json, tree_digest, write_json
from tasks.core.layout import Layout
from tasks.core.params import params as parameters
from tasks.core.payload import inference_config
from tasks.core.records import record
from tasks.core.records.special_tokens import special_token_texts
from tasks.registry.admit import admission
from tasks.stages.evaluate import predict
from tests.registry import house as houses
from tests.registry.conftest import copied
from tests.registry.house import NAME, House, writable
from tests.stages.evaluate import house as models

DOCUMENT = Path(__file__).parents[2] / "docs" / "guides" / "ml-engineer.md"
SETTINGS = {"label_field": "intent", "max_new_tokens": 6, "precision": "fp32", "batch_size": 4}


def documented() -> str:
    (lines,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.S)
    return str(lines)


def answered(layout: Layout) -> list[dict[str, object]]:
    """Stages base_model, split, train and predict@candidate, with a tiny model; the candidate's answers."""
    models.write_base(layout)
    base = layout.artefacts("base_model")
    stated = houses.EXTRA["base_model"] | {"model_sha256": tree_digest(base / "model")}
    write_json(base / "result.json", {"facts": houses.FACTS["base_model"], **stated})
    rows = [models.row(number) for number in range(9)]
    record.write_table(
        pa.Table.from_pylist(rows, schema=record.RECORD_SCHEMA), layout.artefacts("split") / "test.parquet"
    )
    shutil.rmtree(layout.artefacts("train") / "adapter")
    models.write_adapter(base / "model", layout.artefacts("train") / "adapter")
    AutoTokenizer.from_pretrained(base / "model").save_pretrained(layout.artefacts("train") / "adapter")
    predict.run(parameters.load_params(layout.params_path), layout, "candidate")
    write_json(layout.measurements("predict/candidate") / "facts.json", {"facts": {"latency_p95_ms": {"value": 300}}})
    table = record.read_table(layout.artefacts("predict/candidate") / "predictions.parquet").to_pylist()
    return [{**row, "question": rows[place]["messages"][0]["content"]} for place, row in enumerate(table)]


@pytest.fixture(scope="module")
def released_for_real(
    tmp_path_factory: pytest.TempPathFactory, founded_once: Path
) -> tuple[House, list[dict[str, object]]]:
    """A house with a release of a model that answers, and its answers; tests admit it and change nothing."""
    house = copied(founded_once, tmp_path_factory.mktemp("asking") / "house")
    with pytest.MonkeyPatch.context() as settings:
        settings.setitem(houses.PARAMS, "evaluation", SETTINGS)
        layout = house.begin("run-1")
    rows = answered(layout)
    house.open(layout, "data")
    house.open(layout, "evaluation")
    house.promote(house.package(layout))
    return house, rows


def test_the_lines_of_the_documents_get_the_answers_that_were_evaluated(
    released_for_real: tuple[House, list[dict[str, object]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, rows = released_for_real
    found = admission.admit(house.ledger, house.governance, NAME)
    (tmp_path / "admitted.json").write_text(json.dumps(admission_document(found), default=str))
    monkeypatch.chdir(tmp_path)
    ended = {row["stopped"]: row for row in rows}
    assert set(ended) == {True, False}, "both ways of an answer to end"
    for row in ended.values():
        lines = documented().replace('"I lost my card"', repr(row["question"]))
        with contextlib.redirect_stdout(io.StringIO()) as said:
            exec(lines, {})
        assert said.getvalue() == f"{row['answer']}\n"


def test_from_python_it_gives_the_answers_that_were_evaluated(
    released_for_real: tuple[House, list[dict[str, object]]],
) -> None:
    house, rows = released_for_real
    admitted = AdmittedModel(admission.admit(house.ledger, house.governance, NAME))
    for row in {row["stopped"]: row for row in rows}.values():
        assert admitted.ask(str(row["question"])) == row["answer"]
    assert admitted.load()[0] is admitted.load()[0]
    with pytest.raises(InputError, match=r"task 'other': the release has the tasks triage; name one of them"):
        admitted.ask("I lost my card", task="other")
    for turns in ([], [{"role": "system", "content": "x"}], [{"role": "assistant", "content": "x"}]):
        with pytest.raises(InputError, match="expected turns of `user` and `assistant`"):
            admitted.ask(turns)


@pytest.mark.attack(rights="visitor", stopped="a text with a special token of the tokenizer is refused")
def test_a_message_begins_no_turn_of_its_own(released_for_real: tuple[House, list[dict[str, object]]]) -> None:
    house, _ = released_for_real
    admitted = AdmittedModel(admission.admit(house.ledger, house.governance, NAME))
    token = sorted(special_token_texts(admitted.load()[1]), key=len)[-1]
    for messages in (f"x{token}\nsystem", [{"role": "user", "content": token}]):
        with pytest.raises(InputError, match=re.escape(f"contains {token!r}, a special token")):
            admitted.ask(messages)
    for none in ("\udcff", [{"role": "user"}], [7], [{"role": "user", "content": 7}]):
        with pytest.raises(InputError, match="messages: "):
            admitted.ask(none)


@pytest.mark.attack(rights="disk", stopped="what was loaded is compared with the digests that were admitted")
def test_weights_exchanged_after_the_admission_are_not_served(
    released_for_real: tuple[House, list[dict[str, object]]], tmp_path: Path
) -> None:
    house, _ = released_for_real
    admitted = admission.admit(house.ledger, house.governance, NAME)
    assert admitted.base
    model = Path(shutil.copytree(admitted.model, tmp_path / "model"))
    base = Path(shutil.copytree(admitted.base, tmp_path / "base"))
    copied_release = replace(admitted, model=model, base=base, tokenizer=model)
    assert AdmittedModel(copied_release).load()
    for weights in (model / "adapter_model.safetensors", base / "model.safetensors"):
        writable(weights.parent)
        original = weights.read_bytes()
        weights.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
        with pytest.raises(Refused, match="was changed since triage-1 was admitted"):
            AdmittedModel(copied_release).load()
        weights.write_bytes(original)


def test_what_is_admitted_says_how_to_ask_it(released_for_real: tuple[House, list[dict[str, object]]]) -> None:
    house, _ = released_for_real
    told = admission_document(admission.admit(house.ledger, house.governance, NAME))
    assert told["asking"]["system"] == {"triage": "Triage."} and told["asking"]["dtype"] == "float32"
    stop = read_json(house.run("run-1").artefacts("predict/candidate") / "result.json")["stop_token_ids"]
    assert told["asking"]["decoding"] == {"do_sample": False, "max_new_tokens": 6, "eos_token_id": stop} and stop
    assert told["base_sha256"] == tree_digest(told["base"])
    assert told["tokenizer"] == told["model"] and told["chat_template"].is_file()
    assert told["chat_template"].parent == told["tokenizer"]


def test_the_base_models_tokenizer_where_the_adapter_has_none(released: House) -> None:
    found = admission.admit(released.ledger, released.governance, NAME)
    assert found.tokenizer == found.base


def test_a_candidate_that_says_no_stop_is_not_packaged(house: House) -> None:
    layout = house.begin("run-1")
    write_json(layout.artefacts("predict/candidate") / "result.json", {"facts": {}})
    read = parameters.load_params(layout.params_path)
    with pytest.raises(InputError, match="run the stage predict@candidate again"):
        inference_config.settings_of_run(layout, read.prompts, read.evaluation)


@pytest.mark.parametrize("content", [None, "{}", '{"system": {}, "decoding": {"do_sample": true}, "dtype": "int4"}'])
def test_a_release_that_does_not_say_how_it_is_asked_is_not_admitted(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / inference_config.FILE_NAME).write_text(content)
    with pytest.raises(Refused, match="does not say how it is asked"):
        inference_config.read_settings(tmp_path)
