"""Outside environment local a release is of sources and a card that their owners adopted, and anybody checks that."""

import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.code_versions import sign_off
from tasks.core.errors import Refused
from tasks.core.params import params
from tasks.declarations import declarations, signed_declaration, signing
from tasks.declarations.signed_declaration import DeclaredDocument
from tasks.policy import governance, judge_install
from tasks.policy.judge_install import JudgeInstall
from tasks.registry.promote import promotion, recovery, releases
from tasks.registry.release import bundle, contents
from tasks.registry.verify import attestations, declaration_checks, verification
from tasks.sources.expectation_suites import Suites
from tasks.sources.sources import Source
from tasks.stages.evaluate.suites.suite import EvaluationSuite, EvaluationSuites
from tasks.trust import dsse
from tests.registry.conftest import After
from tests.registry.forging import resign, rewrite
from tests.registry.house import COMMIT, PARAMS, SOURCE, SUITE, House, copy, open_house

EDITABLE = partial(JudgeInstall, version="1", sha256="0" * 64, editable=True)
OWNERS = {"source/tickets": "owner", "card/triage": "product", "suite/pushed": "product"}


def opened(root: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house outside environment local, whose Hallmark may judge."""
    monkeypatch.setattr(
        judge_install, "current_judge", lambda: JudgeInstall(version="1", sha256="0" * 64, editable=False)
    )
    house = open_house(root)
    house.governance = governance.load_governance(house.root / "governance-production", house.state)
    return house


def sign_off_in_production(house: House) -> None:
    production = house.in_environment("production")
    sign_off.sign_version(house.ledger, production, "risk-officer", "0" * 64, COMMIT, "reviewed")


def release_adopted(house: House) -> None:
    """Adopt its sources and its card, and release run-1."""
    with pytest.MonkeyPatch.context() as own:
        production = opened(house.root, own)
        adopt(production, *of(production))
        production.release("run-1")


@pytest.fixture
def production(after: After, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house outside environment local, whose code was signed off and whose Hallmark may judge."""
    return opened(after(sign_off_in_production).root, monkeypatch)


@pytest.fixture
def adopted(after: After, monkeypatch: pytest.MonkeyPatch) -> House:
    """`production`, with a release of what its owners adopted."""
    return opened(after(sign_off_in_production, release_adopted).root, monkeypatch)


def adopt(house: House, *declared: DeclaredDocument) -> None:
    for each in declared:
        signing.sign_declarations(house.ledger, house.governance, OWNERS[each.subject], [each], "as agreed")


def of(house: House, **card: object) -> list[DeclaredDocument]:
    """What runs of the house declare."""
    layout = house.begin("looked-at", **card)
    declared = declarations.declarations_of_run(layout, params.load_params(layout.params_path), house.governance.policy)
    shutil.rmtree(layout.root)
    return declared


def test_a_release_says_who_adopted_what_it_was_made_of(adopted: House) -> None:
    checked = verification.verify_release(adopted.bundle(), adopted.governance)
    assert checked.ok, checked.against
    (told,) = [check.text for check in checked.checks if check.about == "declarations"]
    assert (
        told == "card/triage, source/tickets, suite/pushed: as adopted by owner, product, and every gate looked at that"
    )
    names = [path.name for path in (adopted.bundle() / bundle.DECLARATIONS).iterdir()]
    assert sorted(names) == ["01.json", "02.json", "03.json"]


def test_in_local_a_release_says_that_nobody_did(released: House) -> None:
    checked = verification.verify_release(released.bundle(), released.governance)
    (told,) = [check.text for check in checked.checks if check.about == "declarations"]
    assert checked.ok and told == "nobody adopted its sources and its card: as environment local allows"


@pytest.mark.attack(rights="commit", stopped="what is promoted was made of sources and a card that were adopted")
@pytest.mark.parametrize("subject", OWNERS)
def test_what_nobody_adopted_is_not_promoted(production: House, subject: str) -> None:
    adopt(production, *(each for each in of(production) if each.subject != subject))
    with pytest.raises(Refused, match=f"{subject} was adopted by nobody"):
        production.release("run-1")
    assert not production.bundle().exists()


@pytest.mark.attack(rights="commit", stopped="what is promoted is what was adopted when its gates looked at it")
def test_what_was_adopted_anew_meanwhile_is_not_promoted(production: House) -> None:
    declared = of(production)
    adopt(production, *declared)
    ready = production.ready("run-1")
    adopt(production, *(of(production, problem="rank employees")))
    with pytest.raises(Refused, match="card/triage asks less than what was adopted, or is another: problem differs"):
        production.promote(ready)
    easier = [PARAMS["use_case"]["success_metrics"][0] | {"at_least": 0.6}, *PARAMS["use_case"]["success_metrics"][1:]]
    adopt(production, *(of(production, success_metrics=easier)))
    with pytest.raises(Refused, match="sources or card were adopted anew since gate data, evaluation, release looked"):
        production.promote(ready)


def take_code_back(house: House) -> None:
    sign_off.sign_version(house.ledger, house.governance, "risk-officer", "0" * 64, COMMIT, "a defect", withdraw=True)


@pytest.mark.attack(rights="worker", stopped="what a promotion relies on is verified when it is recorded")
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (take_code_back, "is no version that was signed off: risk-officer took it back"),
        (lambda house: adopt(house, *of(house, problem="rank")), "card/triage was adopted anew since the gates looked"),
        (lambda house: setattr(judge_install, "current_judge", EDITABLE), "judges in environment local alone"),
    ],
    ids=["the code's sign-off", "the card", "the judge"],
)
def test_what_was_taken_back_is_not_promoted_by_a_recovery(
    production: House, monkeypatch: pytest.MonkeyPatch, change: Callable[[House], object], told: str
) -> None:
    adopt(production, *of(production))
    ready = production.ready("run-1")

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(recovery, "record_promotion", kill)
        production.promote(ready)
    change(production)
    assert told in " ".join(promotion.recover(production.ledger, production.governance))
    assert releases.list_releases(production.ledger, production.governance) == [] and not production.bundle().exists()


