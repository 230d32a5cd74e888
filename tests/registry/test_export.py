"""The release in production is exported: other tools load it, it answers as evaluated, its statement is verified."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from huggingface_hub import HfApi, ModelCard
from transformers import AutoModelForCausalLM, AutoTokenizer

from tasks.audit import folder_verification
from tasks.core.errors import InputError, Refused
from tasks.core.files import read_json, tree_manifest, write_json
from tasks.registry.export import export as exports
from tasks.registry.export import gguf_weights, llama_cpp, statement
from tasks.registry.export.export import ExportOrder
from tasks.registry.export.statement import ExportStatement
from tasks.trust import dsse
from tests import small_install
from tests.in_process import hallmark
from tests.registry import house as houses
from tests.registry.conftest import copied
from tests.registry.house import NAME, House, writable
from tests.registry.own_hub import hub_of_our_own
from tests.registry.test_asking import SETTINGS, answered
from tests.registry.test_recorded import rekeyed

HUB_BASE = {"hub": "acme/tiny", "revision": "a" * 40, "sha256": "0" * 64, "licence": "Apache-2.0"}


class Exported(NamedTuple):
    house: House
    folder: Path
    said: ExportStatement


def export(house: House, wish: str, target: Path, **more: Any) -> ExportStatement:
    order = ExportOrder(NAME, wish, target, "engineer", **more)
    return exports.export_release(house.ledger, house.governance, order, lambda *_: None)


def release(
    house: House, precision: str = "fp32", demo: bool = False, run: str = "run-1", **sections: Any
) -> list[dict[str, Any]]:
    """Promote a model that answers, and return its answers with their questions."""
    with pytest.MonkeyPatch.context() as settings:
        settings.setitem(houses.PARAMS, "evaluation", SETTINGS | {"precision": precision})
        for name, value in sections.items():
            settings.setitem(houses.PARAMS, name, value)
        layout = house.begin(run, demo=demo)
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
    from peft import AutoPeftModelForCausalLM, PeftModel  # takes two CPU seconds, which each pytest worker would pay

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
    assert (
        model.generation_config.eos_token_id == read_json(exported.folder / "asking.json")["decoding"]["eos_token_id"]
    )
    assert says(model, exported.folder, rows) == [row["answer"] for row in rows]
    assert len({row["answer"] for row in rows}) > 2, "the rows have answers that can differ"


@pytest.mark.parametrize("wish", ["adapter", "merged", "gguf", "hub"])
def test_the_statement_says_that_each_answer_is_the_evaluated_one(made: Callable[[str], Exported], wish: str) -> None:
    house, folder, said = made(wish)
    counts = said.answers and (said.answers.evaluated_rows, said.answers.asked_rows, said.answers.different_rows)
    assert counts == (9, 9, 0) and not said.has_unexpected_differences
    found = folder_verification.verify_folder(folder, house.governance)
    assert found.ok and found.of == "export" and found.release == "triage-1", list(found.describe())
    told = "\n".join(found.describe())
    assert "9 of 9 rows of the evaluation were asked again" in told and "valid: the export of triage-1, digest" in told
    bodies = [entry.body for entry in house.ledger.entries(exports.EXPORTED_KIND, "triage-1")]
    envelope = dsse.envelope_digest(dsse.read_envelope(folder / statement.STATEMENT_FILE))
    (body,) = [body for body in bodies if body["statement"] == envelope]
    assert body["person"] == "engineer" and body["form"] == said.form and body["answers"]["different_rows"] == 0


def test_llama_cpp_answers_as_evaluated(made: Callable[[str], Exported]) -> None:
    pytest.importorskip(llama_cpp.PACKAGE, reason="extra llamacpp")
    said = made("gguf").said
    assert said.answers and said.answers.asked_with.startswith("llama.cpp of xllamacpp ") and said.not_tried == []


def test_a_gguf_file_that_llama_cpp_did_not_read_says_so(
    answering: tuple[House, list[dict[str, Any]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama_cpp, "is_installed", lambda: False)
    said = export(answering[0], "gguf", tmp_path / "out")
    assert said.not_tried == ["llama.cpp"] and said.answers and said.answers.different_rows == 0
    assert said.answers.asked_with.startswith("transformers ")
    assert "Not tried: llama.cpp" in (tmp_path / "out" / "README.md").read_text()


def test_an_export_that_answers_otherwise_says_on_how_many_rows(
    answering: tuple[House, list[dict[str, Any]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Queries and keys in transformers' order are read without error, and give other answers."""
    plain = gguf_weights.ARCHITECTURES["llama"]._replace(interleaved=False)
    monkeypatch.setitem(gguf_weights.ARCHITECTURES, "llama", plain)
    said = export(answering[0], "gguf", tmp_path / "out", max_rows=4)
    assert said.answers and said.answers.asked_rows == 4 and said.answers.evaluated_rows == 9
    assert said.answers.different_rows > 0 and said.has_unexpected_differences
    found = folder_verification.verify_folder(tmp_path / "out", answering[0].governance)
    assert (
        f"{said.answers.different_rows} (" in "\n".join(found.describe())
        and "differ from the answers" in found.checks[-1].text
    )


