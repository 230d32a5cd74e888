"""Table of the kinds of sources, the file formats that Hallmark reads.

A new kind is a line here and a file `tasks/stages/data/readers/formats/KIND_reader.py`.
"""

KINDS: dict[str, tuple[str, ...]] = {
    "csv": ("stray_quote", "field_count"),
    "jsonl": ("not_json", "not_object"),
    "parquet": ("out_of_range",),
}
"""File formats of sources, each with the rules by which its reader rejects single rows. Pages and messages list the
formats in this order."""
MALFORMED_RULES: tuple[str, ...] = tuple(rule for rules in KINDS.values() for rule in rules)
KINDS_IN_WORDS: str = " or ".join([", ".join([*KINDS][:-1]), [*KINDS][-1]])


def known_kind(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"expected {KINDS_IN_WORDS}, got {kind!r}")
    return kind
