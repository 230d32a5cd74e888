"""What an attacker tries with the rights of the disk's, the registry's or the database's owner, or of a worker.

Nothing but what the gates let pass may be promoted, verified or admitted.
"""

import json
import os
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tasks import params
from tasks.errors import Refused
from tasks.files import canonical_json, read_json, write_json
from tasks.govern import dsse, incidents, signed_request
from tasks.govern.identity import keys
from tasks.govern.identity.keys import Signer
from tasks.govern.rules import governance
from tasks.govern.rules.policy import GATES, SCHEDULER
from tasks.govern.signed_request import Request
from tasks.registry import admission, bundle, champion, mirror, package, promotion, releases, succession, verification
from tests.govern.house import raw
from tests.registry import registry_attacks
from tests.registry.house import NAME, House, copy, found, writable

Attack = Callable[[Path], object]


def admit(house: House) -> bytes:
    model = admission.admit(house.ledger, house.governance, NAME).model
    return (model / "adapter_model.safetensors").read_bytes()


def rewrite(path: Path, change: Callable[[dict], object]) -> None:
    value = json.loads(path.read_bytes())
    change(value)
    path.write_bytes(canonical_json(value))


def relist(folder: Path) -> None:
    """Make the statement's list fit the files again, as somebody without the key can."""
    listing = bundle.listing(folder)

    def change(envelope: dict) -> None:
        statement = dsse.peek(envelope)
        statement["predicate"]["files"] = listing
        statement["subject"][0]["digest"]["sha256"] = bundle.release_digest(listing)
        envelope["payload"] = dsse.sign(statement, keys.signer(Ed25519PrivateKey.generate()))["payload"]

    rewrite(folder / bundle.PROMOTION, change)


class Bomb:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("exit 1",)


def swap(folder: Path) -> None:
    (folder / "payload/model/adapter_model.safetensors").write_bytes(b"evil")


DISK: dict[str, tuple[Attack, str]] = {
    "a swapped adapter": (swap, "changed: payload/model/adapter_model.safetensors"),
    "a swapped adapter, and the list made to fit": (lambda f: (swap(f), relist(f)), "signature does not match"),
    "another chat template": (lambda f: (f / "payload/model/chat_template.jinja").write_text("{{ x }}"), "changed"),
    "a pickle beside the weights": (
        lambda f: (f / "payload/model/adapter_model.bin").write_bytes(pickle.dumps(Bomb())),
        "not listed .*adapter_model.bin",
    ),
    "an extra file in the payload": (lambda f: (f / "payload/notes.txt").write_text("x"), "not listed .*notes.txt"),
    "an extra attestation": (
        lambda f: (f / "attestations/decisions/release/02.json").write_bytes(
            (f / "attestations/decisions/release/01.json").read_bytes()
        ),
        "not listed .*02.json",
    ),
    "an extra file at the top": (lambda f: (f / ".hidden").write_text("x"), "not listed .*hidden"),
    "an empty folder": (lambda f: (f / "payload/model/__pycache__").mkdir(), "empty folder"),
    "a missing gate": (lambda f: (f / "attestations/gates/release.json").unlink(), "missing: .*gates/release.json"),
    "missing decisions": (lambda f: shutil.rmtree(f / "attestations/decisions/data"), "missing: .*decisions/data"),
    "no promotion statement": (lambda f: (f / bundle.PROMOTION).unlink(), "promotion.json is missing"),
    "a link for a file": (
        lambda f: link(f / "payload/model/tokenizer.json"),
        "tokenizer.json is not a plain file",
    ),
    "a link for a folder": (lambda f: link(f / "payload/model"), "payload/model is not a plain file"),
    "a link for the statement": (lambda f: link(f / bundle.PROMOTION), "promotion.json is missing"),
    "a pipe": (lambda f: os.mkfifo(f / "payload/pipe"), "payload/pipe is not a plain file"),
    "edited evidence": (
        lambda f: rewrite(f / "attestations/evidence/evaluation.json", lambda e: e["facts"].clear()),
        "changed: attestations/evidence/evaluation.json",
    ),
    "an edited manifest": (lambda f: rewrite(f / "payload/manifest.json", lambda m: m.update(tier="low ")), "changed"),
    "people with another role": (
        lambda f: rewrite(f / "attestations/people.json", lambda p: p[0].update(roles=["risk"])),
        "changed: attestations/people.json",
    ),
    "another spelling of the statement": (
        lambda f: (f / bundle.PROMOTION).write_text(json.dumps(read_json(f / bundle.PROMOTION), indent=1)),
        "not in canonical form",
    ),
    "a second signature": (
        lambda f: rewrite(f / bundle.PROMOTION, lambda e: e["signatures"].append(dict(e["signatures"][0], keyid="x"))),
        "expected SHA256:.* alone|canonical",
    ),
    "a statement of gigabytes": (
        lambda f: os.truncate(f / bundle.PROMOTION, 3 * 2**30),
        "3,221,225,472 bytes",
    ),
    "a statement nested deep": (lambda f: (f / bundle.PROMOTION).write_bytes(b"[" * 100_000), "recursion|JSON|read"),
    "a file name that is no text": (
        lambda f: Path(os.fsdecode(os.fsencode(f) + b"/payload/\xff")).write_text("x"),
        "not listed|surrogates",
    ),
}