def test_in_bfloat16_the_share_is_stated_and_expected(tmp_path: Path, founded_once: Path) -> None:
    """An adapter that is not merged rounds otherwise than the merged model that was evaluated."""
    house = copied(founded_once, tmp_path / "house")
    release(house, "bf16")
    said = export(house, "adapter", tmp_path / "adapter")
    assert said.dtype == "bfloat16" and said.answers and said.answers.different_rows > 0
    assert not said.has_unexpected_differences
    share = f"{said.answers.different_rows} ({said.answers.different_rows / 9:.1%}) differ from the answers"
    assert share in said.describe_answers() and share in (tmp_path / "adapter" / "README.md").read_text()
    export(house, "merged", tmp_path / "merged", max_rows=0)
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "merged").dtype == torch.bfloat16


def test_without_rows_it_says_that_nothing_was_asked(
    answering: tuple[House, list[dict[str, Any]]], tmp_path: Path
) -> None:
    said = export(answering[0], "adapter", tmp_path / "out", max_rows=0, with_base=False)
    assert said.answers is None and "asked no row" in (tmp_path / "out" / "README.md").read_text()
    assert not (tmp_path / "out" / "base").exists()
    config = read_json(tmp_path / "out" / "adapter_config.json")
    assert config["base_model_name_or_path"] == "base", "what the origin `folder base` calls it"


NAMES = ("Engineer", "Product owner", "Risk officer", "product", "engineer", "owner", "risk-officer")


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # huggingface_hub 2.4 uploads with `data=`
def test_a_hub_folder_names_its_base_and_no_person(tmp_path: Path, founded_once: Path) -> None:
    house = copied(founded_once, tmp_path / "house")
    release(house, base_model=HUB_BASE)
    folder = tmp_path / "out"
    said = export(house, "hub", folder)
    assert said.form == "adapter" and said.requested_by == "" and not (folder / "base").exists()
    config = read_json(folder / "adapter_config.json")
    assert (config["base_model_name_or_path"], config["revision"]) == ("acme/tiny", "a" * 40)
    card = ModelCard.load(folder / "README.md")
    told = (card.data.base_model, card.data.library_name, card.data.license, card.data.pipeline_tag)
    assert told == ("acme/tiny", "peft", "apache-2.0", "text-generation")
    signature = dsse.unverified_statement(dsse.read_envelope(folder / statement.STATEMENT_FILE))
    texts = {
        path.name: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in (".md", ".json", ".jinja", "")
    }
    assert {"README.md", "adapter_config.json", "export.json", ".gitattributes"} <= texts.keys()
    for where, data in {**texts, "statement": json.dumps(signature).encode()}.items():
        for word in (str(tmp_path), str(Path.home()), *(f'"{name}"' for name in NAMES)):
            if word != "/":
                assert word.encode() not in data, (where, word)
    repository = upload(folder)
    assert repository.keys() == tree_manifest(folder).keys()
    found = folder_verification.verify_folder_from_root(folder, house.root_of_trust)
    assert found.verdict == "incomplete" and "copy attestations/governance" in found.against
    shutil.copytree(house.bundle() / "attestations" / "governance", folder / "hallmark" / "governance")
    assert folder_verification.verify_folder_from_root(folder, house.root_of_trust).verdict == "valid"


