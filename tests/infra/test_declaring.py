"""`hallmark data adopt` and `hallmark card` on the command line."""

from pathlib import Path

import pytest

from tests import in_process
from tests.checkouts import Checkouts


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return checkouts.ready(tmp_path_factory.mktemp("project") / "project")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    """With a second source, which is a key."""
    project = checkouts.ready(tmp_path_factory.mktemp("fresh") / "project")
    path = project / "infra" / "governance" / "sources.yaml"
    entry = path.read_text().partition("sources:\n")[2]
    key = entry.replace("id: messages", "id: keys").replace("examples/messages.csv", ".hallmark/keys/gate")
    path.write_text(path.read_text() + key)
    return project


def edited(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_an_owner_sees_what_changes_and_signs_it(project: Path) -> None:
    told = in_process.hallmark(project, "data", "adopt", "--as", "data-owner", "--reason", "mine")
    assert "source/messages: nobody has adopted it before, so you sign for all of this:" in told
    assert "  retention_days: 36500\n" in told and "  access: ['data_owner']\n" in told
    assert "source/messages: in force, signed by data-owner; entry" in told
    shown = in_process.hallmark(project, "ledger", "show", "--kind", "declaration.signed")
    assert "person=data-owner reason=mine" in " ".join(shown.split())
    again = in_process.hallmark(project, "data", "adopt", "--as", "data-owner", "--reason", "mine", code=1)
    assert "no source of sources.yaml waits for data-owner" in again
    edited(project / "infra/governance/sources.yaml", "retention_days: 36500", "retention_days: 30")
    edited(project / "infra/governance/expectations/messages.yaml", "min_value: 10", "min_value: 9")
    (row,) = in_process.hallmark_json(project, "data", "inventory")
    assert row["adopted"] == "waits for data-owner; in force is another, which differs in retention_days, its suite"
    listed = in_process.hallmark(project, "data", "inventory")
    assert "source/messages: waits for data-owner; in force is another" in listed
    told = in_process.hallmark(project, "data", "adopt", "messages", "--as", "data-owner", "--reason", "shorter")
    assert "source/messages: 2 changes:\n  retention_days: 36500 becomes 30\n  its suite: " in told
    (row,) = in_process.hallmark_json(project, "data", "adopt", "messages", "--as", "data-owner", "--reason", "x")
    assert (row["state"], row["waits_for"], row["signed_by"]) == ("in force", [], ["data-owner"])


def test_a_business_owner_signs_a_card_and_sees_where_another_stands(project: Path) -> None:
    told = in_process.hallmark(project, "card", "list")
    assert "params.yaml has card/tiny: waits for product-owner" in told
    assert "environment local takes it as it is: it was adopted by nobody; to adopt it: hallmark card adopt" in told
    told = in_process.hallmark(project, "card", "adopt", "--as", "product-owner", "--reason", "as agreed")
    assert "card/tiny: in force, signed by product-owner" in told
    assert "'fast enough' (measured.predict.latency_p95_ms) at most 60000" in told
    assert in_process.hallmark(project, "card", "list").strip() == (
        "params.yaml has card/tiny: in force, signed by product-owner"
    )
    other = project / "other.yaml"
    other.write_text((project / "params.yaml").read_text().replace("at_least: -0.5", "at_least: -0.9"))
    told = in_process.hallmark(project, "card", "list", "--params", "other.yaml")
    assert "asks less than what was adopted, or is another: 'not worse than the base model'" in told
    other.write_text((project / "params.yaml").read_text().replace("at_least: -0.5", "at_least: 0.5"))
    told = in_process.hallmark(project, "card", "list", "--params", "other.yaml")
    assert "it is no laxer than what is in force, so runs may be made with it" in told
    told = in_process.hallmark(
        project, "card", "adopt", "--params", "other.yaml", "--as", "product-owner", "--reason", "harder"
    )
    words = "'not worse than the base model' (evaluate.gain_over_base) at least -0.5 becomes"
    assert f"card/tiny: 1 change:\n  success_metrics: {words} 'not worse" in told and "at least 0.5" in told
    other.write_text((project / "params.yaml").read_text().replace("name: tiny", "name: small"))
    rows = in_process.hallmark_json(project, "card", "list", "--params", "other.yaml")
    assert [(row["declared"], row["state"]) for row in rows] == [("card/small", "open"), ("card/tiny", "in force")]


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        (("data", "adopt", "letters", "--as", "data-owner", "--reason", "x"), "'letters' is not in sources.yaml", 2),
        (("data", "adopt", "messages", "--as", "data-owner", "--reason", " "), "say with --reason what you", 2),
        (("data", "adopt", "messages", "--as", "risk-officer", "--reason", "x"), "is adopted by data-owner, not by", 1),
        (("data", "adopt", "--as", "nobody", "--reason", "x"), "is nobody in people.yaml", 2),
        (("data", "adopt", "keys", "--as", "data-owner", "--reason", "x"), "where no data is; correct its location", 2),
        (("card", "adopt", "--as", "data-owner", "--reason", "x"), "card/tiny is adopted by product-owner, not by", 1),
        (("card", "adopt", "--params", "none.yaml", "--as", "product-owner", "--reason", "x"), "none.yaml", 2),
    ],
)
def test_what_is_wrong_is_said(fresh: Path, words: tuple[str, ...], told: str, code: int) -> None:
    assert told in in_process.hallmark(fresh, *words, code=code)