def link(path: Path) -> None:
    moved = path.parent / f"moved-{path.name}"
    path.rename(moved)
    path.symlink_to(moved)


@pytest.mark.attack(rights="disk", stopped="the signed statement lists every file by digest, and no other may be there")
@pytest.mark.parametrize(("attack", "reason"), DISK.values(), ids=DISK.keys())
def test_a_release_that_was_touched_is_neither_valid_nor_admitted(released: House, attack: Attack, reason: str) -> None:
    attack(writable(released.bundle()))
    checked = releases.verify(released.bundle(), released.governance)
    assert not checked.ok
    with pytest.raises(Refused, match=reason):
        admit(released)
    assert checked.against


@pytest.mark.attack(rights="disk", stopped="the promotion names its release by digest")
def test_a_whole_release_in_the_place_of_another_is_not_admitted(house: House) -> None:
    """The older one is valid by itself, and not what the newest statement names."""
    old, new = house.release("run-1"), house.release("run-2", b"better")
    shutil.rmtree(writable(Path(new.bundle)))
    shutil.copytree(old.bundle, new.bundle)
    assert releases.verify(Path(new.bundle), house.governance).ok
    with pytest.raises(Refused, match="holds another release than the one that was promoted as triage-2"):
        admit(house)


@pytest.mark.attack(rights="disk", stopped="what does not verify is refused, and nothing older stands in")
def test_no_older_release_takes_the_place_of_a_broken_one(released: House) -> None:
    swap(writable(Path(released.release("run-2", b"better").bundle)))
    with pytest.raises(Refused, match="triage-2 does not verify"):
        admit(released)


@pytest.mark.attack(rights="registry", stopped="serving follows the newest signed promotion; the alias is put back")
def test_an_alias_moved_by_hand_changes_nothing_that_is_served(released: House) -> None:
    released.release("run-2", b"better")
    with mirror.Registry(released.state) as client:
        client.set_registered_model_alias(NAME, "champion", "1")
        client.delete_registered_model_alias(NAME, "rollback")
    assert admit(released) == b"better"
    found = mirror.mirror(released.governance, released.ledger, NAME)
    assert found.aliases == {"champion": "triage-2", "rollback": "triage-1"}
    assert (
        len(found.moved_by_hand) == 2 and "alias champion of triage was at MLflow version 1" in found.moved_by_hand[0]
    )
    opened = [one.opening for one in incidents.read(released.ledger, released.governance)]
    assert [(one.what, one.role) for one in opened] == [("alias-moved", "risk")] * 2
    assert mirror.mirror(released.governance, released.ledger, NAME).moved_by_hand == []


@pytest.mark.attack(rights="registry", stopped="serving follows the newest signed promotion, its files by digest")
@pytest.mark.parametrize("attack", registry_attacks.ATTACKS.values(), ids=registry_attacks.ATTACKS.keys())
def test_whoever_owns_the_registry_has_nothing_of_theirs_served(
    released: House, tmp_path: Path, attack: registry_attacks.RegistryAttack
) -> None:
    released.release("run-2", b"better")
    weights = tmp_path / "own" / "model" / "adapter_model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"evil")
    with mirror.Registry(released.state) as client:
        attack(client, NAME, tmp_path / "own")
    if (released.bundle("triage-2") / "payload/model" / weights.name).read_bytes() == b"evil":
        with pytest.raises(Refused, match="changed: payload/model/adapter_model"):
            admit(released)
    else:
        assert admit(released) == b"better"


