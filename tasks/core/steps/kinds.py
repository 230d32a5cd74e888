"""Table of the kinds of sources, the file formats that Hallmark reads.

A new kind is a line here and a file `tasks/stages/data/readers/formats/KIND_reader.py`.
"""

KINDS: dict[str, tuple[str, ...]] = {
    "csv": ("stray_quote", "field_count"),
    "jsonl": ("not_json", "not_object"),
    "parquet": (),
}
"""Rules by which the reader of each kind refuses single rows, in the order of kinds on pages and in messages."""
MALFORMED_RULES: tuple[str, ...] = tuple(rule for rules in KINDS.values() for rule in rules)
KINDS_IN_WORDS: str = " or ".join([", ".join([*KINDS][:-1]), [*KINDS][-1]])
"""All kinds, for example `csv, jsonl or parquet`."""


def known_kind(kind: str) -> str:
    """Return `kind`.

    Raises:
        ValueError: There is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"expected {KINDS_IN_WORDS}, got {kind!r}")
    return kind
