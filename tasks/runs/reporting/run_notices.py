"""Notices about runs that failed, were interrupted or have no place in their team's quota, from ledger entries."""

from typing import Any

from tasks.ledger.ledger import Entry
from tasks.policy.governance import Governance
from tasks.registry.history import notices
from tasks.runs import run_entries
from tasks.runs.team_usage import OVER_QUOTA_KEY, TEAM_KEY


def _failure_notice(entry: Entry, _: Governance) -> dict[str, Any] | None:
    if entry.body["status"] != "failed":
        return None
    run = entry.subject
    return {"event": "run.failed", "about": run, "title": f"run {run} failed",
            "text": "The command shows why. What its finished stages made is kept.",
            "command": f"hallmark runs show {run}"}  # fmt: skip


def _interruption_notice(entry: Entry, _: Governance) -> dict[str, Any]:
    run, crashes = entry.subject, int(entry.body["crashes"])
    fields = {"event": "run.interrupted", "about": run, "title": f"run {run} was interrupted: its process died"}
    if entry.body["goes_on"]:
        return fields | {"text": "It goes on by itself.", "command": f"hallmark runs show {run}"}
    text = f"It died {crashes} times, so it does not go on by itself."
    return fields | {"text": text, "command": f"hallmark runs show {run}; then hallmark run --resume {run}"}


def _quota_notice(entry: Entry, _: Governance) -> dict[str, Any] | None:
    if not entry.body.get(OVER_QUOTA_KEY):
        return None
    name, team = str(entry.body["name"]), str(entry.body.get(TEAM_KEY))
    return {"event": "team.over_quota", "about": name, "title": f"{name} requested no run: quota of team {team}",
            "text": str(entry.body["why"]), "command": "hallmark teams"}  # fmt: skip


NOTICE_BUILDERS: notices.NoticeBuilders = {
    **notices.NOTICE_BUILDERS,
    run_entries.ENDED_KIND: _failure_notice,
    run_entries.INTERRUPTED_KIND: _interruption_notice,
    run_entries.PASSED_OVER_KIND: _quota_notice,
}
"""Builders of all notices, by kind of ledger entry."""