@pytest.mark.attack(rights="registry", stopped="serving follows the newest signed promotion")
def test_a_registry_that_was_emptied_is_filled_again(released: House) -> None:
    with mirror.Registry(released.state) as client:
        client.delete_registered_model(NAME)
    assert admit(released) == b"adapter"
    assert mirror.mirror(released.governance, released.ledger, NAME).aliases["champion"] == "triage-1"


@pytest.mark.attack(rights="database", stopped="promotions are numbered, and numbers only rise")
def test_a_replayed_older_statement_brings_nothing_back(released: House) -> None:
    released.release("run-2", b"better")
    first = released.ledger.entries(succession.MADE, NAME)[0]
    released.ledger.append(succession.MADE, NAME, first.body)
    assert admit(released) == b"better"
    assert releases.list_releases(released.ledger, released.governance)[-1].aliases == ["champion"]
    (problem,) = releases.problems(released.ledger, released.governance)
    assert "sequence 1 does not follow 2; an older statement was written again" in problem


def forged(house: House, key: Ed25519PrivateKey | None = None, **changes: object) -> dict[str, object]:
    """The newest statement with `changes` and the next sequence number, signed by a key that is not the gate's."""
    newest = succession.read(house.ledger, house.governance, NAME).valid[-1]
    claimed = newest.promotion.model_copy(
        update={"sequence": newest.promotion.sequence + 1, "previous": newest.sha256} | changes
    )
    statement = dsse.statement(
        succession.PREDICATE_TYPE, {claimed.label: newest.release_sha256}, claimed.model_dump(mode="json")
    )
    return {"envelope": dsse.sign(statement, keys.signer(key or Ed25519PrivateKey.generate()))}


@pytest.mark.attack(rights="database", stopped="the gate's signature")
def test_a_forged_statement_promotes_nothing(released: House) -> None:
    released.release("run-2", b"better")
    released.ledger.append(succession.MADE, NAME, forged(released, version=1))
    of_a_person = keys.load_private(released.state / "keys" / "risk-officer")
    released.ledger.append(succession.MADE, NAME, forged(released, of_a_person))
    released.ledger.append(succession.MADE, NAME, {"envelope": "nonsense"})
    released.ledger.append(succession.MADE, NAME, {})
    assert admit(released) == b"better"
    assert len(releases.problems(released.ledger, released.governance)) == 4


@pytest.mark.attack(rights="database", stopped="the gate's signature")
def test_the_keyid_of_the_gate_on_a_foreign_signature_promotes_nothing(released: House) -> None:
    body = forged(released)
    body["envelope"]["signatures"][0]["keyid"] = released.governance.keys_of("gate")[0].fingerprint  # type: ignore
    released.ledger.append(succession.MADE, NAME, body)
    (problem,) = releases.problems(released.ledger, released.governance)
    assert "signature does not match" in problem


@pytest.mark.attack(rights="database", stopped="what a statement is, is part of what is signed")
def test_a_gate_statement_is_no_promotion_statement(released: House) -> None:
    """Both are signed by the same key: what they say they are is part of what is signed."""
    release = releases.get(released.ledger, released.governance, "triage-1")
    gate = read_json(Path(release.bundle) / "attestations" / "gates" / "release.json")
    released.ledger.append(succession.MADE, NAME, {"envelope": gate})
    (problem,) = releases.problems(released.ledger, released.governance)
    assert "the statement is a urn:hallmark:gate:v1, not a promotion" in problem


@pytest.mark.attack(rights="database", stopped="a promotion names its model")
def test_a_promotion_of_one_model_counts_for_no_other(released: House) -> None:
    entry = released.ledger.entries(succession.MADE, NAME)[0]
    released.ledger.append(succession.MADE, "fraud-detection", entry.body)
    with pytest.raises(Refused, match="no release of 'fraud-detection'"):
        admission.admit(released.ledger, released.governance, "fraud-detection")


@pytest.mark.attack(rights="worker", stopped="demo identities count in environment local alone")
def test_a_demo_release_counts_nowhere_but_locally(house: House) -> None:
    release = house.release("run-1", demo=True)
    assert release.demo and admit(house) == b"adapter"
    production = house.in_environment("production")
    assert champion.current(house.ledger, production, NAME) is None
    with pytest.raises(Refused, match="no release of 'triage' is promoted in environment production"):
        admission.admit(house.ledger, production, NAME)


