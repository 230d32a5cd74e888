"""Plain texts and conversations, as a table and as tokens."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.core.params.prompts import Prompt
from tasks.core.records import record
from tasks.core.records.rendering import Example, stop_token_ids, tokenise_record
from tests.stages.train.conftest import PROMPTS, make_rows, put_rows

WINDOW = 64
BOTH = {**PROMPTS, "wiki": Prompt(text_window=WINDOW)}
SETTINGS = {"global_batch_size": 10, "epochs": 2, "learning_rate": 1e-3}


def document(number: int) -> dict[str, Any]:
    """A text of a few windows, in which much comes again."""
    said = [f"Account {number * place % 7} is kept in branch {place % 3}." for place in range(1, 3 + number % 4)]
    turns = [{"role": "user", "content": " ".join(said)}, {"role": "assistant", "content": ""}]
    return {"task": "wiki", "messages": turns}


ROWS = [document(3), make_rows(1)[0], document(1), document(2), make_rows(2)[1]]


def put_table(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write the rows as stage `split` leaves them; return the path."""
    empty = {field.name: None for field in record.RECORD_SCHEMA}
    listed = [{**empty, **row, "record_id": f"r{number}"} for number, row in enumerate(rows)]
    record.write_table(pa.Table.from_pylist(listed, schema=record.RECORD_SCHEMA), path)
    return path


def rendered(tiny: Path, rows: list[dict[str, Any]]) -> list[Example]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    stops = stop_token_ids(tokenizer, tiny)
    return [made for row in rows for made in tokenise_record(row, BOTH, tokenizer, stops)]


def put_tokens(tiny: Path, folder: Path) -> Path:
    """Eight texts and four conversations, as stage `tokenise` leaves them."""
    return put_rows(folder, rendered(tiny, [document(number) for number in range(8)] + make_rows(4)))
