"""What the owner of the registry or of the ledger's database tries: promotions are signed, and numbered."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import Refused
from tasks.core.files import read_json
from tasks.incidents import incidents
from tasks.registry.admit import admission
from tasks.registry.promote import mlflow_mirror, promotion, recovery, releases
from tasks.registry.release import promotions
from tasks.trust import keys
from tests.governed.house import raw
from tests.registry import registry_attacks
from tests.registry.forging import forged
from tests.registry.house import NAME, House, open_house


@pytest.mark.attack(rights="registry", stopped="serving follows the newest signed promotion; the alias is put back")
def test_an_alias_moved_by_hand_changes_nothing_that_is_served(succeeded: House) -> None:
    with mlflow_mirror.RegistryClient(succeeded.state) as client:
        client.set_registered_model_alias(NAME, "champion", "1")
        client.delete_registered_model_alias(NAME, "rollback")
    assert succeeded.served() == b"second"
    found = mlflow_mirror.set_aliases(succeeded.ledger, succeeded.governance, NAME)
    assert found.aliases == {"champion": "triage-2", "rollback": "triage-1"}
    assert (
        len(found.moved_by_hand) == 2 and "alias champion of triage was at MLflow version 1" in found.moved_by_hand[0]
    )
    opened = [one.opening for one in incidents.read_all(succeeded.ledger, succeeded.governance)]
    assert [(one.what, one.role) for one in opened] == [("alias-moved", "risk")] * 2
    assert mlflow_mirror.set_aliases(succeeded.ledger, succeeded.governance, NAME).moved_by_hand == []


@pytest.mark.attack(rights="registry", stopped="serving follows the newest signed promotion, its files by digest")
@pytest.mark.parametrize("attack", registry_attacks.ATTACKS.values(), ids=registry_attacks.ATTACKS.keys())
def test_whoever_owns_the_registry_has_nothing_of_theirs_served(
    succeeded: House, tmp_path: Path, attack: registry_attacks.RegistryAttack
) -> None:
    weights = tmp_path / "own" / "model" / "adapter_model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"evil")
    with mlflow_mirror.RegistryClient(succeeded.state) as client:
        attack(client, NAME, tmp_path / "own")
    if (succeeded.bundle("triage-2") / "payload/model" / weights.name).read_bytes() == b"evil":
        with pytest.raises(Refused, match="changed: payload/model/adapter_model"):
            succeeded.served()
    else:
        assert succeeded.served() == b"second"


def tag_moved(client: Any, own: Path) -> None:
    client.delete_model_version_tag(NAME, "2", mlflow_mirror.RELEASE_TAG)
    client.create_model_version(NAME, own.as_uri(), tags={mlflow_mirror.RELEASE_TAG: "triage-2"}, await_creation_for=0)


def champion_deleted(client: Any, own: Path) -> None:
    tags = client.get_model_version(NAME, "2").tags
    client.delete_model_version(NAME, "2")
    client.create_model_version(NAME, own.as_uri(), tags=tags, await_creation_for=0)


def older_one_tagged(client: Any, own: Path) -> None:
    for name, value in client.get_model_version(NAME, "2").tags.items():
        client.set_model_version_tag(NAME, "1", name, value)
    client.set_registered_model_alias(NAME, "champion", "1")


def champion_sources(house: House) -> list[str]:
    """The place of the files that the alias `champion` leads to, if the alias is set."""
    with mlflow_mirror.RegistryClient(house.state) as client:
        version = client.get_registered_model(NAME).aliases.get("champion")
        return [client.get_model_version(NAME, version).source] if version else []


@pytest.mark.attack(rights="registry", stopped="an alias is set to files that lie where the ledger says, or taken away")
@pytest.mark.parametrize("attack", [tag_moved, champion_deleted, older_one_tagged])
@pytest.mark.parametrize("has_release", [True, False], ids=["the machine that promoted", "another machine"])
def test_no_tag_has_the_mirror_set_an_alias_to_another_model(
    succeeded: House, tmp_path: Path, attack: Callable[[Any, Path], None], has_release: bool
) -> None:
    mlflow_mirror.set_aliases(succeeded.ledger, succeeded.governance, NAME)
    before = champion_sources(succeeded)
    with mlflow_mirror.RegistryClient(succeeded.state) as client:
        attack(client, tmp_path)
    if not has_release:
        (succeeded.state / "releases").rename(tmp_path / "elsewhere")
        mlflow_mirror.set_aliases(succeeded.ledger, succeeded.governance, NAME)
        assert champion_sources(succeeded) in (before, [])
        (tmp_path / "elsewhere").rename(succeeded.state / "releases")
    mlflow_mirror.set_aliases(succeeded.ledger, succeeded.governance, NAME)
    assert champion_sources(succeeded) == before
    assert mlflow_mirror.set_aliases(succeeded.ledger, succeeded.governance, NAME).moved_by_hand == []
    opened = [one.opening for one in incidents.read_all(succeeded.ledger, succeeded.governance)]
    assert opened and all("may have had another one until now" in one.text for one in opened)


@pytest.mark.parametrize("place", [shutil.move, shutil.copytree], ids=["moved", "copied"])
def test_a_release_is_registered_once_if_its_checkout_lies_elsewhere_after_a_kill(
    ready: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Callable[[Path, Path], object]
) -> None:
    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(recovery, "record_promotion", kill)
        ready.promote(ready.run("run-1"))
    ready.ledger.close()
    place(ready.root, tmp_path / "elsewhere")
    house = open_house(tmp_path / "elsewhere")
    assert any("is complete" in text for text in promotion.recover(house.ledger, house.governance))
    assert mlflow_mirror.set_aliases(house.ledger, house.governance, NAME).moved_by_hand == []
    with mlflow_mirror.RegistryClient(house.state) as client:
        assert len(client.search_model_versions(f"name = '{NAME}'")) == 1


def test_the_champion_of_a_checkout_that_was_moved_leads_to_its_present_place(released: House, tmp_path: Path) -> None:
    mlflow_mirror.set_aliases(released.ledger, released.governance, NAME)
    released.ledger.close()
    shutil.move(released.root, tmp_path / "elsewhere")
    house = open_house(tmp_path / "elsewhere")
    found = mlflow_mirror.set_aliases(house.ledger, house.governance, NAME)
    assert champion_sources(house) == [(house.bundle("triage-1").resolve() / "payload").as_uri()]
    assert found.moved_by_hand == [] and "it led to another place of triage-1" in found.notes[0]
    assert mlflow_mirror.set_aliases(house.ledger, house.governance, NAME).notes == []


def test_a_machine_without_the_release_says_that_nobody_checked(released: House, tmp_path: Path) -> None:
    mlflow_mirror.set_aliases(released.ledger, released.governance, NAME)
    before = champion_sources(released)
    (released.state / "releases").rename(tmp_path / "away")
    (told,) = promotion.restore_aliases(released.ledger, released.governance)
    assert "lacks the release triage-1, so nobody checked" in told and champion_sources(released) == before
    with mlflow_mirror.RegistryClient(released.state) as client:
        client.delete_registered_model(NAME)
    told = promotion.restore_aliases(released.ledger, released.governance)[-1]
    assert "triage-1 is not in MLflow, and this machine lacks the release" in told


@pytest.mark.attack(rights="registry", stopped="serving follows the newest signed promotion")
def test_a_registry_that_was_emptied_is_filled_again(released: House) -> None:
    with mlflow_mirror.RegistryClient(released.state) as client:
        client.delete_registered_model(NAME)
    assert released.served() == b"adapter"
    assert mlflow_mirror.set_aliases(released.ledger, released.governance, NAME).aliases["champion"] == "triage-1"


@pytest.mark.attack(rights="database", stopped="promotions are numbered, and numbers only rise")
def test_a_replayed_older_statement_brings_nothing_back(succeeded: House) -> None:
    first = succeeded.ledger.entries(promotions.PROMOTION_KIND, NAME)[0]
    succeeded.ledger.append(promotions.PROMOTION_KIND, NAME, first.body)
    assert succeeded.served() == b"second"
    assert releases.list_releases(succeeded.ledger, succeeded.governance)[-1].aliases == ["champion"]
    (problem,) = releases.promotion_problems(succeeded.ledger, succeeded.governance)
    assert "sequence 1 does not follow 2; an older statement was written again" in problem


@pytest.mark.attack(rights="database", stopped="the gate's signature")
def test_a_forged_statement_promotes_nothing(succeeded: House) -> None:
    succeeded.ledger.append(promotions.PROMOTION_KIND, NAME, forged(succeeded, version=1))
    of_a_person = keys.load_private_key(succeeded.state / "keys" / "risk-officer")
    succeeded.ledger.append(promotions.PROMOTION_KIND, NAME, forged(succeeded, of_a_person))
    succeeded.ledger.append(promotions.PROMOTION_KIND, NAME, {"envelope": "nonsense"})
    succeeded.ledger.append(promotions.PROMOTION_KIND, NAME, {})
    assert succeeded.served() == b"second"
    assert len(releases.promotion_problems(succeeded.ledger, succeeded.governance)) == 4


@pytest.mark.attack(rights="database", stopped="the gate's signature")
def test_the_keyid_of_the_gate_on_a_foreign_signature_promotes_nothing(released: House) -> None:
    body = forged(released)
    body["envelope"]["signatures"][0]["keyid"] = released.governance.keys_of("gate")[0].fingerprint  # type: ignore
    released.ledger.append(promotions.PROMOTION_KIND, NAME, body)
    (problem,) = releases.promotion_problems(released.ledger, released.governance)
    assert "signature does not match" in problem


@pytest.mark.attack(rights="database", stopped="what a statement is, is part of what is signed")
def test_a_gate_statement_is_no_promotion_statement(released: House) -> None:
    """Both are signed by the same key: what they say they are is part of what is signed."""
    release = releases.get_release(released.ledger, released.governance, "triage-1")
    gate = read_json(Path(release.bundle) / "attestations" / "gates" / "release.json")
    released.ledger.append(promotions.PROMOTION_KIND, NAME, {"envelope": gate})
    (problem,) = releases.promotion_problems(released.ledger, released.governance)
    assert "the statement is a urn:hallmark:gate:v1, not a promotion" in problem


@pytest.mark.attack(rights="database", stopped="a promotion names its model")
def test_a_promotion_of_one_model_counts_for_no_other(released: House) -> None:
    entry = released.ledger.entries(promotions.PROMOTION_KIND, NAME)[0]
    released.ledger.append(promotions.PROMOTION_KIND, "fraud-detection", entry.body)
    with pytest.raises(Refused, match="no release of 'fraud-detection'"):
        admission.admit(released.ledger, released.governance, "fraud-detection")


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


@pytest.mark.attack(
    rights="database", stopped="the reconciler tidies up only under valid names and what was never promoted"
)
def test_intents_of_others_lead_to_no_deletion(released: House) -> None:
    """Somebody who may append to the ledger claims unfinished promotions, to have the reconciler tidy up for them."""
    release = releases.get_release(released.ledger, released.governance, "triage-1")
    precious = released.root / "precious"
    precious.mkdir()
    known = released.ledger.entries("promotion.intended")[0].body
    released.ledger.append("promotion.intended", NAME, known)
    released.ledger.append("promotion.intended", NAME, known | {"name": "../../precious", "version": 1})
    released.ledger.append("promotion.intended", NAME, {"nonsense": True})
    promotion.recover(released.ledger, released.governance)
    assert precious.exists()
    assert releases.verify_release(Path(release.bundle), released.governance).ok
    assert released.served() == b"adapter"
    with mlflow_mirror.RegistryClient(released.state) as client:
        assert client.get_model_version_by_alias(NAME, "champion").tags["hallmark.release"] == "triage-1"


@pytest.mark.attack(rights="database", stopped="promotions are numbered, and numbers only rise")
def test_an_order_of_rollback_is_bound_to_one_release(succeeded: House) -> None:
    """The ledger's owner writes another release into an old rollback: nobody signed that."""
    succeeded.roll_back("r")
    succeeded.release("run-3", b"best")
    body = succeeded.ledger.entries(promotions.PROMOTION_KIND, NAME)[2].body
    succeeded.ledger.append(promotions.PROMOTION_KIND, NAME, body)
    assert succeeded.served() == b"best"
