"""What is in production is exported; other tools load it, it answers as evaluated, and its statement can be verified."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from peft import AutoPeftModelForCausalLM, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
from typer.testing import CliRunner

from infra.cli.releases.verify import verify
from tasks.audit import folder_verification
from tasks.core.errors import InputError, Refused
from tasks.core.files import read_json, tree_manifest, write_json
from tasks.registry.export import export as exports
from tasks.registry.export import llama_cpp, statement
from tasks.registry.export.export import ExportOrder
from tasks.registry.export.statement import ExportStatement
from tests.registry import house as houses
from tests.registry.conftest import copied
from tests.registry.house import NAME, House, writable
from tests.registry.test_asking import SETTINGS, answered

HUB_BASE = {"hub": "acme/tiny", "revision": "a" * 40, "sha256": "0" * 64, "licence": "Apache-2.0"}


class Exported(NamedTuple):
    house: House
    folder: Path
    said: ExportStatement


def export(house: House, wish: str, target: Path, **more: Any) -> ExportStatement:
    order = ExportOrder(NAME, wish, target, "engineer", **more)
    return exports.export_release(house.ledger, house.governance, order, lambda *_: None)


def release(house: House, precision: str = "fp32", **sections: Any) -> list[dict[str, Any]]:
    """Promote a model that answers, and return its answers with their questions."""
    with pytest.MonkeyPatch.context() as settings:
        settings.setitem(houses.PARAMS, "evaluation", SETTINGS | {"precision": precision})
        for name, value in sections.items():
            settings.setitem(houses.PARAMS, name, value)
        layout = house.begin("run-1")
    rows = answered(layout)
    house.open(layout, "data")
    house.open(layout, "evaluation")
    house.promote(house.package(layout))
    return rows


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory, founded_once: Path) -> tuple[House, list[dict[str, Any]]]:
    house = copied(founded_once, tmp_path_factory.mktemp("export") / "house")
    return house, release(house)


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, answering: tuple[House, list[dict[str, Any]]]
) -> Callable[[str], Exported]:
    """Export in a form, made once; tests copy it before they change it."""
    house, _ = answering
    known: dict[str, Exported] = {}

    def make(wish: str) -> Exported:
        if wish not in known:
            folder = tmp_path_factory.mktemp(wish) / "out"
            known[wish] = Exported(house, folder, export(house, wish, folder))
        return known[wish]

    return make


def says(model: Any, folder: Path, rows: list[dict[str, Any]]) -> list[str]:
    """The answers that a consumer gets from transformers, with nothing but the files of the export."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    asking = read_json(folder / "asking.json")
    ends = asking["decoding"]["eos_token_id"]
    answers = []
    for row in rows:
        chat = [
            {"role": "system", "content": asking["system"]["triage"]},
            {"role": "user", "content": row["question"]},
        ]
        prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        said = model.generate(**prompt, **asking["decoding"])[0, prompt["input_ids"].shape[1] :].tolist()
        answers.append(tokenizer.decode(said[:-1] if said[-1] in ends else said))
    return answers


def test_peft_loads_the_adapter_with_the_base_that_it_names(
    made: Callable[[str], Exported], answering: tuple[House, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    exported, rows = made("adapter"), answering[1]
    monkeypatch.chdir(exported.folder)
    model = AutoPeftModelForCausalLM.from_pretrained(".", dtype=torch.float32).eval()
    assert says(model, exported.folder, rows) == [row["answer"] for row in rows]
    monkeypatch.chdir("/")
    base = AutoModelForCausalLM.from_pretrained(exported.folder / "base", dtype=torch.float32)
    model = PeftModel.from_pretrained(base, exported.folder).eval()
    assert says(model, exported.folder, rows) == [row["answer"] for row in rows]


def test_transformers_loads_the_merged_model_alone(
    made: Callable[[str], Exported], answering: tuple[House, list[dict[str, Any]]]
) -> None:
    exported, rows = made("merged"), answering[1]
    model = AutoModelForCausalLM.from_pretrained(exported.folder)
    assert model.dtype == torch.float32
    assert model.generation_config.eos_token_id == read_json(exported.folder / "asking.json")["decoding"]["eos_token_id"]
    assert says(model, exported.folder, rows) == [row["answer"] for row in rows]
    assert len({row["answer"] for row in rows}) > 2, "the rows have answers that can differ"


@pytest.mark.parametrize("wish", ["adapter", "merged", "gguf", "hub"])
def test_the_statement_says_that_each_answer_is_the_evaluated_one(made: Callable[[str], Exported], wish: str) -> None:
    house, folder, said = made(wish)
    assert said.answers and (said.answers.evaluated_rows, said.answers.asked_rows, said.answers.different_rows) == (9, 9, 0)
    assert not said.has_unexpected_differences
    found = folder_verification.verify_folder(folder, house.governance)
    assert found.ok and found.of == "export" and found.release == "triage-1", list(found.describe())
    assert "9 of 9 rows of the evaluation were asked again" in "\n".join(found.describe())
    (entry,) = [each for each in house.ledger.entries(exports.EXPORTED_KIND) if each.body["form"] == said.form
                and each.body["for_hub"] == said.for_hub]
    assert entry.subject == "triage-1" and entry.body["person"] == "engineer"
    assert entry.body["answers"]["different_rows"] == 0
