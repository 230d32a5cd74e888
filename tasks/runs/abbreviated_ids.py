"""Lookup of a run by the beginning or end of its id, similar to abbreviated commit ids in git."""

import re
from pathlib import Path

from tasks.core.errors import InputError
from tasks.gates import signed_request
from tasks.ledger.ledger import ledger_exists, open_ledger
from tasks.runs import journal

ID_PART_PATTERN = re.compile(r"[a-z0-9-]{4,62}")
"""Pattern of an abbreviated run id. Fewer than four characters would match too many runs."""
GENERATED_ID_PATTERN = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}([0-9a-f]{4})?")
GENERATED_ID_PART_PATTERN = re.compile(
    r"\d{4,8}|\d{8}-\d{0,6}|\d{8}-\d{6}-[0-9a-f]{0,7}|[0-9a-f]{4,8}|\d{0,6}-[0-9a-f]{4,8}|\d{0,8}-\d{6}-[0-9a-f]{4,8}"
)
"""Pattern of the beginnings and ends of generated run ids. A run id that a person chooses must not match it."""
MAX_LISTED_RUNS = 10


def expand_run_id(state: Path, abbreviated_id: str) -> str:
    """Return the full id of the only run whose id begins or ends with `abbreviated_id`.

    If `abbreviated_id` is a full id or matches no run, it is returned unchanged, and the caller reports the unknown
    run.

    Raises:
        InputError: More than one run matches; the message lists them.
    """
    if not ID_PART_PATTERN.fullmatch(abbreviated_id):
        return abbreviated_id
    known = _known_ids(state)
    fits = sorted(run for run in known if run.startswith(abbreviated_id) or run.endswith(abbreviated_id))
    if abbreviated_id in known or not fits:
        return abbreviated_id
    if len(fits) > 1:
        raise InputError(_ambiguity_message(state, abbreviated_id, fits))
    return fits[0]


def require_unambiguous_id(state: Path, run_id: str) -> None:
    """Verify that the id of a new run cannot be confused with the id of another run.

    Neither id must be the beginning or end of the other. An id chosen by a person must also not be the beginning or end
    of an id that can be generated later.

    Raises:
        InputError: The id can be confused with another run id.
    """
    if run_id in (asked := _requested_ids(state)):
        return
    given_out = GENERATED_ID_PATTERN.fullmatch(run_id)
    if not given_out and GENERATED_ID_PART_PATTERN.fullmatch(run_id):
        raise InputError(
            f"a run cannot be called {run_id!r}: ids such as 20260303-120000-a1b2 begin or end so, and whoever types a "
            "part of one would mean this run; leave run_id out, or give a name in words"
        )
    for known in sorted({*journal.run_ids(state), *asked} - {run_id}):
        if _is_beginning_or_end(run_id, known) or (_is_beginning_or_end(known, run_id) and not given_out):
            raise InputError(
                f"a run cannot be called {run_id!r}: there is run {known}, and one of these begins or ends with the "
                "other, so that whoever types a part of an id would mean the wrong run; take another name"
            )


def _is_beginning_or_end(part: str, run_id: str) -> bool:
    return bool(ID_PART_PATTERN.fullmatch(part)) and (run_id.startswith(part) or run_id.endswith(part))


def _known_ids(state: Path) -> set[str]:
    return {*journal.run_ids(state), *_requested_ids(state)}


def _requested_ids(state: Path) -> set[str]:
    return set(open_ledger(state).subjects(signed_request.ENTRY_KIND)) if ledger_exists(state) else set()


def _ambiguity_message(state: Path, given: str, fits: list[str]) -> str:
    lines = [f"  {run}{_describe_run(state, run)}" for run in fits[-MAX_LISTED_RUNS:]]
    more = [f"  and {len(fits) - MAX_LISTED_RUNS:,} older ones"] * (len(fits) > MAX_LISTED_RUNS)
    return "\n".join([f"{given!r} begins or ends the ids of {len(fits):,} runs; give more of one:", *more, *lines])


def _describe_run(state: Path, run: str) -> str:
    known = journal.read_journal(state, run)
    return f"  {known.use_case or 'no use case yet'}, {known.status}" if known else "  not on this machine"
