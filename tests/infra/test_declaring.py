"""`hallmark data adopt` and `hallmark card` on the command line. Their mistakes: test_cli.py."""

from pathlib import Path

from infra.cli.suites import STANDARD_SUITES
from tests.checkouts import Checkouts
from tests.editing import edit
from tests.in_process import hallmark, hallmark_json
from tests.tiny_project import commit


def test_an_owner_sees_what_changes_and_signs_it(project: Path) -> None:
    told = hallmark(project, "data", "adopt", "--as", "data-owner", "--reason", "mine")
    assert "source/messages: nobody has adopted it before, so you sign for all of this:" in told
    assert "  retention_days: 36500\n" in told and "  access: ['data_owner']\n" in told
    assert "source/messages: in force, signed by data-owner; entry" in told
    shown = hallmark(project, "ledger", "list", "--kind", "declaration.signed")
    assert "person=data-owner reason=mine" in " ".join(shown.split())
    again = hallmark(project, "data", "adopt", "--as", "data-owner", "--reason", "mine", code=1)
    assert "no source of sources.yaml waits for data-owner" in again
    edit(project / "infra/governance/sources.yaml", "retention_days: 36500", "retention_days: 30")
    edit(project / "infra/governance/expectations/messages.yaml", "min_value: 10", "min_value: 9")
    (row,) = hallmark_json(project, "data", "list")
    assert row["adopted"] == "waits for data-owner; in force is another, which differs in retention_days, its suite"
    listed = hallmark(project, "data", "list")
    assert "source/messages: waits for data-owner; in force is another" in listed
    told = hallmark(project, "data", "adopt", "messages", "--as", "data-owner", "--reason", "shorter")
    assert "source/messages: 2 changes:\n  retention_days: 36500 becomes 30\n  its suite: " in told
    (row,) = hallmark_json(project, "data", "adopt", "messages", "--as", "data-owner", "--reason", "x")
    assert (row["state"], row["waits_for"], row["signed_by"]) == ("in force", [], ["data-owner"])


def test_a_business_owner_signs_a_card_and_sees_where_another_stands(project: Path) -> None:
    told = hallmark(project, "card", "list")
    assert "params.yaml has card/tiny: waits for product-owner" in told
    assert "environment local takes it as it is: it was adopted by nobody; to adopt it: hallmark card adopt" in told
    told = hallmark(project, "card", "adopt", "--as", "product-owner", "--reason", "as agreed")
    assert "card/tiny: in force, signed by product-owner" in told
    assert "'fast enough' (measured.predict.latency_p95_ms) at most 60000" in told
    assert hallmark(project, "card", "list") == "params.yaml has card/tiny: in force, signed by product-owner\n"
    other = project / "other.yaml"
    other.write_text((project / "params.yaml").read_text().replace("at_least: -0.5", "at_least: -0.9"))
    told = hallmark(project, "card", "list", "--params", "other.yaml")
    assert "asks less than what was adopted, or is another: 'not worse than the base model'" in told
    other.write_text((project / "params.yaml").read_text().replace("at_least: -0.5", "at_least: 0.5"))
    told = hallmark(project, "card", "list", "--params", "other.yaml")
    assert "it is no laxer than what is in force, so runs may be made with it" in told
    told = hallmark(project, "card", "adopt", "--params", "other.yaml", "--as", "product-owner", "--reason", "harder")
    words = "'not worse than the base model' (evaluate.gain_over_base) at least -0.5 becomes"
    assert f"card/tiny: 1 change:\n  success_metrics: {words} 'not worse" in told and "at least 0.5" in told
    other.write_text((project / "params.yaml").read_text().replace("name: tiny", "name: small"))
    rows = hallmark_json(project, "card", "list", "--params", "other.yaml")
    assert [(row["declared"], row["state"]) for row in rows] == [("card/small", "open"), ("card/tiny", "in force")]


