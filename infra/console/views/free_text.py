"""Access to free text that a run's code wrote: errors, progress, logs, and pages that no gate has verified.

Such text can quote any record. It is shown only to people who may see individual records of all sources of the run.
"""

import re

from infra.console.site import RequestState
from tasks.core.errors import HallmarkError, Refused
from tasks.core.layout import Layout
from tasks.core.progress import COUNT_PATTERN
from tasks.inquiry import access
from tasks.policy.people import Person
from tasks.runs.journal import Journal
from tasks.runs.run import governance_of_run
from tasks.sources.resolved_sources import load_resolved

FREE_TEXT_ERROR_PATTERN = re.compile(r"stage |[A-Z]\w*: ")
"""Pattern of the beginning of an error that a stage wrote, or of an unexpected exception. The rest of the error can
quote the run's files."""


def access_denial_reason(here: RequestState, layout: Layout, person: Person) -> str:
    """Return the reason why a person may not see the free text of a run; empty if they may see it."""
    if not layout.sources_path.exists():
        return "its sources are not known here"
    try:
        looker = access.access_of_person(governance_of_run(here.root, layout), person)
        closed = [it.source.id for it in load_resolved(layout.sources_path).sources if not looker.may_read(it.source)]
    except HallmarkError:
        return "by whose rules it was made cannot be read here"
    return f"records of {', '.join(closed)} are not for {person.id}" if closed else ""


def require_free_text_access(here: RequestState, layout: Layout, person: Person, text_name: str) -> None:
    """Raise Refused if a person may not see the free text of a run.

    `text_name` is the name of the text in the message.
    """
    if why := access_denial_reason(here, layout, person):
        raise Refused(f"{text_name} of run {layout.root.name} may hold texts of records, and {why}")


def redact_journal(here: RequestState, person: Person, known: Journal) -> Journal:
    """Return the journal. Error and progress texts are removed if the person may not see them."""
    error = known.error or ""
    own = FREE_TEXT_ERROR_PATTERN.match(error)
    speaks = own or any(line.progress and not COUNT_PATTERN.fullmatch(line.progress) for line in known.stages.values())
    why = access_denial_reason(here, Layout(here.state / "runs" / known.run), person) if speaks else ""
    if not why:
        return known
    if own:
        error = f"{error.partition(':')[0][:60]} failed; its own words may hold texts of records, and {why}"
    counts = {name: COUNT_PATTERN.match(line.progress) for name, line in known.stages.items()}
    stages = {
        name: line.model_copy(update={"progress": match[0] if (match := counts[name]) else ""})
        for name, line in known.stages.items()
    }
    return known.model_copy(update={"stages": stages, "error": error or None})
