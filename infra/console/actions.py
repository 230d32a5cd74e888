"""Tables of the statements that people sign in their browser, and of all other requests that are not for pages."""

from collections.abc import Callable
from typing import Any, NamedTuple

from infra.console.pages import Access
from infra.console.signing import gate_decision, incident_closing, rollback_order, schedule_switch


class SignableStatement(NamedTuple):
    """Statement that people sign in their browser.

    The route PATH/draw returns the draft, and PATH/decide records the signed statement.
    """

    path: str
    draft: Callable[..., Any]
    record: Callable[..., Any]
    description: str


class Action(NamedTuple):
    method: str
    path: str
    access: Access
    description: str


SIGNABLE_STATEMENTS = (
    SignableStatement("/gates/{run}/{gate}", gate_decision.draft, gate_decision.record, "a decision at a gate"),
    SignableStatement(
        "/incidents/{incident}", incident_closing.draft, incident_closing.record, "the end of an incident"
    ),
    SignableStatement(
        "/releases/{label}",
        rollback_order.draft,
        rollback_order.record,
        "an order that an earlier release be champion again",
    ),
    SignableStatement(
        "/schedules/{name}", schedule_switch.draft, schedule_switch.record, "a schedule or trigger rests, or goes on"
    ),
)

ACTIONS = (
    Action("GET", "/sign-in", "anybody", "the form to sign in with"),
    Action("POST", "/sign-in", "anybody", "sign in with a password"),
    Action("GET", "/sign-in/elsewhere", "anybody", "leave for the provider that signs people in"),
    Action("GET", "/sign-in/callback", "anybody", "come back from there"),
    Action("POST", "/sign-out", "person", "end this session"),
    *(
        Action("POST", f"{each.path}/draw", "person", f"have drawn up, to be signed: {each.description}")
        for each in SIGNABLE_STATEMENTS
    ),
    *(
        Action("POST", f"{each.path}/decide", "person", f"record what was signed: {each.description}")
        for each in SIGNABLE_STATEMENTS
    ),
    Action("GET", "/runs/{run}/report", "person", "the evaluation report of a run"),
    Action("GET", "/runs/{run}/measured", "person", "the same report, with latency and cost as measured"),
    Action("POST", "/runs/{run}/shown", "person", "one record as its source has it, for a reason"),
    Action("POST", "/where", "person", "everything that a person is in, for a reason"),
    Action("GET", "/runs/{run}/docs/{path:path}", "person", "the Data Docs of a run"),
    Action("GET", "/health", "anybody", "whether the console is up"),
    Action("GET", "/metrics", "scraper", "metrics in Prometheus's text format"),
    Action("GET", "/openapi.json", "anybody", "what the JSON of each page looks like"),
)