@pytest.mark.attack(rights="gate key", stopped="demo identities count in environment local alone")
def test_a_demo_run_is_promoted_nowhere_but_locally(house: House) -> None:
    """Even under a policy that asks nobody, and with gate statements signed by the gate's own key."""
    house.governance = house.in_environment("production", ask_people=False)
    layout = house.begin("run-1", demo=True)
    for gate in GATES:
        if gate == "release":
            package.run(params.load(layout.params), layout)
        house.forge(layout, gate)
    with pytest.raises(Refused, match="demo runs count in environment local alone"):
        house.promote(layout)
    assert champion.current(house.ledger, house.governance, NAME) is None


@pytest.mark.attack(rights="gate key", stopped="demo identities count in environment local alone")
def test_demo_people_in_a_bundle_of_another_environment_do_not_verify(house: House) -> None:
    """Even signed by the gate's own key, say by an installation that was patched."""
    release = house.release("run-1", demo=True)
    folder = copy(Path(release.bundle), house.root / "copied")
    shutil.rmtree(folder / bundle.GOVERNANCE)
    rewrite(folder / "attestations/policy.json", lambda policy: policy.update(environment="production"))
    resign(house, folder, environment="production")
    assert "demo identities" in releases.verify(folder, house.governance).against


def resign(house: House, folder: Path, **changes: object) -> None:
    """Sign the bundle anew with the gate's key, as an installation that was taken over could."""
    known = succession.verify(dsse.read(folder / bundle.PROMOTION), house.governance.keys_of("gate"))
    listing = bundle.listing(folder)
    update = {"files": listing, "payload_sha256": bundle.part_digest(listing, bundle.PAYLOAD)} | changes
    statement = known.promotion.model_copy(update=update)
    dsse.write(folder / bundle.PROMOTION, succession.sign(statement, bundle.release_digest(listing), house.governance))


GATE_KEY: dict[str, tuple[Attack, str]] = {
    "another adapter": (swap, "gate release let something else pass"),
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
        "about another gate",
    ),
    "evidence with better figures": (
        lambda f: rewrite(f / "attestations/evidence/evaluation.json", lambda e: e["facts"].clear()),
        "about other evidence",
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
        lambda f: request_of(f, SCHEDULER, keys.signer(Ed25519PrivateKey.generate())),
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
            lambda p: [person.update(keys=[keys.public_line(Ed25519PrivateKey.generate())]) for person in p],
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
    released: House, attack: Attack, reason: str
) -> None:
    folder = copy(released.bundle(), released.root / "copied")
    attack(folder)
    resign(released, folder)
    checked = releases.verify(folder, released.governance)
    assert not checked.ok
    assert re.search(reason, checked.against), checked.against


@pytest.mark.attack(rights="gate key", stopped="the statement must agree with the files that it lists")
@pytest.mark.parametrize(
    ("field", "reason"), [("files", "not the one that the promotion statement is about"), ("payload_sha256", "payload")]
)
def test_a_statement_that_contradicts_itself_does_not_verify(released: House, field: str, reason: str) -> None:
    """Its subject and its list are both signed; a verifier that reads only one of them must see the same release."""
    folder = copy(released.bundle(), released.root / "copied")
    known = succession.verify(dsse.read(folder / bundle.PROMOTION), released.governance.keys_of("gate"))
    listing, other = bundle.listing(folder), {"payload/README.md": "0" * 64}
    subject = bundle.release_digest(other if field == "files" else listing)
    update = {"payload_sha256": "0" * 64} if field == "payload_sha256" else {}
    statement = known.promotion.model_copy(update=update)
    dsse.write(folder / bundle.PROMOTION, succession.sign(statement, subject, released.governance))
    assert reason in releases.verify(folder, released.governance).against


def request_of(folder: Path, who: str, signer: Signer) -> dict:
    """Another request for the run, in the name of somebody whose key signs it; returns what it says."""
    asked = dsse.peek(dsse.read(folder / "attestations/request.json"))["predicate"] | {"requested_by": who}
    dsse.write(folder / "attestations/request.json", signed_request.sign(Request.model_validate(asked), signer))
    return asked


