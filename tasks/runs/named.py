"""The run that somebody means by a part of its id, as git takes a part of a commit's."""

import re
from pathlib import Path

from tasks.core.errors import InputError
from tasks.gates import signed_request
from tasks.ledger.ledger import is_there, open_ledger
from tasks.runs import journal

PART = re.compile(r"[a-z0-9-]{4,62}")
"""What can be a part of an id. Fewer than four characters fit too many of next year's runs."""
MOST_TOLD = 10
"""Candidates that are told one by one."""


def meant(state: Path, given: str) -> str:
    """The id of the one run that begins or ends with `given`; `given` itself where that is an id, or fits none, which
    whoever looks the run up says in their own words. Raises InputError, with the candidates, where it fits several."""
    if not PART.fullmatch(given):
        return given
    known = _known(state)
    fits = sorted(run for run in known if run.startswith(given) or run.endswith(given))
    if given in known or not fits:
        return given
    if len(fits) > 1:
        raise InputError(_several(state, given, fits))
    return fits[0]


def _known(state: Path) -> set[str]:
    """The runs of this checkout, and those of others that the ledger has."""
    return {*journal.names(state), *_asked_for(state)}


def _asked_for(state: Path) -> set[str]:
    return set(open_ledger(state).subjects(signed_request.KIND)) if is_there(state) else set()


def _several(state: Path, given: str, fits: list[str]) -> str:
    lines = [f"  {run}{_about(state, run)}" for run in fits[-MOST_TOLD:]]
    more = [f"  and {len(fits) - MOST_TOLD:,} older ones"] * (len(fits) > MOST_TOLD)
    return "\n".join([f"{given!r} begins or ends the ids of {len(fits):,} runs; give more of one:", *more, *lines])


def _about(state: Path, run: str) -> str:
    known = journal.read(state, run)
    return f"  {known.use_case or 'no use case yet'}, {known.status}" if known else "  not on this machine"
