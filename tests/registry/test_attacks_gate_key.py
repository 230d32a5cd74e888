"""What somebody tries who has the gate's key: people's signatures are verified again in the bundle."""

import pickle
import re
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tasks.core.errors import Refused
from tasks.core.graph import GATES
from tasks.policy import judge_install
from tasks.policy.judge_install import JudgeInstall
from tasks.policy.tier import SCHEDULER
from tasks.registry.promote import champion, releases
from tasks.registry.release import bundle, promotions
from tasks.trust import dsse, keys
from tests.registry.forging import Attack, Bomb, request_of, resign, rewrite, swap
from tests.registry.house import NAME, House, copy


@pytest.mark.attack(rights="gate key", stopped="demo identities count in environment local alone")
def test_a_demo_run_is_promoted_nowhere_but_locally(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even under a policy that asks nobody, and with gate statements signed by the gate's own key."""
    monkeypatch.setattr(
        judge_install, "current_judge", lambda: JudgeInstall(version="1", sha256="0" * 64, editable=False)
    )
    house.governance = house.in_environment("production", ask_people=False)
    layout = house.begin("run-1", demo=True)
    for gate in GATES:
        if gate == "release":
            house.pack(layout)
        house.forge(layout, gate)
    with pytest.raises(Refused, match="demo runs count in environment local alone"):
        house.promote(layout)
    assert champion.current_champion(house.ledger, house.governance, NAME) is None


@pytest.mark.attack(rights="gate key", stopped="demo identities count in environment local alone")
def test_demo_people_in_a_bundle_of_another_environment_do_not_verify(house: House) -> None:
    """Even signed by the gate's own key, say by an installation that was patched."""
    release = house.release("run-1", demo=True)
    folder = copy(Path(release.bundle), house.root / "copied")
    shutil.rmtree(folder / bundle.GOVERNANCE_ADOPTIONS)
    rewrite(folder / "attestations/policy.json", lambda policy: policy.update(environment="production"))
    resign(house, folder, environment="production")
    assert "demo identities" in releases.verify_release(folder, house.governance).against


GATE_KEY: dict[str, tuple[Attack, str]] = {
    "another adapter": (swap, "gate release let something else pass"),
    "another tokenizer": (
        lambda f: rewrite(f / "payload/model/tokenizer.json", lambda t: t.update(version="x")),
        "gate release let something else pass",
    ),
    "an adapter that is a pickle": (
        lambda f: (f / "payload/model/adapter_model.bin").write_bytes(pickle.dumps(Bomb())),
        "more than safetensors",
    ),
    "no approval of the release": (
        lambda f: shutil.rmtree(f / "attestations/decisions/release"),
        "gate release lacks an approval in role risk",
    ),
    "an approval twice for two roles": (
        lambda f: shutil.copyfile(
            f / "attestations/decisions/release/01.json", f / "attestations/decisions/evaluation/01.json"
        ),
        "it is about gate release",
    ),
    "evidence with better figures": (
        lambda f: rewrite(
            f / "attestations/evidence/evaluation.json", lambda e: e["facts"]["evaluate.macro_f1"].update(value=0.99)
        ),
        "about other evidence",
    ),
    "evidence without its figures": (
        lambda f: rewrite(f / "attestations/evidence/evaluation.json", lambda e: e["facts"].clear()),
        "not those that policy and the use case ask at gate evaluation and its figures give",
    ),
    "evidence that asks fewer roles": (
        lambda f: rewrite(f / "attestations/evidence/data.json", lambda e: e["asks"].update(roles=[])),
        "gate data states other roles",
    ),
    "evidence without the dataset": (
        lambda f: rewrite(f / "attestations/evidence/data.json", lambda e: e.update(dataset=None)),
        "says what the dataset is",
    ),
    "evidence of another dataset": (
        lambda f: rewrite(f / "attestations/evidence/data.json", lambda e: e["dataset"]["rows"].update(train=9)),
        "about another dataset than payload/dataset/manifest.json",
    ),
    "evidence without the requester": (
        lambda f: rewrite(f / "attestations/evidence/release.json", lambda e: e.update(requested_by="risk-officer")),
        "gate release names another request than request.json",
    ),
    "a request that nobody signed": (
        lambda f: rewrite(f / "attestations/request.json", lambda e: e.update(payload=e["payload"][:-8])),
        "payload is not JSON|signature does not match",
    ),
    "a request signed by a scheduler of their own": (
        lambda f: request_of(f, SCHEDULER, keys.make_signer(Ed25519PrivateKey.generate())),
        "the envelope is signed by",
    ),
    "a policy that asks nobody": (
        lambda f: rewrite(
            f / "attestations/policy.json", lambda p: p["tiers"]["low"]["gates"]["release"].update(decisions=[])
        ),
        "policy.json is not the policy that was adopted",
    ),
    "another person's key": (
        lambda f: rewrite(
            f / "attestations/people.json",
            lambda p: [person.update(keys=[keys.make_public_line(Ed25519PrivateKey.generate())]) for person in p],
        ),
        "people.json says something else of engineer than what was adopted",
    ),
    "another run's provenance": (
        lambda f: rewrite(f / "attestations/provenance.json", lambda e: e.update(payload=e["payload"][:-8])),
        "payload is not JSON|signature does not match",
    ),
}


@pytest.mark.attack(rights="gate key", stopped="people's signatures are verified again in the bundle")
@pytest.mark.parametrize(("attack", "reason"), GATE_KEY.values(), ids=GATE_KEY.keys())
def test_with_the_gate_key_alone_the_decisions_of_people_cannot_be_replaced(
    released: House, folder: Path, attack: Attack, reason: str
) -> None:
    attack(folder)
    resign(released, folder)
    checked = releases.verify_release(folder, released.governance)
    assert not checked.ok
    assert re.search(reason, checked.against), checked.against


@pytest.mark.attack(rights="gate key", stopped="the statement must agree with the files that it lists")
@pytest.mark.parametrize(
    ("field", "reason"), [("files", "not the one that the promotion statement is about"), ("payload_sha256", "payload")]
)
def test_a_statement_that_contradicts_itself_does_not_verify(
    released: House, folder: Path, field: str, reason: str
) -> None:
    """Its subject and its list are both signed; a verifier that reads only one of them must see the same release."""
    known = promotions.verify_promotion(dsse.read_envelope(folder / bundle.PROMOTION_STATEMENT), released.governance)
    listing, other = bundle.list_digests(folder), {"payload/README.md": "0" * 64}
    subject = bundle.release_digest(other if field == "files" else listing)
    update = {"payload_sha256": "0" * 64} if field == "payload_sha256" else {}
    statement = known.promotion.model_copy(update=update)
    dsse.write_envelope(
        folder / bundle.PROMOTION_STATEMENT, promotions.sign_promotion(statement, subject, released.governance)
    )
    assert reason in releases.verify_release(folder, released.governance).against


@pytest.mark.attack(rights="gate key", stopped="the signed request is in the bundle")
def test_nobody_decided_on_their_own_run_also_in_a_bundle(released: House, folder: Path) -> None:
    """The data owner themselves lends a hand, and signs that they asked for the run."""
    data = folder / "attestations/evidence/data.json"
    rewrite(data, lambda evidence: evidence.update(requested_by="owner"))
    resign(released, folder, requested_by="owner")
    assert "asks for another run than" in releases.verify_release(folder, released.governance).against
    request_of(folder, "owner", released.key("owner"))
    resign(released, folder, requested_by="owner")
    assert (
        "data, evaluation, release names another request"
        in releases.verify_release(folder, released.governance).against
    )
    told = {
        "requested_by": "owner",
        "request_sha256": dsse.envelope_digest(dsse.read_envelope(folder / "attestations/request.json")),
    }
    for gate in GATES:
        rewrite(folder / f"attestations/evidence/{gate}.json", lambda evidence: evidence.update(told))
    resign(released, folder, requested_by="owner")
    assert "owner asked for run run-1; nobody" in releases.verify_release(folder, released.governance).against


@pytest.mark.attack(rights="gate key", stopped="who declared the schedule of a run has asked for it, in a bundle too")
@pytest.mark.parametrize(
    ("initiator", "why"),
    [("owner", "owner asked for run run-1; nobody"), ("stranger", "stranger could not ask for the run")],
)
def test_who_declared_its_schedule_is_judged_in_a_bundle_too(
    released: House, folder: Path, initiator: str, why: str
) -> None:
    request_of(folder, "engineer", released.key("engineer"), initiated_by=[initiator])
    resign(released, folder)
    assert "names another request" in releases.verify_release(folder, released.governance).against
    signed = dsse.envelope_digest(dsse.read_envelope(folder / "attestations/request.json"))
    for gate in GATES:
        told = {"initiated_by": [initiator], "request_sha256": signed}
        rewrite(folder / f"attestations/evidence/{gate}.json", lambda evidence, told=told: evidence.update(told))
    resign(released, folder)
    assert why in releases.verify_release(folder, released.governance).against


def test_a_run_asked_for_by_the_scheduler_is_promoted_and_checks(house: House) -> None:
    house.propose(lambda policy: policy.replace("  low:\n", "  low:\n    scheduler: true\n"))
    house.request("run-1", by=SCHEDULER)
    release = house.release("run-1")
    assert release.requested_by == SCHEDULER
    checked = releases.verify_release(Path(release.bundle), house.governance)
    assert checked.ok and any("scheduler asked for the run and signed that" in check.text for check in checked.checks)
    folder = copy(Path(release.bundle), house.root / "copied")
    request_of(folder, SCHEDULER, house.key("engineer"))
    resign(house, folder)
    assert "the envelope is signed by" in releases.verify_release(folder, house.governance).against


@pytest.mark.attack(rights="gate key", stopped="people's signatures are verified again in the bundle")
def test_a_statement_that_names_other_people_than_decided_does_not_verify(released: House, folder: Path) -> None:
    resign(released, folder, approved_by={"data": [], "evaluation": [], "release": ["ceo as risk"]})
    assert "names other people" in releases.verify_release(folder, released.governance).against