@pytest.mark.attack(rights="gate key", stopped="the signed request is in the bundle")
def test_nobody_decided_on_their_own_run_also_in_a_bundle(released: House) -> None:
    """The data owner themselves lends a hand, and signs that they asked for the run."""
    folder = copy(released.bundle(), released.root / "copied")
    data = folder / "attestations/evidence/data.json"
    rewrite(data, lambda evidence: evidence.update(requested_by="owner"))
    resign(released, folder, requested_by="owner")
    assert "asks for another run than" in releases.verify(folder, released.governance).against
    request_of(folder, "owner", released.key("owner"))
    resign(released, folder, requested_by="owner")
    assert "data, evaluation, release names another request" in releases.verify(folder, released.governance).against
    told = {"requested_by": "owner", "request_sha256": dsse.digest(dsse.read(folder / "attestations/request.json"))}
    for gate in GATES:
        rewrite(folder / f"attestations/evidence/{gate}.json", lambda evidence: evidence.update(told))
    resign(released, folder, requested_by="owner")
    assert releases.verify(folder, released.governance).against == "owner asked for the run and decided on it"


def test_a_run_asked_for_by_the_scheduler_is_promoted_and_checks(house: House) -> None:
    policy = house.governance.folder / "policy.yaml"
    policy.write_text(policy.read_text().replace("  low:\n", "  low:\n    scheduler: true\n"))
    house.governance = governance.load(house.governance.folder, house.state)
    house.request("run-1", by=SCHEDULER)
    release = house.release("run-1")
    assert release.requested_by == SCHEDULER
    checked = releases.verify(Path(release.bundle), house.governance)
    assert checked.ok and any("scheduler asked for the run and signed that" in check.text for check in checked.checks)
    folder = copy(Path(release.bundle), house.root / "copied")
    request_of(folder, SCHEDULER, house.key("engineer"))
    resign(house, folder)
    assert "the envelope is signed by" in releases.verify(folder, house.governance).against


@pytest.mark.attack(rights="database", stopped="promotion needs the signed request")
def test_a_run_whose_request_is_gone_from_the_ledger_is_not_promoted(ready: House) -> None:
    """Its gates have passed; the database's owner has taken out who asked for it, and put in another."""
    raw(ready, "UPDATE hallmark_ledger SET subject = 'run-9' WHERE kind = 'run.requested'")
    with pytest.raises(Refused, match="holds no request for run run-1 that verifies"):
        ready.promote(ready.run("run-1"))
    ready.ledger.append("run.requested", "run-1", {"envelope": ready.request("run-2").envelope})
    with pytest.raises(Refused, match="holds no request for run run-1 that verifies"):
        ready.promote(ready.run("run-1"))
    ready.request("run-1", by="product")
    with pytest.raises(Refused, match="names another requester of run run-1 than signed"):
        ready.promote(ready.run("run-1"))


@pytest.mark.attack(rights="gate key", stopped="people's signatures are verified again in the bundle")
def test_a_statement_that_names_other_people_than_decided_does_not_verify(released: House) -> None:
    folder = copy(released.bundle(), released.root / "copied")
    resign(released, folder, approved_by={"data": [], "evaluation": [], "release": ["ceo as risk"]})
    assert "names other people" in releases.verify(folder, released.governance).against


@pytest.mark.attack(rights="disk", stopped="the root key must be the one received by another way")
def test_somebody_elses_installation_is_not_believed(released: House, tmp_path: Path) -> None:
    house = found(tmp_path / "elsewhere")
    assert releases.verify(released.bundle(), house.governance).against.startswith("the envelope is signed by")
    told = verification.verify_from_root(released.bundle(), house.root_of_trust).against
    assert f"it follows from root key {released.root_of_trust}, expected {house.root_of_trust}" in told


PACKAGE: dict[str, Attack] = {
    "a swapped adapter": lambda f: (f / "payload/model/adapter_model.safetensors").write_bytes(b"evil"),
    "an extra file": lambda f: (f / "payload/model/extra.json").write_text("{}"),
    "a link": lambda f: (f / "payload/model/extra.json").symlink_to("/etc/hostname"),
    "a link for a file": lambda f: link(f / "payload/model/tokenizer.json"),
    "an edited card": lambda f: (f / "payload/README.md").write_text("harmless"),
    "a manifest of another risk tier": lambda f: rewrite(f / "payload/manifest.json", lambda m: m.update(tier="x")),
    "no manifest": lambda f: (f / "payload/manifest.json").unlink(),
}


@pytest.mark.attack(rights="worker", stopped="the release gate's statement names the package by digest")
@pytest.mark.parametrize("attack", PACKAGE.values(), ids=PACKAGE.keys())
def test_a_package_touched_after_its_release_gate_is_not_promoted(ready: House, attack: Attack) -> None:
    attack(ready.run("run-1").stage("package"))
    with pytest.raises(
        Refused, match=r"not the output that gate release let pass|symbolic link|not a plain file|no manifest"
    ):
        ready.promote(ready.run("run-1"))
    assert champion.current(ready.ledger, ready.governance, NAME) is None
    assert not (ready.state / "releases").exists()


