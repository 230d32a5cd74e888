"""Objects of `hallmark` in a checkout, as an editable install has them: states of a run, errors, warnings."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import hallmark
from infra.cli.shared import parse_changes
from tasks.core.documents import yaml_text
from tasks.core.errors import InputError, Unavailable
from tasks.runs import journal
from tasks.runs.journal import Journal
from tasks.runs.run_lock import hold_run_lock
from tests import whole_run
from tests.checkouts import Checkouts
from tests.ledger_tampering import mend, unguard
from tests.patience import patience

RUN = "20260202-000000-beef"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    """A checkout with a release."""
    return checkouts.released(tmp_path_factory.mktemp("released") / "project")


@pytest.fixture
def checkout(project: Path) -> hallmark.Checkout:
    return hallmark.open(project / "tasks")


def run(checkout: hallmark.Checkout, **state: object) -> hallmark.Run:
    """Return a run whose journal says what is given; without anything it has none."""
    if state:
        journal.write_journal(checkout.root / ".hallmark", Journal(run=RUN, requested_by="ml-engineer", **state))
    else:
        journal.journal_path(checkout.root / ".hallmark", RUN).unlink(missing_ok=True)
    return hallmark.Run(checkout.root, RUN)


def test_each_name_is_there_and_no_other() -> None:
    assert all(getattr(hallmark, name) for name in hallmark.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = hallmark.nothing


def test_a_folder_outside_of_a_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(hallmark.InputError, match="is not inside a Hallmark project"):
        hallmark.open(tmp_path)


@pytest.mark.parametrize("name", ["no-such-folder", "~", "a\0b", "\udcff", 7])
def test_a_folder_that_is_none_is_not_taken_for_the_one_around_it(
    project: Path, name: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    with pytest.raises(hallmark.InputError):
        hallmark.open(name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "call",
    [
        lambda checkout: checkout.admit(None), lambda checkout: checkout.admit("tiny", server="\udcff"),
        lambda checkout: checkout.run(7), lambda checkout: checkout.release(None),
        lambda checkout: checkout.request_run(as_="ml-engineer", demo_approvals="no"),
        lambda checkout: checkout.request_run(as_=7),
    ],
    ids=["no model", "no name of a server", "no run", "no release", "no flag", "nobody"],
)  # fmt: skip
def test_an_argument_of_another_type_is_told(checkout: hallmark.Checkout, call: Callable[..., object]) -> None:
    with pytest.raises(hallmark.InputError, match="expected"):
        call(checkout)


@pytest.mark.parametrize("status", ["waiting", "promoted", "unchanged", "experiment", "failed"])
def test_waiting_ends_with_the_run_or_at_a_gate(checkout: hallmark.Checkout, status: str) -> None:
    assert run(checkout, status=status).wait(timeout=0) == status
    assert RUN in [each.id for each in checkout.runs()] and checkout.run("beef").status == status


def test_waiting_goes_on_while_a_process_executes_the_run(checkout: hallmark.Checkout) -> None:
    begun = run(checkout, status="running")
    with hold_run_lock(checkout.root / ".hallmark", RUN):
        with pytest.raises(hallmark.TimeLimitExceeded, match=r"is running after 0\.1 s; it goes on"):
            begun.wait(timeout=0.1)
        run(checkout, status="waiting")
        with pytest.raises(hallmark.TimeLimitExceeded):
            begun.wait(timeout=0)
    assert begun.wait() == "waiting"
    with pytest.raises(hallmark.TimeLimitExceeded):
        begun.wait(timeout=0, through_gates=True)
    run(checkout, status="running")
    assert begun.wait() == "interrupted", "no process executes it"


def test_a_run_that_nothing_will_begin_is_said_to_be_that(checkout: hallmark.Checkout) -> None:
    asked = run(checkout)
    assert asked.status == "requested" and asked.facts == {} and asked.gates == {} and asked.error is None
    with pytest.raises(hallmark.Unavailable, match=f"hallmark run --resume {RUN}"):
        asked.wait(timeout=patience(60))
    with pytest.raises(hallmark.InputError, match="there is no run"):
        checkout.run(RUN)


def test_facts_have_their_names_in_policies(checkout: hallmark.Checkout) -> None:
    done = hallmark.Run(checkout.root, whole_run.RUN)
    facts = done.evidence("evaluation").facts
    assert {name for name in facts if done.facts.get(name) != facts[name]} == {"use_case.laxer_metrics"}
    assert "evaluate.gain_over_base" in done.facts, "what the stages left; the evidence adds what is of the use case"
    with pytest.raises(hallmark.InputError, match="has asked nothing at the gate nowhere"):
        done.evidence("nowhere")


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"as_": "nobody"}, InputError, "nobody"),
        ({"as_": "ml-engineer", "set": {"training.epochs": 0}}, InputError, "training.epochs"),
    ],
)
def test_errors_of_a_request_are_those_of_the_command(
    checkout: hallmark.Checkout, asked: dict, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        checkout.request_run(**asked)
    assert "Traceback" not in str(raised.value) and not str(raised.value).startswith("hallmark:")


def test_a_value_is_set_exactly() -> None:
    from hallmark.requests import change_option

    assert [change_option("a", value) for value in (2, True, None)] == ["--set=a=2", "--set=a=true", "--set=a=null"]
    texts = ["x: y", "Sort it. #1 rule: none", "a\nb", "  '1' ", "null", "2", "# T", "\u2028\x85\t\x7f😀\\ud83d", "é"]
    for value in (*texts, ["x", 1, "😀"]):
        given = parse_changes([change_option("a", value).removeprefix("--set=")])["a"]
        assert yaml_text.parse_with_limits(given, "it") == value
    for value in ({1, 2}, float("nan"), "\ud800"):
        with pytest.raises(InputError, match="set: a: "):
            change_option("a", value)


def test_a_command_that_breaks_off_is_told_whole() -> None:
    from hallmark.requests import _error

    assert isinstance(_error(3, "a notice\nhallmark: the ledger is away\nfor now"), Unavailable)
    assert str(_error(3, "a notice\nhallmark: the ledger is away\nfor now\n")) == "the ledger is away\nfor now"
    assert isinstance(_error(-9, ""), hallmark.ProcessDied)


def test_a_release_says_who_decided_and_verifies(checkout: hallmark.Checkout, tmp_path: Path) -> None:
    release = checkout.release("tiny-1")
    assert release.in_production and release.folder.is_dir() and release.summary.run == whole_run.RUN
    assert [each.person for each in release.decisions()] == list(whole_run.PEOPLE.values())
    assert release.verify().ok and release.verify(release.verify().root).ok
    other = hallmark.verify(release.folder, "SHA256:" + "a" * 43)
    assert not other.ok and other.verdict == "invalid"
    with pytest.raises(hallmark.InputError, match="expected a fingerprint"):
        release.verify("mine")
    with pytest.raises(hallmark.InputError, match="does not exist"):
        hallmark.verify(tmp_path / "nowhere", "SHA256:" + "a" * 43)


def test_what_is_admitted_is_private(checkout: hallmark.Checkout) -> None:
    admitted = checkout.admit("tiny")
    assert admitted.release == "tiny-1" and admitted.folder.is_dir()
    files = (checkout.root / ".hallmark" / "admitted").glob("*.json")
    assert [file.stat().st_mode & 0o077 for file in files] == [0]
    with pytest.raises(hallmark.Refused, match="no release of 'other' is promoted"):
        checkout.admit("other")


def test_what_a_changed_ledger_says_is_shown_with_a_warning_and_nothing_is_done_on_it(
    tmp_path: Path, checkouts: Checkouts
) -> None:
    checkout = hallmark.open(checkouts.released(tmp_path / "changed"))
    with closing(sqlite3.connect(checkout.root / ".hallmark" / "ledger.db")) as database, database:
        unguard(database)
        database.execute("UPDATE hallmark_ledger SET time = replace(time, '20', '19') WHERE seq = 3")
        mend(database)
    looks = (checkout.runs, checkout.releases, lambda: checkout.release("tiny-1"))
    for look in (*looks, lambda: hallmark.Run(checkout.root, whole_run.RUN).evidence("data")):
        with pytest.warns(hallmark.LedgerWarning, match="the ledger was changed by hand") as warned:
            look()
        assert {Path(each.filename) for each in warned} == {Path(__file__)}
    with pytest.raises(hallmark.Refused, match="So nothing is done on it"):
        checkout.request_run(as_="ml-engineer")
