"""Command group `hallmark policy`: the policy in force, and the check, test and adoption of governance files."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.cli import shared
from infra.cli.shared import console
from tasks.core.errors import HallmarkError, InputError, Refused
from tasks.core.formatting import format_exact_time
from tasks.gates import fact_hints, policy_tests
from tasks.ledger import quick_check
from tasks.ledger.ledger import get_ledger, ledger_exists
from tasks.policy import (
    able_people,
    adoption,
    adoption_entries,
    adoption_signing,
    differences,
    explanation,
    fact_names_check,
    governance,
    in_force,
    overview,
    root_of_trust,
    staffing,
)
from tasks.policy.adoption_entries import AdoptionChain
from tasks.policy.adoption_signing import SigningOutcome
from tasks.policy.governance import Governance
from tasks.policy.machine_keys import require_machine_keys_kept
from tasks.policy.people import People
from tasks.policy.policy import Policy
from tasks.runs.checkout import Checkout
from tasks.trust import keys, signing_keys
from tasks.trust.keys import Signer

Dir = Annotated[Path | None, typer.Argument(metavar="DIR", help="Governance folder. Default: that of the checkout.")]


def show(as_json: shared.Json = False) -> None:
    """Show the policy in force, who adopted it and their signatures, and any proposed replacements.

    Example: hallmark policy show
    """
    here = shared.open_checkout()
    chain = in_force.read_chain(here.state, here.ledger)
    if chain.newest_adoption is None:
        raise InputError(f"nothing was adopted under root key {chain.root_fingerprint}; run `hallmark init`")
    history = overview.adoption_summaries(chain)
    waiting = [
        {"digest": adoption.adoption_digest(wanted), "proposed": format_exact_time(wanted.time), "waits_for": missing,
         "changes": _describe_changes(chain, wanted.policy, wanted.people)}
        for wanted, missing in adoption_signing.open_proposals(here.ledger, chain)
    ]  # fmt: skip
    if as_json:
        document = {
            "root": chain.root_fingerprint,
            "adoptions": [it.model_dump(mode="json", exclude={"changed"}) for it in history],
            "proposed": waiting,
            "problems": list(chain.problems),
            "other_roots": list(chain.foreign_problems),
        }
        shared.print_json(document | {"policy": chain.newest_adoption.policy.model_dump(mode="json"),
                                  "people": chain.newest_adoption.people.model_dump(mode="json")})  # fmt: skip
        return
    console.print(f"root of trust  {chain.root_fingerprint}")
    console.print(f"environment    {chain.newest_adoption.environment}")
    console.print(f"policy         SHA-256 {chain.newest_adoption.policy.digest()}")
    for it in history:
        time = format_exact_time(it.time)
        console.print(f"adopted        {time}  number {it.sequence}, signed by {', '.join(it.signed_by)}")
    for each in waiting:
        console.print(f"proposed       {each['proposed']}  {each['waits_for']}")
        console.print("".join(f"               {line}\n" for line in each["changes"]), end="")
    for problem in (*chain.problems, *chain.foreign_problems):
        console.print(f"ignored        {problem}")


def check(folder: Dir = None, as_json: shared.Json = False) -> None:
    """Explain a policy in words: the checks, the people who decide, and the waivers for each risk tier and gate.

    If nobody could satisfy a rule, the command prints its file and line. It also names metrics that the newest run
    lacked at a gate, and risk tiers in which only runs with demo approvals could pass.

    Example: hallmark policy check infra/governance
    """
    loaded = governance.load_governance(_governance_folder(folder), shared.checkout_root() / ".hallmark")
    fact_names_check.require_known_facts(loaded.policy, loaded.folder / "policy.yaml")
    lines = list(explanation.explanation_lines(loaded.policy, loaded.people))
    hints = _hints(loaded.policy, loaded.people, loaded.state)
    if as_json:
        shared.print_json({"policy_sha256": loaded.policy.digest(), "lines": lines, "hints": hints})
    else:
        console.print("\n".join(lines))
        _print_hints(hints)


def test(folder: Dir = None, as_json: shared.Json = False) -> None:
    """Evaluate the test cases in policy_tests.yaml, in the same folder as the policy.

    The exit code is 1 if a case does not have the expected result.

    Example: hallmark policy test infra/governance
    """
    where = _governance_folder(folder)
    loaded = governance.load_governance(where, shared.checkout_root() / ".hallmark")
    results = policy_tests.run_cases(policy_tests.load_cases(where), loaded.policy, loaded.people)
    if as_json:
        shared.print_json([result.model_dump(mode="json", by_alias=True) for result in results])
    else:
        for result in results:
            console.print(f"{'ok    ' if result.ok else 'FAILED'}  {result.name}: {result.text}")
    failed = sum(not result.ok for result in results)
    if failed:
        raise Refused(f"{failed} of {len(results)} cases came out otherwise than expected")


def adopt(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Governance folder to adopt.")],
    who: shared.ActAs = None,
    root_key: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Private root key, for the first adoption of an environment.")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Show what would change and who must sign, and sign nothing.")] = False,
    as_json: shared.Json = False,
) -> None:
    """Show the changes, and sign them. They are in force once all people required by the policy have signed.

    The other signers run the same command on the same files. A signature made under an earlier policy no longer counts.

    Example: hallmark policy adopt infra/governance --as risk-officer
    """
    here = shared.open_checkout()
    given = _governance_folder(folder)
    policy, people = in_force.load_proposed(given, here.state)
    ledger, root = here.ledger, signing_keys.signer_from_key_pair(root_key) if root_key else None
    chain = (
        adoption_entries.read_chain(ledger, keys.fingerprint(root.public_line))
        if root
        else in_force.read_chain(here.state, ledger)
    )
    governed = in_force.governance_of_chain(here.root / "infra" / "governance", here.state, chain)
    fact_names_check.require_known_facts(policy, given / "policy.yaml", governed.policy if governed else None)
    # Without an adoption in force, the proposed people have the ledger's key: somebody may have hidden the adoptions.
    quick_check.require_unchanged(ledger, governed or Governance(given, policy, people, here.state))
    require_machine_keys_kept(people, chain.newest_adoption)
    if root and chain.newest_adoption is None:
        able_people.require_able_people(policy, people, given / "policy.yaml", here.ledger_time)
    changes, hints = _describe_changes(chain, policy, people), _hints(policy, people, here.state)
    if not as_json:
        console.print("\n".join(changes) or "nothing changes")
        _print_hints(hints)
    if dry_run:
        if as_json:
            shared.print_json({"changes": changes, "hints": hints, "adopted": None, "waits_for": None})
        return
    signer = root or _signer(governed, here, who)
    if root:
        root_of_trust.store_root_key(here.state, signer.public_line)
    outcome = adoption_signing.sign_adoption(ledger, chain.root_fingerprint, policy, people, signer)
    _print_outcome(outcome, changes, hints, as_json)


def _signer(governed: Governance | None, here: Checkout, who: str | None) -> Signer:
    if governed is None or not (governed.policy.changes.policy or governed.policy.changes.people):
        return keys.make_signer(keys.load_private_key(here.state / "keys" / root_of_trust.ROOT_KEY_NAME))
    return governed.find_signer(governed.require_actor(shared.acting_person(who), here.ledger_time), here.ledger_time)


def _print_outcome(outcome: SigningOutcome, changes: list[str], hints: list[str], as_json: bool) -> None:
    if as_json:
        document = {"changes": changes, "hints": hints, "adopted": outcome.is_adopted}
        entry = {"ledger_entry": outcome.entry.seq, "digest": outcome.entry.subject}
        shared.print_json(document | entry | {"waits_for": outcome.missing_text})
    elif outcome.is_adopted:
        console.print(f"in force since entry {outcome.entry.seq} of the ledger")
    else:
        console.print(f"signed as entry {outcome.entry.seq} of the ledger; not in force yet: {outcome.missing_text}")


def _hints(policy: Policy, people: People, state: Path) -> list[str]:
    """Return hints about risk tiers and checks that are valid but probably not meant. Some of them need the ledger."""
    hints = staffing.demo_only_tiers(policy, people)
    if ledger_exists(state):
        with suppress(HallmarkError):  # files can be checked without the ledger
            hints += fact_hints.missing_fact_hints(policy, get_ledger(state))
    return hints


def _print_hints(hints: list[str]) -> None:
    for hint in hints:
        console.print(f"hint: {hint}")


def _describe_changes(chain: AdoptionChain, policy: Any, people: Any) -> list[str]:
    if chain.newest_adoption is None:
        return [f"nothing was adopted before; environment {policy.environment}, {len(people.people)} people"]
    return differences.describe_differences(chain.newest_adoption.policy, chain.newest_adoption.people, policy, people)


def _governance_folder(given: Path | None) -> Path:
    return given.resolve() if given else shared.checkout_root() / "infra" / "governance"