def test_a_run_that_asks_more_than_its_card_is_promoted(production: House) -> None:
    adopt(production, *of(production))
    harder = [PARAMS["use_case"]["success_metrics"][0] | {"at_least": 0.74}, *PARAMS["use_case"]["success_metrics"][1:]]
    production.release("run-1", success_metrics=harder)
    assert verification.verify_release(production.bundle(), production.governance).ok


def signed(house: House, folder: Path, name: str, key: str = "", **changes: Any) -> None:
    """Another declaration in the place of one, signed by whom it names or with another key."""
    path = next(
        path for path in (folder / bundle.DECLARATIONS).iterdir()
        if signed_declaration.DECLARATION_KIND.unverified_document(dsse.read_envelope(path)).declared.subject == name
    )  # fmt: skip
    said = signed_declaration.DECLARATION_KIND.unverified_document(dsse.read_envelope(path)).model_copy(update=changes)
    dsse.write_envelope(
        path, dsse.sign_statement(signed_declaration.DECLARATION_KIND.statement(said), house.key(key or said.person))
    )


def other_source(**changes: object) -> DeclaredDocument:
    suites = Suites(by_source={}, dataset=None)
    return signed_declaration.declare_source(Source.model_validate(SOURCE["source"] | changes), suites, {}, [])


def other_suite() -> DeclaredDocument:
    cases = [{"id": "one", "prompt": "Say no."}]
    return signed_declaration.declare_suite(EvaluationSuite.model_validate(SUITE | {"cases": cases}))


def unsigned(folder: Path) -> None:
    shutil.rmtree(folder / bundle.DECLARATIONS)


def without_evidence(house: House, folder: Path) -> None:
    """As a release of before: no gate says that anything was declared, and nothing is there."""
    unsigned(folder)
    for path in (folder / bundle.ATTESTATIONS / "evidence").iterdir():
        rewrite(path, lambda evidence: evidence.pop("declared"))


FORGED: dict[str, tuple[Callable[[House, Path], object], str]] = {
    "no declarations": (lambda h, f: unsigned(f), "nobody adopted card/triage, source/tickets, suite/pushed"),
    "none, and no evidence of them": (without_evidence, "evidence of gate|decision|gate data"),
    "a card by somebody else": (
        lambda h, f: signed(h, f, "card/triage", person="engineer"),
        "what engineer signed of card/triage does not count",
    ),
    "a card with another key": (lambda h, f: signed(h, f, "card/triage", key="gate"), "is signed by"),
    "a card of another environment": (
        lambda h, f: signed(h, f, "card/triage", environment="staging"), "does not count for this release",
    ),
    "another source": (
        lambda h, f: signed(h, f, "source/tickets", declared=other_source(access=["requester"])),
        "looked at another source/tickets than was adopted",
    ),
    "another owner besides": (
        lambda h, f: signed(h, f, "source/tickets", owners=["owner", "product"]),
        "source/tickets lacks the signature of product",
    ),
    "an easier suite": (
        lambda h, f: signed(h, f, "suite/pushed", declared=other_suite()),
        "looked at another suite/pushed than was adopted",
    ),
    "another suite in its place": (
        lambda h, f: rewrite(f / attestations.EVALUATIONS, lambda asked: asked["suites"][0]["cases"].clear()),
        r"payload|another evaluations\.json|not the file that payload/manifest.json names",
    ),
    "a source that is not in it": (
        lambda h, f: signed(h, f, "source/tickets", declared=other_source(id="letters")),
        "looked at another source/letters",
    ),
}  # fmt: skip


@pytest.mark.attack(rights="gate key", stopped="owners' signatures are verified again in the release, offline")
@pytest.mark.parametrize("what", FORGED)
def test_a_release_with_other_declarations_does_not_verify(adopted: House, tmp_path: Path, what: str) -> None:
    folder = copy(adopted.bundle(), tmp_path / "copied")
    change, why = FORGED[what]
    change(adopted, folder)
    resign(adopted, folder)
    assert re.search(why, releases.verify_release(folder, adopted.governance).against)


def test_what_an_earlier_version_promoted_is_told(adopted: House) -> None:
    """It has no declarations, and says outside environment local that nothing is known of them."""
    signed = verification.require_valid_release(adopted.bundle(), adopted.governance)
    files = {name: sha256 for name, sha256 in signed.promotion.files.items() if bundle.DECLARATIONS not in name}
    before = signed.promotion.model_copy(update={"files": files})
    (told,) = verification._unverifiable_in_early_versions(before)
    assert told == "who adopted its sources and its card: it was promoted before they were adopted"
    assert list(verification._unverifiable_in_early_versions(signed.promotion)) == []


def test_an_adopted_suite_is_compared_with_that_of_the_payload(adopted: House) -> None:
    """Also if every gate says that it looked at the other one."""
    files = contents.read_files(adopted.bundle(), [attestations.EVALUATIONS], [attestations.EVALUATIONS])
    asked = SimpleNamespace(
        evaluation_suites=lambda: EvaluationSuites.from_bytes(files.file_bytes(attestations.EVALUATIONS)).suites
    )
    mine = signed_declaration.declare_suite(EvaluationSuite.model_validate(SUITE))
    assert declaration_checks._difference(mine, asked, ()) == ""  # type: ignore[arg-type]
    told = declaration_checks._difference(other_suite(), asked, ())  # type: ignore[arg-type]
    assert told.endswith("or differs there")
