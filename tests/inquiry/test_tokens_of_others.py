"""A source that writes the token of another one's value is told nothing by it."""

import json
from typing import Any

import pytest

from tasks.core.errors import InputError
from tasks.inquiry import disclosure
from tasks.ledger.ledger import open_ledger
from tasks.policy.people import Person
from tasks.stages.data.ingest import ingest
from tasks.stages.data.protect.tokens import TOKEN_PATTERN
from tests.stages.data.build import Run, params, source, table

VALUE = "ada@example.org"
OTHER = Person(id="steward", name="Another", roles=["other"])


def of_both(run: Run, rows: list[dict[str, Any]], **says: Any) -> None:
    """Records of the source whose value it is, and of another person's, of which sources.yaml says `says`."""
    (run.root / "theirs.csv").write_bytes(table([{"text": f"mail me at {VALUE} please", "label": "yes"}]))
    (run.root / "own.csv").write_bytes(table(rows))
    own = source("own.csv", id="own", owner="steward", steward="steward", access=["other"], **says)
    run.resolve(source("theirs.csv", id="theirs"), own)
    ingest.run(params(), run.layout)


def token_of(run: Run) -> str:
    texts = [it["messages"][0]["content"] for it in run.records_of("ingest") if it["source_id"] == "theirs"]
    return str(TOKEN_PATTERN.findall(texts[0])[0])


@pytest.mark.attack(rights="approver", stopped="what a source states or keeps of a value is no token of another one's")
@pytest.mark.parametrize("where", ["the domain of an address", "who labelled"])
def test_a_token_that_a_source_writes_reveals_nothing(run: Run, where: str) -> None:
    of_both(run, [{"text": "hello there", "label": "yes"}])
    token = token_of(run)
    if where == "who labelled":
        says: dict[str, Any] = {"constants": {"task": "triage", "language": "en", "labelled_by": f"[{token}]"}}
        rows = [{"text": "hello there", "label": "yes"}]
    else:
        says = {"protect": {"email": "generalise"}, "personal": {"m": "email"}}
        rows = [{"text": "hello there", "label": json.dumps({"m": f"x@{token.partition(':')[2]}"})}]
    of_both(run, rows, **says)
    shown = disclosure.disclose_row(run.layout, "own:1", run.access(OTHER), "a test", open_ledger(run.layout.state))
    assert shown.messages and VALUE not in str(shown)


def test_a_reason_that_shows_as_nothing_is_none(run: Run) -> None:
    of_both(run, [{"text": "hello there", "label": "yes"}])
    ledger = open_ledger(run.layout.state)
    with pytest.raises(InputError, match="say in words why"):
        disclosure.disclose_row(run.layout, "own:1", run.access(OTHER), "\u2800", ledger)
    assert ledger.entries() == []


def test_half_of_a_character_in_a_prompt_costs_no_other_row(run: Run) -> None:
    broken = {"text": '{"a": "I am \\ud800Anna-Maria Schmidt-Koch"}', "label": "yes"}
    of_both(run, [broken, {"text": "hello there", "label": "yes"}])
    assert len(run.records_of("ingest")) >= 2
