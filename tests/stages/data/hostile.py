"""Small files that mean very much, each with the limit that it is past."""

import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

HEADER = b"text,label\n"


def parquet(table: pa.Table, **how: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **{"compression": "zstd"} | how)
    return out.getvalue()


def packed(*parts: bytes, times: int = 1) -> bytes:
    """Return the first part, the second `times` times and the others as gzip, each in a member of its own."""
    first, often, *others = (gzip.compress(part, 1) for part in parts)
    return b"".join([first, often * times, *others])


def repeated(value: str, times: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int8()), pa.array([value]))


def turns(value: str, times: int) -> pa.Array:
    """One chat of so many turns, the same text in each."""
    turn = pa.StructArray.from_arrays([repeated("user", times), repeated(value, times)], ["role", "content"])
    return pa.ListArray.from_arrays(pa.array([0, times], pa.int32()), turn)


def rows(text: pa.Array, metadata: dict[str, str] | None = None) -> bytes:
    return parquet(pa.table({"text": text, "label": repeated("y", len(text))}, metadata=metadata))


def nulls(items: int) -> pa.Array:
    """One list of so many nulls."""
    return pa.ListArray.from_arrays(pa.array([0, items], pa.int32()), pa.nulls(items, pa.int8()))


def chats(messages: pa.Array, times: int = 1, name: str = "turns") -> bytes:
    return parquet(pa.table({name: pa.concat_arrays([messages] * times)}))


def deltas() -> bytes:
    """Texts that differ in their last characters alone, each written as what the one before it lacks."""
    texts = pa.array([f"{'x' * 2_000_000}{number}" for number in range(10)])
    how = {"use_dictionary": False, "column_encoding": {"text": "DELTA_BYTE_ARRAY"}}
    return parquet(pa.table({"text": pa.concat_arrays([texts] * 4), "label": ["y"] * 40}), **how)


def page() -> bytes:
    """One value, in a page without a dictionary."""
    table = pa.table({"text": ["x" * 135_000_000], "label": ["y"]})
    return parquet(table, use_dictionary=False, write_statistics=False, compression="lz4")


WIDE = ["text", "label", *(f"c{number}" for number in range(10_100))]
MILLION = 1 << 20
BOMBS: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "two and a half million rows": ("parquet", "max_rows", lambda: rows(repeated("x", 2_500_000))),
    "9 MB a thousand times": ("parquet", "max_row_bytes", lambda: rows(repeated("x" * 9_000_000, 1_000))),
    "7 MB a thousand times": ("parquet", "max_unpacked_bytes", lambda: rows(repeated("x" * 7_000_000, 1_000))),
    "a value of 135 MB": ("parquet", "a page that unpacks to", page),
    "deltas": ("parquet", "max_unpacked_bytes", deltas),
    "a list of 20 million nulls": ("parquet", "max_unpacked_bytes", lambda: rows(nulls(20_000_000))),
    "a chat of 9 MB": ("chats", "max_row_bytes", lambda: chats(turns("x" * 3_000_000, 3))),
    "a chat of 7 GB": ("chats", "max_unpacked_bytes", lambda: chats(turns("x" * 7_000_000, 1_000))),
    "600 chats of 1 MB": ("chats", "max_unpacked_bytes", lambda: chats(turns("x" * MILLION, 1), 600)),
    "a name with a dot": ("dotted", "max_row_bytes", lambda: chats(turns("x" * 9_000_000, 9), name="the.turns")),
    "parquet columns": ("parquet", "max_columns", lambda: parquet(pa.table({name: [1] for name in WIDE}))),
    "a footer of 34 MB": ("parquet", "a footer of", lambda: rows(pa.array(["a"]), {"x": "y" * 14 * MILLION})),
    "csv columns": ("csv", "max_columns", lambda: ",".join(WIDE).encode() + b"\n"),
    "csv rows": ("csv", "max_rows", lambda: packed(HEADER, b"a,b\n" * MILLION, times=3)),
    "blank csv lines": ("csv", "max_rows", lambda: packed(HEADER, b"\n" * MILLION, b"a,b\n", times=100)),
    "a csv field": ("csv", "max_row_bytes", lambda: packed(HEADER + b'"', b"x" * MILLION, b'",b\n', times=50)),
    "a csv field of lines": ("csv", "max_row_bytes", lambda: packed(b'text,label\n"', b"x\n" * MILLION, times=50)),
    "a csv header": ("csv", "max_row_bytes", lambda: packed(b'text,"', b"x" * MILLION, b'"\n', times=50)),
    "zeros": ("csv", "max_unpacked_bytes", lambda: packed(HEADER, b"0" * MILLION, times=600)),
    "json rows": ("jsonl", "max_rows", lambda: packed(b"", b'{"text":"a","label":"b"}\n' * MILLION, times=3)),
    "a json line": ("jsonl", "max_row_bytes", lambda: packed(b'{"text":"', b"x" * MILLION, b'"}\n', times=50)),
    "json fields": ("jsonl", "max_columns", lambda: json.dumps(dict.fromkeys(WIDE, 1)).encode() + b"\n"),
    "other json fields in each row": ("jsonl", "max_columns", lambda: b"".join(
        json.dumps(dict.fromkeys(WIDE[n : n + 99], 1)).encode() + b"\n" for n in range(0, len(WIDE), 99)
    )),
}  # fmt: skip
"""By name: the kind, what the refusal says, and how to make it. `chats` is parquet with messages, `dotted` too."""
LOWERED: dict[str, dict[str, int]] = {
    "csv rows": {"max_rows": 100_000},
    "blank csv lines": {"max_rows": 100_000},
    "json rows": {"max_rows": 100_000},
    "a csv field of lines": {"max_row_bytes": MILLION},
    "deltas": {"max_unpacked_bytes": 64 * MILLION},
    "zeros": {"max_unpacked_bytes": 64 * MILLION},
}
"""By name of a bomb that takes a second to be refused at the limits of a source by default, lower ones."""
