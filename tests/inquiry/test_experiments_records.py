"""Records of an experiment, whose code nobody has reviewed, as people who look at them see them."""

from pathlib import Path

import pyarrow as pa
import pytest

from tasks.core.errors import Refused
from tasks.core.files import sha256_bytes, write_json
from tasks.core.layout import EXPERIMENT_TIER
from tasks.core.records.record import QUARANTINE_SCHEMA, RECORD_SCHEMA, write_table
from tasks.inquiry import disclosure
from tasks.inquiry.disclosure import DisclosedRow
from tasks.ledger import entry
from tasks.ledger.ledger import open_ledger
from tasks.policy.people import Person
from tasks.sources import vault_keys
from tasks.sources.resolved_sources import ResolvedSource, ResolvedSources
from tasks.sources.vault import open_vault
from tasks.sources.vault_writer import TokenValue
from tasks.stages.data.protect.tokens import TOKEN_PATTERN, break_up_tokens, make_token
from tests.stages.data.build import TODAY, Run, record, source

OWNER = Person(id="data-owner", name="Owner", roles=["data_owner"])
DATA = b"text,label\nWhere is my card,lost\n"
WORDS = "Ada Lovelace has a card"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run(tmp_path / ".hallmark" / "runs" / "r1")
    made.root.mkdir(parents=True)
    write_json(made.layout.authority_path, {"tier": EXPERIMENT_TIER})
    vault_keys.create_key(made.layout.run_state)
    (made.root / "data.csv").write_bytes(DATA)
    pinned = ResolvedSource(source=source("data.csv"), sha256=sha256_bytes(DATA), bytes=len(DATA))
    resolved = ResolvedSources(sources=[pinned], as_of=TODAY, vault="0" * 32)
    write_json(made.layout.sources_path, resolved.model_dump(mode="json"))
    write_json(made.layout.artefacts("ingest") / "result.json", {"sources": [{"id": "src", "counts": {"rows": 1}}]})
    return made


def leave(run: Run, text: str, record_id: str = "0" * 32) -> None:
    """Return a row as the code of the experiment's `ingest` writes it."""
    run.put_rows([{"record_id": record_id, "source_id": "src", "row": 1}])
    folder = run.layout.artefacts("ingest")
    write_table(QUARANTINE_SCHEMA.empty_table(), folder / "quarantine.parquet")
    left = record(text) | {"record_id": record_id}
    write_table(pa.Table.from_pylist([left], schema=RECORD_SCHEMA), folder / "records.parquet")


def look(run: Run) -> DisclosedRow:
    return disclosure.disclose_row(run.layout, "src:1", run.access(OWNER), "a test", open_ledger(run.layout.state))


@pytest.mark.attack(
    rights="stage", stopped="of an experiment the row is shown as its source has it, and no token is read"
)
def test_a_token_of_somebody_else_is_not_spelled_out(run: Run) -> None:
    key = vault_keys.load_keys(run.layout.run_state).tokens
    other = TokenValue(make_token("card", "4111 1111 1111 1111", key), "4111 1111 1111 1111")
    open_vault(run.layout.run_state).add_values([other])
    leave(run, f"what is [{other.token}]?")
    shown = look(run)
    assert shown.columns == {"text": "Where is my card", "label": "lost"} and "4111" not in str(shown)


@pytest.mark.attack(rights="stage", stopped="a record's id is 32 hex digits, else nothing of it is shown")
def test_words_in_place_of_an_id_reach_no_ledger(run: Run) -> None:
    leave(run, "x", WORDS)
    with pytest.raises(Refused, match="name a record by what is no id"):
        look(run)
    assert open_ledger(run.layout.state).entries() == []


@pytest.mark.attack(rights="stage", stopped="what is no class is no token, and is looked up nowhere")
@pytest.mark.parametrize("made", ["ada_lovelace_has_a_card", "a" * 1000])
def test_words_in_place_of_a_class_are_no_token(made: str) -> None:
    assert TOKEN_PATTERN.findall(f"[{made}:aaaaaaaaaaaa] [name:aaaaaaaaaaaa]") == ["name:aaaaaaaaaaaa"]
    assert break_up_tokens("[name:aaaaaaaaaaaa]") == "[name: aaaaaaaaaaaa]"


@pytest.mark.attack(rights="stage", stopped="an entry that no export could be read with is not recorded")
def test_an_entry_without_end_is_not_recorded(run: Run) -> None:
    ledger = open_ledger(run.layout.state)
    with pytest.raises(Refused, match="nothing was recorded"):
        ledger.append("vault.read", "x", {"tokens": ["a" * entry.MAX_LEAF_BYTES]})
    assert ledger.entries() == []
