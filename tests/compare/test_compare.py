"""Tiny base models compared for real: fetched, asked, trained some steps and asked again."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from tasks.core import facts
from tasks.core.errors import Refused
from tasks.core.files import read_json, sha256_file, tree_digest
from tests import whole_run
from tests.compare.conftest import come_to_its_rows
from tests.copies import copy_tree
from tests.in_process import adopt, hallmark, hallmark_json, run_command
from tests.patience import patience, wait_until
from tests.processes import title
from tests.stages.evaluate.browser import Page
from tests.stages.evaluate.house import enliven
from tests.stages.train.tiny_gguf import write_gguf
from tests.tiny_project import checked, commit, create

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

FEW = ("--rows", "12", "--train-rows", "24", "--steps", "3")
STATES = ["zero_shot", "fine_tuned"]
BASE = "  - {{name: {name}, folder: {folder}, sha256: {sha256}, licence: MIT{more}}}\n"
TERMS = ", usage_policy: no medical advice, provider: Elsewhere Ltd, region: us"


class Compared(NamedTuple):
    project: Path
    document: Any
    errors: str


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, passed_project: Path) -> Compared:
    """A comparison that was interrupted and said again: of `plain`, of `lively`, whose chat template ends many answers
    early, so that it can be asked and cannot be trained, and of `other`, whose files are not those of its digest."""
    project = tmp_path_factory.mktemp("compared") / "project"
    copy_tree(passed_project, project)
    model, lively = (
        project / "examples" / "model",
        project.parent / "lively",
    )  # beside the checkout, as `../lively` says
    shutil.copytree(model, lively)
    enliven(lively)
    bases = (project / "bases.yaml").read_text().partition("  - name: louder")[0]
    bases += BASE.format(name="lively", folder="../lively", sha256=tree_digest(lively), more=TERMS)
    bases += BASE.format(name="other", folder="examples/louder", sha256="a" * 64, more="")
    (project / "bases.yaml").write_text(bases)
    interrupt_after(project, "plain: zero-shot done")
    words = ("compare", "bases.yaml", *FEW, "--json")
    done = checked(run_command(project, words), words, code=1)
    return Compared(project, json.loads(done.stdout), done.stderr)


def interrupt_after(project: Path, line: str) -> None:
    """Press Ctrl-C once the comparison has said a line and the stage behind it is at work; nothing of it lives on."""
    command = [Path(sys.executable).with_name("hallmark"), "compare", "bases.yaml", *FEW]
    place = project / ".hallmark" / "compared"
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout
        said = next((said for said in process.stdout if said.startswith(line)), "")
        assert said.startswith(line)
        wait_until(lambda: "tokenise" in " ".join(at_work(place)), "the next stage", process=process)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(patience(60)) != 0
    assert not at_work(place)
    (left,) = (place / ".hallmark" / "runs").glob("*")
    assert (left / "artefacts" / "predict" / "base" / "result.json").is_file()
    shutil.copy(left / "measured" / "predict" / "base" / "facts.json", project / "answered.json")


def at_work(place: Path) -> list[str]:
    """Return the command lines of all processes that name the place."""
    return [line for line in map(title, psutil.process_iter()) if str(place) in line]


def test_every_base_model_has_figures_with_intervals_before_and_after_its_fine_tune(compared: Compared) -> None:
    told = compared.document
    assert (told["asked"], told["trained_on"], told["languages"], told["state"]) == (12, 24, {"en": 12}, "fine_tuned")
    plain, lively, _ = told["bases"]
    assert [each["name"] for each in told["bases"]] == ["plain", "lively", "other"]
    assert [list(each["standings"]) for each in told["bases"]] == [STATES, STATES[:1], []]
    for each, state in ((plain, "zero_shot"), (plain, "fine_tuned"), (lively, "zero_shot")):
        standing, taken = each["standings"][state], each["taken"][state]
        for metric in told["metrics"]:
            for scores in (standing["scores"], standing["languages"]["en"]["scores"]):
                it = scores[metric["name"]]
                assert it["low"] <= it["value"] <= it["high"]
        assert standing["scores"]["exact_match"]["high"] > 0.2, "twelve rows say little"
        assert 0 < taken["latency_p50_ms"] <= taken["latency_p95_ms"]
        price = told["price_per_hour"] / 3600 * 1000
        assert taken["cost_per_1000_requests"] == pytest.approx(price / taken["rows_per_second"])
        assert 0.1 < taken["peak_memory_gb"] < psutil.virtual_memory().total / 1e9
    assert (plain["context"], plain["parameters"]) == (4096, 329_664)
    assert plain["trained"]["steps"] == 3 and plain["trained"]["rows"] == 24 and plain["trained"]["final_loss"] > 0
    assert plain["training_gb"] > 329_664 * 4 / 1e9
    assert plain["learnt"]["rows"] == 12 and plain["left_out"] is None


def test_one_that_goes_wrong_does_not_keep_the_others(compared: Compared) -> None:
    _, lively, other = compared.document["bases"]
    assert compared.document["best"] == "plain" and lively["trained"] is None
    assert "stage tokenise" in lively["left_out"]
    assert other["standings"] == {} and "holds another model than " + "a" * 64 in other["left_out"]
    assert "hallmark: base model lively was not compared: stage tokenise" in compared.errors
    page = (compared.project / ".hallmark" / "compared" / "comparison.html").read_text()
    assert "lively</b> was not asked to the end" in page


def test_terms_stand_beside_the_figures(compared: Compared) -> None:
    plain, lively, _ = compared.document["bases"]
    assert plain["terms"]["licence"]["why"].startswith("Apache-2.0") and plain["terms"]["usage_policy"] is None
    assert plain["terms"]["residency"]["why"] == "answers on machines of your own; nothing leaves them"
    assert lively["terms"]["usage_policy"] == "no medical advice"
    assert "Elsewhere Ltd answers in us, the sources lie in eu" in lively["terms"]["residency"]["why"]
    assert plain["allowed"] and lively["allowed"]


def test_what_was_interrupted_went_on(compared: Compared) -> None:
    before = facts.facts_from_json(read_json(compared.project / "answered.json")["facts"])["latency_p50_ms"].value
    taken = compared.document["bases"][0]["taken"]
    assert taken["zero_shot"]["latency_p50_ms"] == before, "it was not asked a second time"
    home = compared.project / ".hallmark" / "compared" / ".hallmark"
    assert len(list((home / "outcomes").glob("*.json"))) == 1
    assert not list((home / "runs").glob("*/artefacts/train")), "of what is done no copies of rows and weights are left"


@pytest.fixture
def twins(compared: Compared, tmp_path: Path) -> Path:
    """The project of the comparison with a file of base models that names `plain` twice."""
    project = copy_tree(compared.project, tmp_path / "project")
    plain = (project / "bases.yaml").read_text().partition("  - {name: lively")[0]
    (project / "bases.yaml").write_text(plain + plain.partition("bases:\n")[2].replace("name: plain", "name: twin"))
    return project


def test_what_is_done_is_not_done_again_and_differences_from_the_best_are_paired(
    compared: Compared, twins: Path
) -> None:
    again = hallmark(twins, "compare", "bases.yaml", *FEW)
    assert "plain: was done before" in again and "twin: was done before" in again and "zero-shot done" not in again
    told = hallmark_json(twins, "compare", "bases.yaml", *FEW, "--out", "../pages")
    (first, *_), (plain, twin) = compared.document["bases"], told["bases"]
    assert (plain["taken"], plain["trained"]) == (first["taken"], first["trained"])
    assert "plain" in (twins.parent / "pages" / "comparison.html").read_text()
    others = {each["name"]: each["standings"]["fine_tuned"]["against_best"] for each in (plain, twin)}
    assert others.pop(told["best"]) is None
    (it,) = others.values()
    assert it["rows"] == 12 and it["gain"]["low"] <= 0 <= it["gain"]["high"] and it["verdict"] == "undecided"
    assert set(it["gains"]) == {"macro_f1"}


@pytest.mark.soak
def test_a_second_base_model_is_trained_apart_from_the_first(twins: Path, passed_project: Path) -> None:
    shutil.copy(passed_project / "bases.yaml", twins)
    plain, louder = hallmark_json(twins, "compare", "bases.yaml", *FEW)["bases"]
    assert [list(each["standings"]) for each in (plain, louder)] == [STATES, STATES]
    assert louder["trained"]["steps"] == 3 and louder["trained"]["final_loss"] != plain["trained"]["final_loss"]


def test_the_page_shows_a_point_with_its_interval_for_each_base_model_and_state(compared: Compared) -> None:
    page = Page((compared.project / ".hallmark" / "compared" / "comparison.html").read_text())
    assert not page.open and page.tags.count("svg") == 4, "a picture, and three signs of its legend"
    whiskers = [value for name, value in page.attributes if name == "class" and value.startswith("whisker")]
    assert sorted(whiskers) == ["whisker fine_tuned", *["whisker zero_shot"] * 2]
    assert "No base model gave a right answer fine-tuned" in page.text, "three steps are few"
    assert "This page advises; it opens no gate." in page.text and "Elsewhere Ltd answers in us" in page.text
    assert not [value for name, value in page.attributes if name in ("src", "href")], "it loads nothing"


def test_a_model_that_was_fetched_needs_no_network_and_a_licence_that_policy_lists(
    project: Path, tmp_path: Path
) -> None:
    """The model is a wheel's, which nobody can fetch. The run has passed under a policy that lists one licence."""
    gguf = tmp_path / "model.gguf"
    write_gguf(project / "examples" / "model", gguf)
    sha256 = sha256_file(gguf)
    models = project / ".hallmark" / "models"
    models.mkdir(exist_ok=True)
    gguf.rename(models / sha256)
    (project / "bases.yaml").write_text(
        f"bases:\n  - {{name: fetched, wheel: nobody-has-this==1.0, sha256: {sha256}, licence: Apache-2.0}}\n"
        f"  - {{name: closed, folder: absent, sha256: {'a' * 64}, licence: MIT}}\n"
    )
    policy = project / "infra" / "governance" / "policy.yaml"
    policy.write_text(policy.read_text() + "base_models: {licences: [Apache-2.0], regions: [eu]}\n")
    commit(project, "Only Apache-2.0")
    adopt(project)
    told = hallmark(project, "compare", "bases.yaml", "--zero-shot-only", code=1)
    assert "was given under another policy" in told, "what passed under the policy before has not passed under this one"
    with pytest.raises(Refused, match=r"policy lists Apache-2.0 under base_models.licences, got MIT"):
        create(project, "20260103-000000-cafe", changes={"base_model.licence": "MIT"})
    whole_run.pass_gate(come_to_its_rows(project, "20260104-000000-cafe"), "data")
    words = ("compare", "bases.yaml", "--zero-shot-only", "--rows", "6")
    fetched, closed = hallmark_json(project, *words)["bases"]
    assert fetched["allowed"] and fetched["left_out"] is None and list(fetched["standings"]) == ["zero_shot"]
    assert fetched["trained"] is None and fetched["learnt"] is None and fetched["taken"]["zero_shot"]["latency_p95_ms"]
    assert not closed["allowed"] and closed["left_out"] == "its licence is not allowed" and not closed["standings"]
    assert closed["terms"]["licence"]["why"] == "MIT is not among the licences of policy: Apache-2.0"
    shown = hallmark(project, *words)
    assert "not allowed" in shown and "closed: MIT is not among the licences of policy" in shown