def upload(folder: Path) -> dict[str, bytes]:
    """Upload a folder to a hub on this machine, and return the files that the hub then has."""
    with hub_of_our_own() as (endpoint, received):
        HfApi(endpoint=endpoint, token="hf_test").upload_folder(folder_path=folder, repo_id="acme/triage")
    for path in (path for path in folder.rglob("*") if path.is_file()):
        assert received[path.relative_to(folder).as_posix()] == path.read_bytes()
    return received


def a_byte(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / name
        data = path.read_bytes()
        path.write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])

    return change


CHANGED = {
    **{name: a_byte(name) for name in ("model.safetensors", "README.md", "asking.json", statement.STATEMENT_FILE,
                                       statement.PROMOTION_FILE, "hallmark/governance/0001.json")},
    "a file more": lambda folder: (folder / "modeling.py").write_text("import os"),
    "a file more among the proofs": lambda folder: (folder / "hallmark" / "run.py").write_text("import os"),
    "a file less": lambda folder: (folder / "generation_config.json").unlink(),
    "no promotion": lambda folder: (folder / statement.PROMOTION_FILE).unlink(),
}  # fmt: skip


@pytest.mark.attack(rights="disk", stopped="a statement lists every file of an export by digest under the ledger's key")
@pytest.mark.parametrize("what", CHANGED)
def test_whatever_is_changed_in_an_export_is_found(made: Callable[[str], Exported], tmp_path: Path, what: str) -> None:
    house, folder, _ = made("merged")
    copy = writable(Path(shutil.copytree(folder, tmp_path / "copy")))
    assert folder_verification.verify_folder_from_root(copy, house.root_of_trust).verdict == "valid"
    CHANGED[what](copy)
    found = folder_verification.verify_folder_from_root(copy, house.root_of_trust)
    assert found.verdict == ("incomplete" if what == "no promotion" else "invalid")


@pytest.mark.attack(rights="gate key", stopped="an export counts under the ledger's key alone")
def test_a_statement_by_somebody_else_counts_for_nothing(made: Callable[[str], Exported], tmp_path: Path) -> None:
    house, folder, said = made("merged")
    copy = writable(Path(shutil.copytree(folder, tmp_path / "copy")))
    for changes, by, why in (
        ({}, "gate", "the envelope is signed by"),
        ({"release_sha256": "0" * 64}, "ledger", "another release than the one that was exported"),
    ):
        files = {name: sha256 for name, sha256 in tree_manifest(copy).items() if not name.startswith("hallmark/")}
        value = said.json_value | changes
        envelope = dsse.sign_statement(dsse.make_statement(statement.PREDICATE_TYPE, files, value), house.key(by))
        dsse.write_envelope(copy / statement.STATEMENT_FILE, envelope)
        found = folder_verification.verify_folder(copy, house.governance)
        assert found.verdict == "invalid" and why in found.against


def refused(house: House, target: Path, wish: str = "adapter", model: str = NAME, person: str = "engineer") -> str:
    """The message with which an export is refused, which leaves no file and no entry."""
    before = len(house.ledger.entries(exports.EXPORTED_KIND)), set(target.parent.iterdir())
    with pytest.raises((InputError, Refused)) as told:
        exports.export_release(
            house.ledger, house.governance, ExportOrder(model, wish, target, person), lambda *_: None
        )
    assert (len(house.ledger.entries(exports.EXPORTED_KIND)), set(target.parent.iterdir())) == before
    return str(told.value)