@pytest.mark.attack(rights="worker", stopped="the package names every stage's output by digest")
@pytest.mark.parametrize("stage", ["split", "evaluate"])
def test_a_package_made_from_other_outputs_than_passed_is_not_promoted(house: House, stage: str) -> None:
    """The worker exchanges a stage's output while the package is made, and puts the approved one back."""
    layout = house.begin("run-1")
    house.open(layout, "data")
    house.open(layout, "evaluation")
    approved = shutil.copytree(layout.stage(stage), house.root / "approved")
    (layout.stage(stage) / "poisoned.parquet").write_bytes(b"x")
    if stage == "evaluate":  # which the package's own check of its gate would notice
        house.forge(layout, "evaluation")
    package.run(params.load(layout.params), layout)
    shutil.rmtree(layout.stage(stage))
    shutil.copytree(approved, layout.stage(stage))
    house.open(layout, "release")
    if stage == "evaluate":
        house.open(layout, "evaluation")
    with pytest.raises(Refused, match=f"not made from the output of {stage}"):
        house.promote(layout)


@pytest.mark.attack(rights="worker", stopped="the release gate's statement names the package by digest")
def test_the_gate_files_of_another_run_open_nothing(house: House) -> None:
    honest, worker = house.ready("run-1"), house.ready("run-2", b"evil", skip=["release"])
    shutil.copyfile(honest.gate("release"), worker.gate("release"))
    with pytest.raises(Refused, match="not the output that gate release let pass"):
        house.promote(worker)


@pytest.mark.attack(rights="commit", stopped="decisions bind to the policy's digest")
def test_a_run_with_another_policy_of_its_own_is_not_promoted(house: House) -> None:
    """Gates are judged with the installed policy: a statement under one that the run brought is none."""
    layout = house.ready("run-1")
    policy = house.governance.folder / "policy.yaml"
    policy.write_text(policy.read_text().replace("at_least: 2", "at_least: 3"))
    house.governance = governance.load(house.governance.folder, house.state)
    with pytest.raises(Refused, match="another policy"):
        house.promote(layout)


@pytest.mark.attack(
    rights="database", stopped="the reconciler tidies up only under valid names and what was never promoted"
)
def test_intents_of_others_lead_to_no_deletion(released: House) -> None:
    """Somebody who may append to the ledger claims unfinished promotions, to have the reconciler tidy up for them."""
    release = releases.get(released.ledger, released.governance, "triage-1")
    precious = released.root / "precious"
    precious.mkdir()
    known = released.ledger.entries("promotion.intended")[0].body
    released.ledger.append("promotion.intended", NAME, known)
    released.ledger.append("promotion.intended", NAME, known | {"name": "../../precious", "version": 1})
    released.ledger.append("promotion.intended", NAME, {"nonsense": True})
    promotion.reconcile(released.governance, released.ledger)
    assert precious.exists()
    assert releases.verify(Path(release.bundle), released.governance).ok
    assert admit(released) == b"adapter"
    with mirror.Registry(released.state) as client:
        assert client.get_model_version_by_alias(NAME, "champion").tags["hallmark.release"] == "triage-1"


@pytest.mark.attack(rights="database", stopped="promotions are numbered, and numbers only rise")
def test_an_order_of_rollback_is_bound_to_one_release(released: House) -> None:
    """The ledger's owner writes another release into an old rollback: nobody signed that."""
    released.release("run-2", b"better")
    promotion.rollback(released.governance, released.ledger, "triage-1", "risk-officer", "r")
    released.release("run-3", b"best")
    body = released.ledger.entries(succession.MADE, NAME)[2].body
    released.ledger.append(succession.MADE, NAME, body)
    assert admit(released) == b"best"


@pytest.mark.attack(rights="worker", stopped="promotion asks the ledger who the champion is")
def test_a_champion_file_says_nothing_that_promotion_believes(released: House) -> None:
    layout = released.begin("run-2", b"evil")
    write_json(layout.champion, None)  # a run that pretends there is nothing to compare with
    for gate in ("data", "evaluation"):
        released.open(layout, gate)
    package.run(params.load(layout.params), layout)
    released.open(layout, "release")
    with pytest.raises(Refused, match="triage-1 took its place"):
        released.promote(layout)
