"""Two tiny base models compared for real: fetched, asked, trained some steps and asked again."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tasks.core import facts
from tasks.core.errors import Refused
from tasks.core.files import read_json, sha256_file, tree_digest
from tests import in_process, tiny_project, whole_run
from tests.compare.conftest import come_to_its_rows
from tests.stages.evaluate.browser import Page
from tests.stages.evaluate.house import enliven
from tests.stages.train.tiny_gguf import write_gguf
from tests.tiny_project import commit, create

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

FEW = ("--rows", "12", "--train-rows", "24", "--steps", "3")
STATES = ["zero_shot", "fine_tuned"]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, passed_project: Path) -> tuple[Path, Any]:
    """A checkout in which a comparison was interrupted and said again, and the document that it then printed."""
    project = tmp_path_factory.mktemp("compared") / "project"
    shutil.copytree(passed_project, project, symlinks=True)
    interrupt_after(project, "plain: zero-shot done")
    return project, tiny_project.hallmark_json(project, "compare", "bases.yaml", *FEW)


def interrupt_after(project: Path, line: str) -> None:
    """Ctrl-C once the comparison has said that line, and nothing of it may live on."""
    command = [Path(sys.executable).with_name("hallmark"), "compare", "bases.yaml", *FEW]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout
        told = ""
        for told in process.stdout:
            if told.startswith(line):
                break
        assert told.startswith(line)
        time.sleep(1)  # the next stage has begun
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(60) != 0
    place = str(project / ".hallmark" / "compared")
    running = [each.info["cmdline"] or [] for each in psutil.process_iter(["cmdline"])]
    assert not [words for words in running if place in " ".join(words)]
    left = list((project / ".hallmark" / "compared" / ".hallmark" / "runs").glob("*"))
    assert len(left) == 1 and (left[0] / "artefacts" / "predict" / "base" / "result.json").is_file()
    shutil.copy(left[0] / "measured" / "predict" / "base" / "facts.json", project / "answered.json")


def test_every_base_model_has_figures_with_intervals_before_and_after_its_fine_tune(compared: Any) -> None:
    _, told = compared
    assert (told["asked"], told["trained_on"], told["languages"], told["state"]) == (12, 24, {"en": 12}, "fine_tuned")
    assert [each["name"] for each in told["bases"]] == ["plain", "louder"]
    for each in told["bases"]:
        assert list(each["standings"]) == list(each["taken"]) == STATES
        for state in STATES:
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
        assert (each["context"], each["parameters"]) == (4096, 329_664)
        assert each["trained"]["steps"] == 3 and each["trained"]["rows"] == 24 and each["trained"]["final_loss"] > 0
        assert each["training_gb"] > 329_664 * 4 / 1e9
        assert each["learnt"]["rows"] == 12 and each["left_out"] is None


def test_differences_from_the_best_are_paired(compared: Any) -> None:
    _, told = compared
    others = {each["name"]: each["standings"]["fine_tuned"]["against_best"] for each in told["bases"]}
    assert others.pop(told["best"]) is None
    for it in others.values():
        assert it["rows"] == 12 and it["gain"]["low"] <= 0 <= it["gain"]["high"] and it["verdict"] == "undecided"
        assert set(it["gains"]) == {"macro_f1"}


def test_terms_stand_beside_the_figures(compared: Any) -> None:
    _, told = compared
    plain, louder = told["bases"]
    assert plain["terms"]["licence"]["why"].startswith("Apache-2.0") and plain["terms"]["usage_policy"] is None
    assert plain["terms"]["residency"]["why"] == "answers on machines of your own; nothing leaves them"
    assert louder["terms"]["usage_policy"] == "no medical advice"
    assert "Elsewhere Ltd answers in us, the sources lie in eu" in louder["terms"]["residency"]["why"]
    assert plain["allowed"] and louder["allowed"]


def test_what_was_interrupted_went_on_and_what_is_done_is_not_done_again(compared: Any) -> None:
    project, told = compared
    before = facts.parse(read_json(project / "answered.json")["facts"])["latency_p50_ms"].value
    assert told["bases"][0]["taken"]["zero_shot"]["latency_p50_ms"] == before, "it was not asked a second time"
    home = project / ".hallmark" / "compared"
    assert len(list((home / ".hallmark" / "outcomes").glob("*.json"))) == 2
    assert not list((home / ".hallmark" / "runs").glob("*")), "no copies of rows and weights are left"
    again = tiny_project.hallmark(project, "compare", "bases.yaml", *FEW)
    assert "plain: was done before" in again and "louder: was done before" in again and "zero-shot done" not in again
    assert tiny_project.hallmark_json(project, "compare", "bases.yaml", *FEW) == told


def test_the_page_shows_a_point_with_its_interval_for_each_base_model_and_state(compared: Any) -> None:
    project, _ = compared
    page = Page((project / ".hallmark" / "compared" / "comparison.html").read_text())
    assert not page.open and page.tags.count("svg") == 4, "a picture, and three signs of its legend"
    whiskers = [value for name, value in page.attributes if name == "class" and value.startswith("whisker")]
    assert sorted(whiskers) == ["whisker fine_tuned"] * 2 + ["whisker zero_shot"] * 2
    assert "No base model gave a right answer fine-tuned" in page.text, "three steps are few"
    assert "This page advises; it opens no gate." in page.text and "Elsewhere Ltd answers in us" in page.text
    assert not [value for name, value in page.attributes if name in ("src", "href")], "it loads nothing"


def test_one_that_goes_wrong_does_not_keep_the_others(project: Path, tmp_path: Path) -> None:
    """A chat template whose stop token ends many answers early can be asked, and cannot be trained."""
    lively = project.parent / "lively"  # beside the checkout, as `../lively` says
    shutil.copytree(project / "examples" / "model", lively)
    enliven(lively)
    bases = (project / "bases.yaml").read_text().partition("  - name: louder")[0]
    bases += f"  - {{name: lively, folder: ../lively, sha256: {tree_digest(lively)}, licence: MIT}}\n"
    bases += f"  - {{name: other, folder: examples/louder, sha256: {'a' * 64}, licence: MIT}}\n"
    (project / "bases.yaml").write_text(bases)
    document, said = of(project, code=1)
    plain, lively_told, other = document["bases"]
    assert document["best"] == "plain" and plain["left_out"] is None and list(plain["standings"]) == STATES
    assert list(lively_told["standings"]) == ["zero_shot"] and lively_told["trained"] is None
    assert "stage tokenise" in lively_told["left_out"]
    assert other["standings"] == {} and "expected " + "a" * 64 in other["left_out"]
    assert "hallmark: base model lively was not compared: stage tokenise" in said
    page = (tmp_path / "pages" / "comparison.html").read_text()
    assert "lively</b> was not asked to the end" in page


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
    in_process.adopt(project)
    told = in_process.hallmark(project, "compare", "bases.yaml", "--zero-shot-only", code=1)
    assert "was given under another policy" in told, "what passed under the policy before has not passed under this one"
    with pytest.raises(Refused, match=r"policy lists Apache-2.0 under base_models.licences, got MIT"):
        create(project, "20260103-000000-cafe", changes={"base_model.licence": "MIT"})
    whole_run.pass_gate(come_to_its_rows(project, "20260104-000000-cafe"), "data")
    words = ("compare", "bases.yaml", "--zero-shot-only", "--rows", "6")
    fetched, closed = tiny_project.hallmark_json(project, *words)["bases"]
    assert fetched["allowed"] and fetched["left_out"] is None and list(fetched["standings"]) == ["zero_shot"]
    assert fetched["trained"] is None and fetched["learnt"] is None and fetched["taken"]["zero_shot"]["latency_p95_ms"]
    assert not closed["allowed"] and closed["left_out"] == "its licence is not allowed" and not closed["standings"]
    assert closed["terms"]["licence"]["why"] == "MIT is not among the licences of policy: Apache-2.0"
    shown = tiny_project.hallmark(project, *words)
    assert "not allowed" in shown and "closed: MIT is not among the licences of policy" in shown


def of(project: Path, code: int) -> tuple[Any, str]:
    """The document and the messages of a comparison that ends with that exit code, its page beside the project."""
    words = ("compare", "bases.yaml", *FEW, "--json", "--out", "../pages")
    done = tiny_project.checked(tiny_project._hallmark(project, words), words, code)
    return json.loads(done.stdout), done.stderr
