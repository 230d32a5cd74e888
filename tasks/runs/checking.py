"""Checks of a request that are possible before its run starts; all mistakes are reported together.

Every file is checked, even if another one is wrong. Checks that would only repeat a known mistake are skipped: for
example, whether somebody may ask for a run can only be decided if the policy could be read.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tasks.core.errors import InputError, Refused
from tasks.core.layout import Layout
from tasks.core.mistakes import Mistakes
from tasks.core.params.params import Params
from tasks.gates.rules import asking as asking_rules
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy import judge, satisfiable
from tasks.policy.governance import Governance
from tasks.policy.policy import SCHEDULER
from tasks.runs import first_look, named, tree
from tasks.runs.committed import Committed
from tasks.runs.foreseen import foreseen
from tasks.runs.pin import check_sources
from tasks.runs.repository import Repository
from tasks.runs.request import RunRequest
from tasks.runs.resolve import known_owners, read_params, require_adopted
from tasks.sources import sources
from tasks.sources.sources import Sources, Suites
from tasks.stages.data.readers import content
from tasks.supervise import box
from tasks.versions import versions


class Files(NamedTuple):
    """Files of a use case; those that could not be read are None."""

    params: Params | None
    governed: Governance | None
    named: Sources | None
    suites: Suites | None


def request(
    checkout: Repository, asked: RunRequest, governance: Callable[[], Governance], mistakes: Mistakes,
    elsewhere: bool = False,
) -> Files:  # fmt: skip
    """Add all mistakes in a request to `mistakes`.

    `governance` returns the governance to judge by, or raises HallmarkError. `elsewhere` means that another machine
    will execute the run and check its own equipment.

    The requester's permission is not checked if no requester was given and other mistakes are known already. If no
    commit was asked for, the current files of the checkout are checked.
    """
    known = "requested_by" in asked.model_fields_set or not mistakes.found
    folder = checkout.root / (asked.governance or Path("infra") / "governance")
    committed = Committed(checkout, asked.commit) if asked.commit else None
    read = files(checkout.root, asked.params, asked.changes, folder, governance, mistakes, elsewhere, committed)
    if read.governed:
        ledger = open_ledger(read.governed.state)
        if asked.run_id:
            with mistakes.noted():
                named.require_apart(read.governed.state, asked.run_id)
        if known:
            _who(asked, read, ledger.now(), mistakes)
        if not mistakes.found:
            _what(checkout, asked, read, ledger, mistakes)
    if asked.demo_approvals and read.governed and not read.governed.local:
        with mistakes.noted():
            environment = read.governed.policy.environment
            raise Refused(f"--demo-approvals counts in environment local only; this is {environment}")
    return read


def files(
    root: Path, params: str, changes: dict[str, str], folder: Path, governance: Callable[[], Governance],
    mistakes: Mistakes, elsewhere: bool = True, committed: Committed | None = None,
) -> Files:  # fmt: skip
    """Add all mistakes in a params file, in governance files and in the sources that these name to `mistakes`.

    The files are read from `committed` if it is given, else from the checkout.
    """
    asked = governed = named = suites = None
    with mistakes.noted():
        asked = committed.params(params, changes) if committed else read_params(root / params, changes)[0]
    with mistakes.noted():
        governed = governance()
    with mistakes.noted():
        named = sources.load(governed.folder if governed else folder)
    if named:
        with mistakes.noted():
            suites = sources.load_suites(governed.folder if governed else folder, named)
        with mistakes.noted():
            check_sources(named, root, committed.opened if committed else partial(content.opened, root=root))
    for text in (*(first_look.tasks(asked, named) if asked and named else ()),
                 *(first_look.expectations(suites) if suites else ()),
                 *(_impossible(asked, root, elsewhere) if asked else ())):  # fmt: skip
        mistakes.add(text)
    if asked and governed:
        with mistakes.noted():
            governed.policy.tier(asked.use_case.risk_tier)
            known_owners(asked, governed)
    return Files(asked, governed, named, suites)


def _impossible(asked: Params, root: Path, elsewhere: bool) -> Iterator[str]:
    from tasks.runs import foretold  # imports numpy, which most commands do not need

    yield from foretold.at_once(asked, Layout(root), elsewhere)


def _who(asked: RunRequest, read: Files, now: datetime, mistakes: Mistakes) -> None:
    assert read.governed
    governed = read.governed
    with mistakes.noted():
        if asked.requested_by != SCHEDULER:
            governed.actor(asked.requested_by, now)
        tier = read.params.use_case.risk_tier if read.params else None
        if tier in governed.policy.tiers:
            for who in sorted(asked.askers):
                if refused := asking_rules.why_not(who, tier, governed.policy, governed.people, now):
                    raise Refused(refused)
            if read.named:
                _may_pass(asked, tier, read.named, governed, now)


def _may_pass(asked: RunRequest, tier: str, named: Sources, governed: Governance, now: datetime) -> None:
    gates, demo = governed.policy.tier(tier).gates, asked.demo_approvals
    own = [source.id for source in named.sources if source.owner in asked.askers]
    who = " and ".join(sorted({source.owner for source in named.sources} & asked.askers))
    if own and "data" in gates and gates["data"].asks_owners and not demo:
        raise InputError(
            f"{who} owns {', '.join(own)} and would have to approve that at the data gate of a run of "
            "their own; let somebody else ask for it"
        )
    owners = sorted({source.owner for source in named.sources})
    if hopeless := satisfiable.for_run(governed.policy, governed.people, tier, asked.askers, owners, demo, now):
        raise Refused(f"{hopeless}; let somebody else ask for the run, or change policy or people")


def _what(checkout: Repository, asked: RunRequest, read: Files, ledger: Ledger, mistakes: Mistakes) -> None:
    params, governed, named, suites = read
    assert params and governed and named and suites
    gates = governed.policy.tier(params.use_case.risk_tier).gates
    with mistakes.noted():
        require_adopted(named, suites, params, ledger, governed)
    with mistakes.noted():
        foreseen(params, named, ledger, governed, asked.demo_approvals)
    with mistakes.noted():
        box.wanted(governed.policy.environment)
    if gates and not governed.local:
        with mistakes.noted():
            judge.require(governed.policy)
    if versions.are_asked(governed, params.use_case.risk_tier, named.sources):
        with mistakes.noted():
            commit = checkout.commit_of(asked.commit or "HEAD")
            versions.require(ledger, governed, tree.read(checkout, commit).sha256, commit)
