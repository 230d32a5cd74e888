"""An auditor's twelve questions: a program that shares no code answers each as its command and its page do."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from infra.console.site import RequestState, Site
from infra.console.views import audit
from infra.console.views.audit import AnswerLine
from tasks.core.graph import GATES
from tasks.ledger.heads import publication
from tests.in_process import hallmark, hallmark_json
from tests.registry import asked_raw
from tests.registry.conftest import copied
from tests.registry.house import House, record_looks

LABEL, BEFORE = "triage-2", "triage-1"


class Answers(NamedTuple):
    house: House
    raw: dict[str, Any]
    """By the other program."""
    page: dict[str, list[AnswerLine]]
    dossier: dict[str, Any]
    shown: dict[str, Any]
    """By `hallmark releases show`."""

    def texts(self, question: str) -> str:
        return "\n".join(line.text for line in self.page[question])

    def entries(self, question: str) -> list[int]:
        """Of the ledger, that the page links to."""
        return [int(line.href[8:]) for line in self.page[question] if line.href.startswith("/ledger/")]

    def chapter(self, name: str) -> dict[str, Any]:
        return next(chapter for chapter in self.dossier["chapters"] if chapter["id"] == name)

    def artifacts(self, chapter: str, kind: str) -> list[str]:
        claims = [claim for claim in self.chapter(chapter)["claims"] if claim["kind"] == kind]
        return [artifact["path"] for claim in claims for artifact in claim["artifacts"]]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, released_once: Path) -> Iterator[Answers]:
    """A second release, let through on a waiver; then three looks, another policy, and a rebuilding."""
    house = copied(released_once, tmp_path_factory.mktemp("house") / "house")
    until = datetime.now(UTC) + timedelta(days=20)
    house.promote(house.ready_waived("run-2", until, "few rows of returns", weights=b"second"))
    record_looks(house.ledger)
    house.adopt(lambda text: text.replace("at_least: 0.7", "at_least: 0.6"))
    house.ledger.append("release.reproduced", LABEL, {"verdict": "the same"})
    publication.publish(house.ledger, house.governance)
    root = house.checkout()
    command = [sys.executable, "-I", asked_raw.__file__, str(house.state), LABEL]
    raw = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    here = RequestState(Site(root, "http://127.0.0.1:4220"))
    page = audit.audit(here, here.require_reader("engineer"), LABEL)
    dossier = hallmark_json(root, "audit", LABEL, "--to", str(root / "dossier"))
    shown = hallmark_json(root, "releases", "show", LABEL)
    yield Answers(house, raw, {each.id: each.answer for each in page.questions}, dossier, shown)
    house.ledger.close()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_both_know_the_same_twelve() -> None:
    imported = [
        line for line in Path(asked_raw.__file__).read_text().splitlines() if line.startswith(("import", "from"))
    ]
    assert {line.split()[1].partition(".")[0] for line in imported} <= sys.stdlib_module_names, "it shares no code"
    assert set(asked_raw.QUESTIONS) == set(audit.QUESTIONS) and len(asked_raw.QUESTIONS) == 12


def test_who_approved_it(asked: Answers) -> None:
    told = [
        [it["gate"], it["person"], it["role"], it["reason"], moment(it["time"]), it["entry"]]
        for it in asked.shown["decisions"] if it["counted"]
    ]  # fmt: skip
    wanted = [[*each[:4], moment(each[4]), each[5]] for each in asked.raw["approved"]]
    assert sorted(told) == wanted and len(wanted) == 4
    for gate, person, role, reason, time, entry in wanted:
        (line,) = [line for line in asked.page["approved"] if line.href == f"/ledger/{entry}"]
        assert line.text.startswith(f"{gate} gate: ") and f"as {role}, {time:%Y-%m-%d %H:%M} UTC: {reason}" in line.text
        assert f"by {person} (" in line.text


def test_on_what_evidence(asked: Answers) -> None:
    claims = asked.chapter("checked")["claims"]
    told = {artifact["path"]: artifact["sha256"] for claim in claims for artifact in claim["artifacts"]}
    assert set(asked.raw["evidence"]) == set(GATES)
    for gate, digest in asked.raw["evidence"].items():
        assert told[f"release/attestations/evidence/{gate}.json"] == digest
        assert f"{gate} gate: " in asked.texts("evidence") and digest[:12] in asked.texts("evidence")


def test_under_which_policy(asked: Answers) -> None:
    digest, entry, later = asked.raw["policy"]
    assert later, "another was adopted since"
    assert digest[:12] in asked.texts("policy") and asked.entries("policy") == [entry, *later]
    assert "in force at the promotion" in asked.page["policy"][1].text
    assert all("adopted after the promotion" in line.text for line in asked.page["policy"][2:])
    assert asked.artifacts("decided", "policy")[1:] == [f"ledger/{entry:06}.json"]
    assert asked.artifacts("decided", "history") == [f"ledger/{seq:06}.json" for seq in later]


def test_which_data_and_whose(asked: Answers) -> None:
    table = asked.chapter("data")["tables"][0]
    rows = {row[0]: dict(zip(table["columns"], row, strict=True)) for row in table["rows"]}
    for name, (licence, sha256) in asked.raw["data"].items():
        assert rows[name]["Licence"] == licence
        assert licence in asked.texts("data") and sha256[:12] in asked.texts("data")
    for name, owner in asked.raw["people"].items():
        assert rows[name]["Owner"] == owner and f"{name}: owner {owner} (" in asked.texts("people")


def test_when_it_was_in_production(asked: Answers) -> None:
    ((since, until),) = asked.raw["production"]
    (model,) = hallmark_json(asked.house.root, "releases", "champion", since)["models"]
    champion = model["champion"]
    assert (champion["release"], moment(champion["since"]), champion["until"]) == (LABEL, moment(since), until)
    assert moment(asked.shown["promoted_at"]) == moment(since)
    assert f"{moment(since):%Y-%m-%d %H:%M} UTC and still is" in asked.texts("production")


def test_what_changed(asked: Answers) -> None:
    assert asked.raw["changed"] == BEFORE
    assert asked.page["changed"][0].href == f"/releases/{BEFORE}/to/{LABEL}"
    assert f"from {BEFORE} " in hallmark(asked.house.root, "releases", "diff", BEFORE, LABEL)


def test_what_is_waived(asked: Answers) -> None:
    assert sorted(each["check"] for each in asked.shown["waivers"]) == asked.raw["waived"] != []
    assert all(f"check '{name}'" in asked.texts("waived") for name in asked.raw["waived"])
    assert all("few rows of returns" in line.text for line in asked.page["waived"])


def test_whether_it_was_built_again(asked: Answers) -> None:
    assert asked.entries("rebuilt") == asked.raw["rebuilt"] != []
    assert asked.artifacts("since", "reproduction") == [f"ledger/{seq:06}.json" for seq in asked.raw["rebuilt"]]


def test_whether_the_log_is_whole(asked: Answers) -> None:
    assert asked.raw["whole"] is True
    assert hallmark_json(asked.house.root, "ledger", "verify")["verdict"] == "holds"
    assert "found nothing" in asked.texts("whole")


def test_who_looked_at_personal_data(asked: Answers) -> None:
    told = hallmark_json(asked.house.root, "ledger", "list", "--kind", "look")
    assert [row["seq"] for row in told] == asked.raw["looked"] and len(told) == 3
    assert asked.entries("looked") == asked.raw["looked"][::-1]
    assert asked.artifacts("looked", "looks") == [f"ledger/{seq:06}.json" for seq in asked.raw["looked"][::-1]]


def test_what_is_not_covered(asked: Answers) -> None:
    words = {
        "code": "signed off by nobody", "sandbox": "without a sandbox", "judge": "An editable install judged it",
        "champion": "no champion to compare it with", "demo": "Demo identities decided",
    }  # fmt: skip
    assert asked.raw["gaps"].keys() == words.keys()
    for gap, there in asked.raw["gaps"].items():
        for told in (asked.texts("gaps"), "\n".join(asked.dossier["missing"])):
            assert (words[gap] in told) == there, gap