def test_what_cannot_be_exported_is_refused_whole(
    answering: tuple[House, list[dict[str, Any]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, target = answering[0], tmp_path / "out"
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    assert "is there already" in refused(house, tmp_path / "there")
    assert "nobody in people.yaml" in refused(house, target, person="stranger")
    assert "no release of 'other' is promoted" in refused(house, target, model="other")
    predictions = house.run("run-1").artefacts("predict/candidate")
    predictions.rename(predictions.with_name("away"))
    assert "is not on this machine" in refused(house, target) and "--rows 0" in refused(house, target)
    predictions.with_name("away").rename(predictions)
    result = read_json(predictions / "result.json")
    write_json(predictions / "result.json", result | {"facts": {"rows": {"value": 1}}})
    assert "is not what was evaluated" in refused(house, target)
    write_json(predictions / "result.json", result)
    monkeypatch.setattr(exports, "_compare", full_disk)
    with pytest.raises(OSError, match="full"):
        export(house, "merged", target)
    assert set(tmp_path.iterdir()) == {tmp_path / "there"}


def full_disk(*_: object) -> None:
    raise OSError("the disk is full")


def test_weights_that_were_changed_are_not_exported(tmp_path: Path, founded_once: Path) -> None:
    house = copied(founded_once, tmp_path / "house")
    release(house)
    weights = writable(house.bundle()) / "payload" / "model" / "adapter_model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    (tmp_path / "place").mkdir()
    assert "does not verify" in refused(house, tmp_path / "place" / "out")


def test_what_is_not_in_production_is_not_exported(tmp_path: Path, founded_once: Path) -> None:
    house = copied(founded_once, tmp_path / "house")
    release(house)
    house.release("run-2", b"other")
    (tmp_path / "place").mkdir()
    told = refused(house, tmp_path / "place" / "out", model="triage-1")
    assert "triage-1 is not in production but triage-2 is" in told


def test_the_command_exports_and_says_how_to_verify(
    answering: tuple[House, list[dict[str, Any]]], tmp_path: Path
) -> None:
    house = copied(answering[0].root, tmp_path / "house")
    told = hallmark(house.checkout(), "releases", "export", NAME, *merged_to(tmp_path / "out"))
    assert "9 of 9 rows" in told and f"hallmark releases verify DIR --root {house.root_of_trust}" in told
    told = hallmark(tmp_path, "releases", "verify", "out", "--root", house.root_of_trust)
    assert "valid: the export of triage-1" in told
    told = hallmark(house.root, "releases", "export", NAME, *merged_to(tmp_path / "out"), code=2)
    assert "is there already" in told
    told = hallmark(house.root, "releases", "export", NAME, *merged_to(house.root / ".hallmark" / "x"), code=2)
    assert "not written by hand" in told


def merged_to(folder: Path) -> tuple[str, ...]:
    return "--form", "merged", "--to", str(folder), "--as", "engineer"


def test_an_export_is_verified_without_the_platform(made: Callable[[str], Exported]) -> None:
    house, folder, _ = made("gguf")
    with small_install.installed() as small:
        done = small.run("releases", "verify", "out", "--root", house.root_of_trust, cwd=folder.parent)
    assert done.returncode == 0 and "valid: the export of triage-1" in done.stdout, done.stderr + done.stdout


def test_what_demo_identities_approved_is_marked(tmp_path: Path, founded_once: Path) -> None:
    house = copied(founded_once, tmp_path / "house")
    release(house, demo=True)
    said = export(house, "adapter", tmp_path / "out", max_rows=0)
    assert said.demo and "**Demonstration only.**" in (tmp_path / "out" / "README.md").read_text()
    found = folder_verification.verify_folder(tmp_path / "out", house.governance)
    assert found.ok and "demonstration only, no person decided" in found.conclusion()


def test_a_key_that_was_revoked_signs_for_no_export(tmp_path: Path, founded_once: Path) -> None:
    """Whoever has it could date an export back."""
    house = copied(founded_once, tmp_path / "house")
    release(house)
    export(house, "adapter", tmp_path / "out", max_rows=0)
    rekeyed(house, "revoked_as_of: 2100-01-01, reason: stolen")
    found = folder_verification.verify_folder(tmp_path / "out", house.governance)
    assert found.verdict == "invalid" and "is revoked as of 2100-01-01" in found.against
