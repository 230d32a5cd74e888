"""Table of pages. Each page has a view, a template and an access rule.

The JSON of each page is below /api, and its tables can also be downloaded as CSV. Every route of the application is in
this table or in those of actions.py. A test requests all of them in every role.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_type_hints

from infra.console import csv_tables
from infra.console.views.artefacts import artefacts
from infra.console.views.audit import audit
from infra.console.views.data import data
from infra.console.views.gate import gate
from infra.console.views.inbox import inbox
from infra.console.views.incidents import incident, incidents
from infra.console.views.key import key
from infra.console.views.ledger import entry, ledger
from infra.console.views.lineage import lineage
from infra.console.views.log import log
from infra.console.views.policy import policy
from infra.console.views.release import release
from infra.console.views.release_comparison import release_comparison
from infra.console.views.releases import production, releases
from infra.console.views.rows import rows
from infra.console.views.run_comparison import run_comparison, run_comparison_form
from infra.console.views.runs import run, runs
from infra.console.views.schedules import schedule, schedules
from infra.console.views.waivers import waivers
from infra.console.views.wrong_answers import wrong_answers

Access = Literal["anybody", "person", "scraper"]
"""Access to a page or action: `person` means a signed-in person who holds a role in people.yaml, `scraper` a program
with the token of the metrics. Every role may read
every page, because auditors must be able to. If policy has teams, a page about a run or release is for those who see it
(team_access.py). Texts of records are shown only to people who may see individual records
of their source (tasks/inquiry/access.py)."""


class Page(NamedTuple):
    path: str
    title: str
    view: Callable[..., Any]
    template: str
    menu: bool = False
    """Whether the navigation menu lists the page."""
    live: bool = False
    """Whether the page refreshes itself every few seconds while it is open."""
    access: Access = "person"
    calls_other_servers: bool = False
    """Whether the view calls another server. Such a view does not hold a read transaction on the ledger."""


PAGES = (
    Page("/", "Inbox", inbox, "inbox.html", menu=True, live=True),
    Page("/gates/{run}/{gate}", "Gate", gate, "gate.html"),
    Page("/runs", "Runs", runs, "runs.html", menu=True, live=True),
    Page("/runs/{run}", "Run", run, "run.html", live=True),
    Page("/runs/{run}/rows", "Rows", rows, "rows.html"),
    Page("/runs/{run}/errors", "Wrong answers", wrong_answers, "wrong_answers.html"),
    Page("/runs/{run}/artefacts", "What its stages left", artefacts, "artefacts.html"),
    Page("/runs/{run}/log", "Log", log, "log.html", live=True, calls_other_servers=True),
    Page("/runs/{first}/to/{second}", "What differs", run_comparison, "compared.html"),
    Page("/compare", "Compare two runs", run_comparison_form, "compared.html"),
    Page("/releases", "Releases", releases, "releases.html", menu=True),
    Page("/releases/{label}", "Release", release, "release.html"),
    Page("/releases/{before}/to/{now}", "What changed", release_comparison, "changes.html"),
    Page("/production", "In production", production, "at.html", menu=True),
    Page("/data", "Data", data, "data.html", menu=True),
    Page("/where", "Where is it", lineage, "where.html"),
    Page("/audit", "Audit", audit, "audit.html", menu=True),
    Page("/schedules", "Schedules", schedules, "schedules.html", menu=True),
    Page("/schedules/{name}", "Schedule", schedule, "schedule.html"),
    Page("/incidents", "Incidents", incidents, "incidents.html", menu=True),
    Page("/incidents/{incident}", "Incident", incident, "incident.html"),
    Page("/waivers", "Waivers", waivers, "waivers.html", menu=True),
    Page("/policy", "Policy", policy, "policy.html", menu=True),
    Page("/ledger", "Ledger", ledger, "ledger.html", menu=True),
    Page("/ledger/{number}", "Ledger entry", entry, "entry.html"),
    Page("/key", "Your key", key, "key.html"),
)


def api_path(page: Page) -> str:
    return "/api/inbox" if page.path == "/" else f"/api{page.path}"


def csv_paths(page: Page) -> dict[str, str]:
    path = "/inbox" if page.path == "/" else page.path
    of = csv_tables.table_names(get_type_hints(page.view)["return"])
    return {table: f"{path}.csv" if table == csv_tables.MAIN_TABLE else f"{path}/{table}.csv" for table in of}
