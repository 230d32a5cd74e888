"""The table of what is done with a POST, and of the few answers that are no page."""

from typing import NamedTuple

from infra.console.pages import Who


class Action(NamedTuple):
    method: str
    path: str
    who: Who
    what: str


ACTIONS = (
    Action("GET", "/sign-in", "anybody", "the form to sign in with"),
    Action("POST", "/sign-in", "anybody", "sign in with a password"),
    Action("POST", "/sign-out", "person", "end this session"),
    Action("POST", "/gates/{run}/{gate}/draw", "person", "have a decision drawn up, to be signed in the browser"),
    Action("POST", "/gates/{run}/{gate}/decide", "person", "record a decision that was signed in the browser"),
    Action("POST", "/incidents/{incident}/draw", "person", "have the closing of an incident drawn up, to be signed"),
    Action("POST", "/incidents/{incident}/decide", "person", "record the signed closing of an incident"),
    Action("GET", "/runs/{run}/report", "person", "the evaluation report of a run"),
    Action("GET", "/runs/{run}/docs/{path:path}", "person", "the Data Docs of a run"),
    Action("GET", "/health", "anybody", "whether the console is up"),
    Action("GET", "/openapi.json", "anybody", "what the JSON of each page looks like"),
)
