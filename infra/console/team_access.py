"""Runs and releases that a person sees, if policy has teams.

A person sees those of their own teams, and auditors and overseers see all. A person also sees a run whose source they
own or look after, and a run with an open gate at which policy lets them decide. Pages about the whole ledger, data,
incidents and policy are not restricted.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from infra.console.site import RequestState
from tasks.core.errors import HallmarkError, Refused
from tasks.core.layout import Layout
from tasks.gates.evidence import EvidenceSummary
from tasks.gates.overview import open_gates
from tasks.policy.people import Person
from tasks.policy.team_visibility import VisibleUseCases, visible_use_cases
from tasks.runs import journal
from tasks.runs.journal import Journal
from tasks.runs.request import is_run_id
from tasks.runs.team_usage import use_case_of_request
from tasks.sources.resolved_sources import load_resolved

RUN_PARAMETERS = ("run", "first", "second")
RELEASE_PARAMETERS = ("label", "release", "before", "now")
"""Parameters of views that name runs and releases."""


class TeamAccess:
    def __init__(self, here: RequestState, person: Person) -> None:
        self._here, self._person = here, person

    @cached_property
    def use_cases(self) -> VisibleUseCases:
        return visible_use_cases(self._here.governance.policy, self._person, self._here.ledger_time)

    def sees_run(self, known: Journal) -> bool:
        """Return whether the person sees a run.

        A run without a use case is not resolved yet. The team of its requester sees it.
        """
        if self.use_cases.contains(known.use_case):
            return True
        if not known.use_case and self._is_teammate(known.requested_by):
            return True
        return known.run in self._runs_to_decide or self._has_source_in(known.run)

    def sees_run_id(self, run: str) -> bool:
        """Return whether the person sees a run, which may be on another machine that shares the ledger."""
        known = journal.read_journal(self._here.state, run) if is_run_id(run) else None
        if known is None:
            known = Journal(run=run, requested_by="", use_case=use_case_of_request(self._here.ledger, run))
        return self.sees_run(known)

    def sees_release(self, label: str) -> bool:
        """Return whether the person sees a release. `label` is NAME-VERSION, and the name is that of its use case."""
        return self.use_cases.contains(label.rpartition("-")[0])

    def require_visible(self, parameters: Mapping[str, Any]) -> None:
        """Require that a person sees every run and release that the parameters of a view name.

        Raises:
            Refused: The person does not see one of them.
        """
        if self.use_cases.names is None:
            return
        named = {name: value for name, value in parameters.items() if isinstance(value, str) and value}
        for run in (named[name] for name in RUN_PARAMETERS if name in named):
            if not self.sees_run_id(run):
                raise Refused(f"run {run} is of another team; policy shows it to that team, auditors and overseers")
        for label in (named[name] for name in RELEASE_PARAMETERS if name in named):
            if not self.sees_release(label):
                raise Refused(
                    f"release {label} is of another team; policy shows it to that team, auditors and overseers"
                )

    def _is_teammate(self, other: str) -> bool:
        teams = self._here.governance.policy.teams.values()
        return any({self._person.id, other} <= set(team.people) for team in teams)

    def _has_source_in(self, run: str) -> bool:
        try:
            read = load_resolved(Layout(self._here.state / "runs" / run).sources_path).sources
        except (HallmarkError, OSError):
            return False
        return any(self._person.id in (item.source.owner, item.source.steward) for item in read)

    @cached_property
    def _runs_to_decide(self) -> frozenset[str]:
        gates = open_gates(self._here.ledger, lambda _: self._here.governance)
        return frozenset(each.summary.run for each in gates if each.summary and self._may_decide(each.summary))

    def _may_decide(self, summary: EvidenceSummary) -> bool:
        asks, held = summary.asks, set(self._person.roles_at(self._here.ledger_time))
        by_role = {role.role for role in asks.roles if not role.owners} | ({asks.waive.role} if asks.waive else set())
        return bool(by_role & held) or self._person.id in asks.owners
