"""A run is made of what its person signed, and of nothing else that reached Prefect or the disk."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from flows import lifecycle
from tasks.core.errors import InputError, Refused
from tasks.core.files import write_bytes
from tasks.gates import signed_request
from tasks.ledger.ledger import open_ledger
from tasks.policy.tier import SCHEDULER
from tasks.runs.git.repository import Repository
from tasks.runs.request import RunRequest
from tasks.runs.requests import signed_requests
from tasks.runs.run import Run, create_run, installed_governance, open_run, request_of_local_run, run_layout
from tasks.trust import dsse
from tests.checkouts import Checkouts
from tests.editing import edit, moved
from tests.governed.house import keyed
from tests.in_process import hallmark
from tests.tiny_project import commit, git, signed
from tests.tiny_project import create as create_asked


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return checkouts.ready(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def run(project: Path) -> Run:
    return create_asked(project, "first")


def ask(project: Path, run: str, by: str = "ml-engineer", **asked: object) -> tuple[RunRequest, dict]:
    return signed(project, RunRequest(run_id=run, requested_by=by, **asked))


def nothing_made(project: Path, run: str) -> bool:
    ledger = open_ledger(project / ".hallmark")
    return not run_layout(project, run).root.exists() and not ledger.entries(signed_request.ENTRY_KIND, run)


def test_a_run_holds_the_request_that_its_person_signed(project: Path, run: Run) -> None:
    assert run.request.requested_by == "ml-engineer" and run.request.commit == git(project, "rev-parse", "HEAD")
    assert dsse.read_envelope(run.layout.request_path) == run.signed_request.envelope
    assert "inputs/request.json" in git(project, "ls-tree", "-r", "--name-only", run.ref)
    assert open_run(project, "first").signed_request == run.signed_request


@pytest.mark.attack(rights="orchestrator", stopped="the requester's signature")
def test_a_run_in_the_name_of_somebody_who_did_not_sign_is_not_made(project: Path) -> None:
    """As Prefect's form, its API or a schedule could ask."""
    with pytest.raises(
        Refused, match="in the name of ml-engineer, and no request that they signed is with it; use `ha"
    ):
        create_run(project, RunRequest(run_id="forged", requested_by="ml-engineer"))
    assert nothing_made(project, "forged")


CHANGED: dict[str, Callable[[RunRequest], RunRequest]] = {
    "another person": lambda asked: asked.model_copy(update={"requested_by": "colleague"}),
    "the scheduler": lambda asked: asked.model_copy(update={"requested_by": "scheduler"}),
    "another run": lambda asked: asked.model_copy(update={"run_id": "tampered-2"}),
    "other parameters": lambda asked: asked.model_copy(update={"changes": {"data.seed": "99"}}),
    "another params file": lambda asked: asked.model_copy(update={"params": "./params.yaml"}),
    "another commit": lambda asked: asked.model_copy(update={"commit": "HEAD"}),
    "demo approvals": lambda asked: asked.model_copy(update={"demo_approvals": True}),
    "other governance": lambda asked: asked.model_copy(update={"governance": "infra/governance"}),
}


@pytest.mark.attack(rights="orchestrator", stopped="the requester's signature is over all of the request")
@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED.keys())
def test_what_was_changed_after_it_was_signed_is_refused(
    project: Path, change: Callable[[RunRequest], RunRequest]
) -> None:
    asked, envelope = ask(project, "tampered")
    with pytest.raises(Refused, match=r"is asked for with other .* than ml-engineer signed"):
        create_run(project, change(asked), envelope)
    assert nothing_made(project, "tampered") and nothing_made(project, "tampered-2")


@pytest.mark.attack(rights="orchestrator", stopped="the requester's signature names the run")
def test_a_request_of_an_earlier_run_begins_no_other(project: Path, run: Run) -> None:
    asked = RunRequest.from_signed(run.request).model_copy(update={"run_id": "replayed"})
    with pytest.raises(Refused, match="is asked for with other run_id than ml-engineer signed"):
        create_run(project, asked, run.signed_request.envelope)
    assert nothing_made(project, "replayed")


@pytest.mark.attack(rights="orchestrator", stopped="a run goes on under its first request alone")
def test_a_run_that_is_there_is_not_taken_over(project: Path, run: Run) -> None:
    """By a second flow run with its id: its worktree, its ledger entries and its journal stay."""
    same = RunRequest.from_signed(run.request)
    other, envelope = ask(project, "first", by="data-owner")
    for request, given, why in (
        (other, envelope, "run first was asked for already, by ml-engineer"),
        (same, None, "no request that they signed is with it"),
        (
            same.model_copy(update={"requested_by": "scheduler"}),
            None,
            "with other requested_by than ml-engineer signed",
        ),
        (
            same.model_copy(update={"changes": {"data.seed": "3"}}),
            run.signed_request.envelope,
            "with other changes than",
        ),
    ):
        with pytest.raises(Refused, match=why):
            create_run(project, request, given)
    assert create_run(project, same, run.signed_request.envelope).signed_request == run.signed_request