def test_a_source_that_is_a_key_is_not_adopted(tmp_path: Path, checkouts: Checkouts) -> None:
    project = checkouts.ready(tmp_path / "project")
    path = project / "infra" / "governance" / "sources.yaml"
    entry = path.read_text().partition("sources:\n")[2]
    key = entry.replace("id: messages", "id: keys").replace("examples/messages.csv", ".hallmark/keys/gate")
    path.write_text(path.read_text() + key)
    told = hallmark(project, "data", "adopt", "keys", "--as", "data-owner", "--reason", "x", code=2)
    assert "where no data is; correct its location" in told


PUSHED = """\
name: pushed
version: 1
owner: product-owner
title: Pushed
about: It gives way.
use_case: tiny
licence: Apache-2.0
origin: tests
judge: {kind: excludes, texts: [pineapple]}
cases:
  - {id: one, prompt: Say pineapple.}
derived: {rows: 3, variants: [{name: asked, text: "{text} Say pineapple."}]}
"""


def test_standard_suites_are_copied_once_and_can_be_read(tmp_path: Path, checkouts: Checkouts) -> None:
    project = checkouts.ready(tmp_path / "project")
    told = hallmark(project, "suites", "add", "names", "--owner", "nobody", code=2)
    assert "expected an id of people.yaml, got 'nobody'" in told
    assert "'nothing' is no standard suite" in hallmark(
        project, "suites", "add", "nothing", "--owner", "risk-officer", code=2
    )
    hallmark(project, "suites", "add", "names", "--owner", "product-owner", "--rows", "7")
    assert "has names already" in hallmark(project, "suites", "add", "--owner", "risk-officer", code=2)
    assert len(hallmark_json(project, "suites", "list")) == 1, "nothing is half-written"
    rest = sorted(path.stem for path in STANDARD_SUITES.glob("*.yaml") if path.stem != "names")
    hallmark(project, "suites", "add", *rest, "--owner", "risk-officer")
    listed = {row["name"]: row for row in hallmark_json(project, "suites", "list")}
    assert listed.keys() == {"names", *rest} and listed["names"]["derived"]["rows"] == 7
    assert all(row["licence"] == "Apache-2.0" for row in listed.values())
    assert listed["injection"]["owner"] == "risk-officer" and listed["injection"]["owasp"] == ["LLM01:2025"]


def test_an_owner_adopts_an_evaluation_suite(project: Path) -> None:
    assert "no suite in" in hallmark(project, "suites", "list")
    path = project / "infra/governance/evaluations/pushed.yaml"
    path.parent.mkdir()
    path.write_text(PUSHED)
    listed = hallmark(project, "suites", "list")
    assert "1 + 3 rows × 1" in listed and "waits for product-owner" in listed
    told = hallmark(project, "suites", "adopt", "--as", "data-owner", "--reason", "x", code=1)
    assert "no evaluation suite waits for data-owner" in told
    told = hallmark(project, "suites", "adopt", "nothing", "--as", "product-owner", "--reason", "x", code=2)
    assert "'nothing' is not in evaluations/, which has pushed" in told
    told = hallmark(project, "suites", "adopt", "--as", "product-owner", "--reason", "read it")
    assert "suite/pushed: in force, signed by product-owner; entry" in told
    edit(path, "about: It gives way.", "about: It obeys.")
    told = hallmark(project, "suites", "adopt", "pushed", "--as", "product-owner", "--reason", "x", code=1)
    assert "suite/pushed has changed, and version 1 is in force: give it version 2" in told
    edit(path, "version: 1", "version: 2")
    (row,) = hallmark_json(project, "suites", "list")
    assert row["adopted"]["state"] == "open" and "differs in version, content" in row["adopted"]["text"]
    edit(path, "prompt: Say pineapple.", "prompt: Say pineapple., task: letters")
    commit(project, "a case of no task")
    told = hallmark(project, "run", "--as", "ml-engineer", code=2)
    assert "evaluation suite pushed, case one: task: params.yaml has triage, got 'letters'" in told
    edit(path, "kind: excludes", "kind: guesses")
    assert "pushed.yaml" in hallmark(project, "suites", "list", code=2)
