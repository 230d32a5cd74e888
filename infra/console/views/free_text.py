"""Access to free text that a run's code wrote: errors, progress, logs, and pages that no gate compared.

Such text can quote any record. Only people who may read single records of all sources of the run see it.
"""

import re

from infra.console.site import RequestState
from tasks.core.errors import HallmarkError, Refused
from tasks.core.layout import Layout
from tasks.core.progress import COUNT
from tasks.inquiry import access
from tasks.policy.people import Person
from tasks.runs.journal import Journal
from tasks.runs.run import governance_of
from tasks.sources.sources import load_resolved

FREE_TEXT_ERROR = re.compile(r"stage |[A-Z]\w*: ")
"""Beginning of an error that a stage wrote, or of an unexpected exception. The rest of the error can quote the run's
files."""


def access_denial(here: RequestState, layout: Layout, person: Person) -> str:
    """Return the reason why a person may not see the free text of a run; empty if they may see it."""
    if not layout.sources.exists():
        return "its sources are not known here"
    try:
        looker = access.access_of_person(governance_of(here.root, layout), person)
        closed = [it.source.id for it in load_resolved(layout.sources).sources if not looker.may_read(it.source)]
    except HallmarkError:
        return "by whose rules it was made cannot be read here"
    return f"records of {', '.join(closed)} are not for {person.id}" if closed else ""


def require_access(here: RequestState, layout: Layout, person: Person, what: str) -> None:
    """Raise Refused if a person may not see the free text of a run. The message names the text as `what`."""
    if why := access_denial(here, layout, person):
        raise Refused(f"{what} of run {layout.root.name} may hold texts of records, and {why}")


def redacted(here: RequestState, person: Person, known: Journal) -> Journal:
    """Return the journal, without error and progress texts if the person may not see them."""
    error = known.error or ""
    own = FREE_TEXT_ERROR.match(error)
    speaks = own or any(line.progress and not COUNT.fullmatch(line.progress) for line in known.stages.values())
    why = access_denial(here, Layout(here.state / "runs" / known.run), person) if speaks else ""
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