def test_a_take_over_leaves_the_journal_as_it_is(project: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_ROOT", str(project))
    other, envelope = ask(project, "first", by="data-owner")
    with pytest.raises(Refused, match="was asked for already"), lifecycle.run_lifecycle(other, envelope):
        raise AssertionError("it went on")
    assert not (project / ".hallmark" / "runs" / "first.json").exists()


@pytest.mark.attack(rights="commit", stopped="the request on the ledger counts, not the worktree's")
def test_the_request_in_a_worktree_is_the_one_on_record(project: Path) -> None:
    """A stage of the run writes there, with the run's own code."""
    run = create_asked(project, "edited")
    own = dsse.read_envelope(run.layout.request_path)
    other, _ = ask(project, "edited", by="data-owner")
    governed = installed_governance(project, None)
    forged = signed_request.sign_request(
        run.request.model_copy(update={"requested_by": "product-owner"}), governed.find_signer("scheduler")
    )
    for text in (json.dumps(own).encode(), b"{}", b"", json.dumps(other.model_dump()).encode()):
        write_bytes(run.layout.request_path, text)
        with pytest.raises(Refused):
            open_run(project, "edited")
    dsse.write_envelope(run.layout.request_path, forged)
    with pytest.raises(Refused, match="is not the request that the ledger has; restore it from the run's commit"):
        create_run(project, RunRequest.from_signed(run.request), run.signed_request.envelope)
    assert hallmark(project, "data", "manifest", "edited", code=1).count("is not the request that the ledger has") == 1
    dsse.write_envelope(run.layout.request_path, own)
    assert request_of_local_run(project, run.layout).request.requested_by == "ml-engineer"


@pytest.mark.attack(rights="worker", stopped="a run needs its request on the ledger")
def test_a_run_made_by_hand_is_none(project: Path) -> None:
    """With a request in it that somebody signed, and that is not on the ledger."""
    layout = run_layout(project, "by-hand")
    asked, envelope = ask(project, "by-hand")
    dsse.write_envelope(layout.request_path, envelope)
    with pytest.raises(Refused, match="is not the request that the ledger has"):
        create_run(project, asked, envelope)


def test_the_scheduler_asks_for_what_nobody_signed(project: Path) -> None:
    for request in (RunRequest(run_id="nightly"), RunRequest(run_id="weekly", requested_by="scheduler")):
        run = create_run(project, request)
        assert run.request.requested_by == "scheduler"
        assert run.request.commit == git(project, "rev-parse", "HEAD")
    (project / "README.md").write_text("another commit\n")
    commit(project, "Later")
    again = create_run(project, RunRequest(run_id="nightly"))
    assert again.request.commit != git(project, "rev-parse", "HEAD"), "it goes on with the commit it began with"


def test_the_scheduler_signs_with_a_key_that_may_lie_elsewhere(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout, governed = Repository.open(project), installed_governance(project, None)
    request = RunRequest(run_id="signed", requested_by=SCHEDULER, commit=checkout.commit_id("HEAD"))
    with moved(project / ".hallmark" / "keys" / SCHEDULER, tmp_path / "key") as key:
        with pytest.raises(InputError, match="the private key of scheduler is wanted"):
            signed_requests.sign_request(checkout, open_ledger(governed.state), governed, request)
        monkeypatch.setenv("HALLMARK_KEY", str(key))
        envelope = signed_requests.sign_request(checkout, open_ledger(governed.state), governed, request)
    assert create_run(project, request, envelope).request.requested_by == SCHEDULER


@pytest.mark.attack(rights="orchestrator", stopped="outside environment local the scheduler asks with its key alone")
def test_outside_local_the_api_asks_for_nothing(project: Path) -> None:
    """As whoever reaches Prefect would, in an installation that has every machine's key."""
    governed = installed_governance(project, None)
    policy = governed.policy.model_copy(update={"environment": "production"})
    outside = replace(governed, policy=policy)
    ledger, request = open_ledger(governed.state), RunRequest(run_id="unsigned")
    with pytest.raises(Refused, match=r"nobody signed that: .* sign: hallmark run --as scheduler"):
        signed_requests.verify_and_record_request(Repository.open(project), ledger, outside, request, None)
    assert signed_request.request_for_run(ledger, governed, "unsigned") is None


def test_a_params_file_that_no_commit_holds_is_pinned_by_its_digest(project: Path, tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text((project / "params.yaml").read_text())
    asked, envelope = ask(project, "outside", params=str(params))
    edit(params, "seed: 1}", "seed: 2}")
    with pytest.raises(Refused, match="is not what it was when ml-engineer asked for the run"):
        create_run(project, asked, envelope)
    asked, envelope = ask(project, "beside", params=str(params))
    assert create_run(project, asked, envelope).params.data.seed == 2


@pytest.mark.attack(rights="commit", stopped="policy and people in force are those adopted in the ledger")
@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("policy.yaml", "decisions: [{role: risk_officer}]", "decisions: []"),
        ("people.yaml", "roles: [requester]}", "roles: [requester, risk_officer]}"),
    ],
    ids=["a policy that asks nobody", "people who decide on what they asked for"],
)
def test_a_commit_that_brings_governance_of_its_own_is_run_under_that_in_force(
    project: Path, name: str, old: str, new: str
) -> None:
    before = installed_governance(project, None)
    honest = git(project, "rev-parse", "HEAD")
    edit(project / "infra" / "governance" / name, old, new)
    try:
        theirs = create_asked(project, f"brings-{name.removesuffix('.yaml')}", commit=commit(project, "Easier"))
        told = json.loads(theirs.layout.authority_path.read_bytes())
        assert new in (theirs.layout.root / "infra" / "governance" / name).read_text()
        assert told["policy_sha256"] == before.policy.digest()
        assert installed_governance(project, None).people == before.people
    finally:
        git(project, "reset", "--quiet", "--hard", honest)


@pytest.mark.attack(rights="worker", stopped="other governance files count in environment local alone")
def test_other_governance_files_count_nowhere_but_locally(project: Path) -> None:
    other = shutil.copytree(project / "infra" / "governance", project / "proposed")
    assert installed_governance(project, "proposed").folder == other
    people = other / "people.yaml"
    people.write_text(keyed(people.read_text(), project / ".hallmark"))
    edit(other / "policy.yaml", "environment: local", "environment: production")
    with pytest.raises(Refused, match="other governance files count in environment local only"):
        installed_governance(project, "proposed")
    shutil.rmtree(other)
