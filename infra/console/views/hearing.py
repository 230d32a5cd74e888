"""What the code of a run says in words of its own is for who may see single records of all its sources.

It may print and write whatever it reads: errors, progress, a log, pages that no gate looked at.
"""

import re

from infra.console.site import Here
from tasks.core.errors import HallmarkError, Refused
from tasks.core.layout import Layout
from tasks.inquiry import access
from tasks.policy.people import Person
from tasks.runs.journal import Journal
from tasks.runs.run import governance_of
from tasks.sources.sources import load_resolved

OWN = re.compile(r"stage |[A-Z]\w*: ")
"""How an error begins that a stage has put into words, or that nobody foresaw: that may quote a file of the run."""
COUNT = re.compile(r"\d+/\d+")
"""How far a stage is."""


def why_closed(here: Here, layout: Layout, person: Person) -> str:
    """Why it is not for a person, in words; empty where it is."""
    if not layout.sources.exists():
        return "its sources are not known here"
    try:
        looker = access.of(governance_of(here.site.root, layout), person)
        closed = [it.source.id for it in load_resolved(layout.sources).sources if not looker.sees(it.source)]
    except HallmarkError:
        return "by whose rules it was made cannot be read here"
    return f"records of {', '.join(closed)} are not for {person.id}" if closed else ""


def require(here: Here, layout: Layout, person: Person, what: str) -> None:
    """Raises Refused where it is not for them."""
    if why := why_closed(here, layout, person):
        raise Refused(f"{what} of run {layout.root.name} may hold texts of records, and {why}")


def heard(here: Here, person: Person, known: Journal) -> Journal:
    """What happened so far; where the stages' own words are not for a person, without them."""
    error = known.error or ""
    own = OWN.match(error)
    speaks = own or any(line.progress and not COUNT.fullmatch(line.progress) for line in known.stages.values())
    why = why_closed(here, Layout(here.state / "runs" / known.run), person) if speaks else ""
    if not why:
        return known
    if own:
        error = f"{error.partition(':')[0][:60]} failed; its own words may hold texts of records, and {why}"
    counts = {name: COUNT.match(line.progress) for name, line in known.stages.items()}
    stages = {
        name: line.model_copy(update={"progress": match[0] if (match := counts[name]) else ""})
        for name, line in known.stages.items()
    }
    return known.model_copy(update={"stages": stages, "error": error or None})
