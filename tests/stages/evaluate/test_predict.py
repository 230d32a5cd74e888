"""The stage: which model answers, that a champion is checked first, and that the same inputs give the same bytes."""

import re
import shutil
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from tasks.core import facts, progress
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.files import read_json, tree_digest, write_json
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.core.records import record
from tasks.stages.evaluate import decode, models, predict
from tasks.stages.evaluate.decode import Decoder
from tasks.stages.evaluate.inference.in_process import InProcessExecutor
from tasks.stages.evaluate.inference.model_process import ModelProcess
from tasks.stages.evaluate.model_names import ModelName
from tests.stages.evaluate import house


def answers(layout: Layout, which: ModelName, params: Params | None = None) -> list[dict[str, Any]]:
    predict.run(params or house.params(), layout, which)
    return record.read_table(layout.artefacts(f"predict/{which}") / "predictions.parquet").to_pylist()


def require_same(rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> None:
    """Compare predictions; the last digits of a log-probability depend on how the model was computed."""
    for row, other in zip(rows, others, strict=True):
        assert row == other | {"log_probability": row["log_probability"]}
        assert row["log_probability"] == pytest.approx(other["log_probability"], abs=1e-3)


def give_adapter(layout: Layout) -> Path:
    folder = layout.artefacts("train") / "adapter"
    house.write_adapter(layout.artefacts("base_model") / "model", folder)
    return folder


def give_champion(layout: Layout) -> Path:
    """A release in production: an adapter of this run's base model, as `package` lays it out."""
    payload = layout.state / "releases" / "triage-3" / "payload"
    house.write_adapter(layout.artefacts("base_model") / "model", payload / "model")
    base = tree_digest(layout.artefacts("base_model"))
    write_json(payload / "manifest.json", {"method": "lora", "stages": {"base_model": base}})
    point_at(layout, payload)
    return payload


def change_base(layout: Layout) -> Path:
    """Promotion kept the base model, and this run has another one; the kept one's folder."""
    base = layout.artefacts("base_model")
    kept = layout.base_model_folder(tree_digest(base))
    shutil.copytree(base, kept)
    house.enliven(base / "model", factor=0.5)
    return kept


def point_at(layout: Layout, payload: Path) -> None:
    relative = payload.relative_to(layout.state).as_posix()
    value = {"release": "triage-3", "version": 3, "sha256": tree_digest(payload), "payload": relative}
    write_json(layout.champion_path, value)


def test_the_base_model_answers_every_row(layout: Layout) -> None:
    rows = answers(layout, "base")
    assert [row["record_id"] for row in rows] == [house.row(number)["record_id"] for number in range(12)]
    assert len({row["answer"] for row in rows}) > 4
    result = read_json(layout.artefacts("predict/base") / "result.json")
    assert result["present"] is True
    assert facts.facts_from_json(result["facts"])["rows"].value == 12
    assert facts.facts_from_json(result["facts"])["too_long"].value == 0
    assert facts.facts_from_json(result["facts"])["cut_off"].value == sum(not row["stopped"] for row in rows)


def test_the_candidate_answers_the_calibration_rows_before_the_test_rows(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    real = Decoder.answer
    monkeypatch.setattr(Decoder, "answer", lambda self, batch: sizes.append(len(batch)) or real(self, batch))
    give_adapter(layout)
    split = layout.artefacts("split")
    ids = [house.row(number)["record_id"] for number in (101, 104)]
    record.write_table(pa.table([ids, [1, 4]], schema=record.VALIDATION_SCHEMA), split / "calibration.parquet")
    tested = answers(layout, "candidate")
    found = record.read_table(layout.artefacts("predict/candidate") / "calibration.parquet").to_pylist()
    assert [row["record_id"] for row in found] == ids
    assert sizes[:4] == [2, 4, 4, 4]
    for row in [*tested, *found]:
        assert row["log_probability"] < 0 and row["log_probability"] == round(row["log_probability"], 6)
        assert 0 < row["answer_tokens"] <= house.EVALUATION["max_new_tokens"]
    answers(layout, "base")
    assert not (layout.artefacts("predict/base") / "calibration.parquet").exists()


def test_the_same_inputs_give_the_same_bytes(layout: Layout, tmp_path: Path) -> None:
    answers(layout, "base")
    first = tree_digest(layout.artefacts("predict/base"))
    other = Layout(tmp_path / "elsewhere")
    for name in ("base_model", "split"):
        shutil.copytree(layout.artefacts(name), other.artefacts(name))
    answers(other, "base")
    assert tree_digest(other.artefacts("predict/base")) == first


def test_batches_answer_as_one_by_one(layout: Layout) -> None:
    single = answers(layout, "base", house.params(batch_size=1))
    require_same(answers(layout, "base", house.params(batch_size=12)), single)
    require_same(answers(layout, "base", house.params(batch_size=5)), single)


def test_measured_figures_stand_apart(layout: Layout) -> None:
    give_adapter(layout)
    answers(layout, "candidate")
    stated = facts.facts_from_json(read_json(layout.measurements("predict/candidate") / "facts.json")["facts"])
    costs = {"rows_per_second", "cost_per_1000_requests", "peak_memory_gb"}
    assert set(stated) == {"latency_p50_ms", "latency_p95_ms", *costs}
    assert 0.1 < stated["peak_memory_gb"].value < psutil.virtual_memory().total / 1e9
    assert 0 < stated["latency_p50_ms"].value <= stated["latency_p95_ms"].value
    assert "one at a time" in stated["latency_p95_ms"].note
    rate = stated["rows_per_second"].value
    assert stated["cost_per_1000_requests"].value == pytest.approx(0.1 / 3600 * 1000 / rate)


def test_nobody_waits_for_the_latency_of_the_base_model(layout: Layout) -> None:
    answers(layout, "base")
    stated = facts.facts_from_json(read_json(layout.measurements("predict/base") / "facts.json")["facts"])
    assert set(stated) == {"rows_per_second", "cost_per_1000_requests", "peak_memory_gb"}


def test_a_base_model_that_is_asked_everything_is_timed_like_the_others(layout: Layout) -> None:
    answers(layout, "base", house.params(base_rows=None))
    stated = facts.facts_from_json(read_json(layout.measurements("predict/base") / "facts.json")["facts"])
    assert 0 < stated["latency_p50_ms"].value <= stated["latency_p95_ms"].value


def test_a_timed_request_reads_its_whole_prompt(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = Decoder.answer
    monkeypatch.setattr(Decoder, "answer", lambda self, batch: read.append(len(self.prefix)) or real(self, batch))
    give_adapter(layout)
    answers(layout, "candidate")
    assert len(set(read[:3])) == 1 and read[0] > 5, "batches share what their prompts begin with"
    assert read[3:] == [0] * 13


def test_an_adapter_answers_otherwise_and_as_peft_does_unmerged(layout: Layout) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    adapter = give_adapter(layout)
    rows = answers(layout, "candidate")
    assert [row["answer"] for row in rows] != [row["answer"] for row in answers(layout, "base")]
    base = models.locate_model(layout, "base")
    assert base is not None
    unmerged = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base.base_folder), adapter).eval()
    test = [house.row(number) for number in range(12)]
    asked = predict.EncodedRows(models.read_prompt_limits(base), test, house.params())
    answerer = ModelProcess(asked.model_setup(base))
    answerer.use_model(unmerged)
    require_same(predict.predict(InProcessExecutor(answerer), asked, "unmerged").table.to_pylist(), rows)


def test_a_full_model_answers_by_itself(layout: Layout) -> None:
    shutil.copytree(layout.artefacts("base_model") / "model", layout.artefacts("train") / "model")
    expected = answers(layout, "base")
    (layout.artefacts("base_model") / "model" / "model.safetensors").write_bytes(b"not needed")
    assert answers(layout, "candidate") == expected


def test_a_candidate_that_was_not_trained(layout: Layout) -> None:
    with pytest.raises(InputError, match="run the stage train"):
        answers(layout, "candidate")


def test_without_a_champion_nothing_answers(layout: Layout) -> None:
    write_json(layout.champion_path, None)
    assert answers(layout, "champion") == []
    assert read_json(layout.artefacts("predict/champion") / "result.json") == {"present": False, "facts": {}}
    assert read_json(layout.measurements("predict/champion") / "facts.json") == {"facts": {}}


def test_an_unresolved_champion(layout: Layout) -> None:
    with pytest.raises(InputError, match="hallmark resolve"):
        answers(layout, "champion")


def test_a_champion_answers_as_the_same_candidate_would(layout: Layout) -> None:
    give_champion(layout)
    give_adapter(layout)
    assert answers(layout, "champion") == answers(layout, "candidate")


@pytest.mark.parametrize("name", ["model/adapter_model.safetensors", "manifest.json", "added.txt"])
def test_a_champion_that_changed_is_refused_before_it_is_loaded(
    layout: Layout, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = give_champion(layout)
    with (payload / name).open("ab") as file:
        file.write(b" ")
    monkeypatch.setattr(models, "load_model", lambda *_: pytest.fail("loaded all the same"))
    with pytest.raises(Refused, match=r"triage-3 has changed: expected SHA-256 \w{64}, found \w{64}"):
        answers(layout, "champion")
    assert not layout.artefacts("predict/champion").exists()


def test_a_champion_that_is_away(layout: Layout) -> None:
    shutil.rmtree(give_champion(layout))
    with pytest.raises(Unavailable, match="fetch the release"):
        answers(layout, "champion")


def test_an_adapter_of_another_base_model_answers_over_its_own(layout: Layout) -> None:
    give_champion(layout)
    expected = answers(layout, "champion")
    change_base(layout)
    give_adapter(layout)
    assert answers(layout, "champion") == expected != answers(layout, "candidate")


def test_the_base_model_of_a_champion_is_away(layout: Layout) -> None:
    give_champion(layout)
    shutil.rmtree(change_base(layout))
    with pytest.raises(Unavailable, match=r"triage-3 is an adapter of another base model .*hallmark releases show"):
        answers(layout, "champion")


def test_the_base_model_of_a_champion_that_changed_is_not_loaded(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_champion(layout)
    (change_base(layout) / "model" / "chat_template.jinja").write_text("{{ x }}")
    monkeypatch.setattr(models, "load_model", lambda *_: pytest.fail("loaded all the same"))
    with pytest.raises(Refused, match=r"base model of the champion triage-3 has changed: expected SHA-256 \w{64}"):
        answers(layout, "champion")


def test_a_full_champion_needs_no_base_model(layout: Layout) -> None:
    payload = layout.state / "releases" / "triage-3" / "payload"
    shutil.copytree(layout.artefacts("base_model") / "model", payload / "model")
    write_json(payload / "manifest.json", {"method": "full", "stages": {"base_model": "c" * 64}})
    point_at(layout, payload)
    assert answers(layout, "champion") == answers(layout, "base")


def test_a_prompt_longer_than_the_context_gets_no_answer(layout: Layout) -> None:
    house.write_split(layout, [house.row(0), house.saying(1, "x" * 4096, house.target(1))])
    first, second = answers(layout, "base")
    assert (first["reason"], second["reason"]) == ("", "prompt_too_long")
    assert (second["answer"], second["stopped"]) == ("", False)
    assert second["prompt_tokens"] > 4096
    assert read_json(layout.artefacts("predict/base") / "result.json")["facts"]["too_long"]["value"] == 1


def test_the_context_holds_prompt_and_answer_to_the_last_token(layout: Layout) -> None:
    located = models.locate_model(layout, "base")
    assert located is not None
    manner = models.read_prompt_limits(located)
    assert manner.fits([0] * 4090, 6)
    assert not manner.fits([0] * 4091, 6)


@pytest.mark.parametrize("stated", [True, False], ids=["as it says", "with no settings of generation"])
def test_what_ends_a_turn_is_known_without_the_weights(layout: Layout, stated: bool) -> None:
    located = models.locate_model(layout, "base")
    assert located is not None
    if not stated:
        (located.base_folder / "generation_config.json").unlink()
    model = models.load_model(located, house.params().evaluation)
    manner = models.read_prompt_limits(located)
    assert manner.stop_tokens == decode.find_stop_tokens(model.generation_config, manner.tokenizer)
    assert (len(manner.stop_tokens) > 5) is stated and manner.context_tokens == model.config.max_position_embeddings


def test_no_prompt_fits(layout: Layout) -> None:
    house.write_split(layout, [house.saying(1, "x" * 4096, house.target(1))])
    assert [row["reason"] for row in answers(layout, "base")] == ["prompt_too_long"]
    assert read_json(layout.measurements("predict/base") / "facts.json") == {"facts": {}}


def test_a_gpu_that_is_not_there(layout: Layout) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(Unavailable, match=r"evaluation\.device is gpu"):
        answers(layout, "base", house.params(device="gpu"))


def test_single_requests_count_as_work(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They take minutes where a model is large: all rows answered is not all that there is to do."""
    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 0)
    give_adapter(layout)
    answers(layout, "candidate")
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("progress predict@candidate ")]
    assert told[0] == "progress predict@candidate loading the model"
    counted = [re.match(r"progress predict@candidate (\d+)/25 (.*)", line) for line in told[1:]]
    assert [int(match[1]) for match in counted if match] == [4, 8, *range(12, 25)]
    words = [match[2] for match in counted if match]
    assert words[1].endswith(", then 13 requests one at a time") and "requests/s" in words[-1]
