"""Table of the kinds of sources, which are the file formats that Hallmark reads.

A new kind needs a line here and a file `tasks/stages/data/readers/formats/KIND_reader.py`.
"""

DOCUMENT_RULES = ("too_large", "unreadable")
"""Rules by which a reader of documents rejects a whole document (`tasks.stages.data.readers.documents`)."""
SQL_KIND = "sql"
"""Kind of a source that is a query of a database."""
SOURCE_KINDS: dict[str, tuple[str, ...]] = {
    "csv": ("stray_quote", "field_count"),
    "jsonl": ("not_json", "not_object"),
    "parquet": ("out_of_range",),
    "text": DOCUMENT_RULES,
    "hf_dataset": ("out_of_range",),
    SQL_KIND: ("not_json", "not_object"),
    "markdown": DOCUMENT_RULES,
    "html": DOCUMENT_RULES,
    "docx": DOCUMENT_RULES,
    "pdf": (*DOCUMENT_RULES, "no_text"),
    "mail": (*DOCUMENT_RULES, "incomplete_message", "duplicate_message"),
    "transcript": (*DOCUMENT_RULES, "no_speaker"),
}
"""File formats of sources, each with the rules by which its reader rejects single rows. Pages and messages list the
formats in this order."""
CONVERSATION_RULES = ("too_large", "no_thread", "no_author", "bad_time", "bad_comments")
"""Rules for messages of any format that cannot be joined (`tasks.stages.data.readers.conversations`)."""
MALFORMED_RULES: tuple[str, ...] = tuple(
    dict.fromkeys(rule for rules in (*SOURCE_KINDS.values(), CONVERSATION_RULES) for rule in rules)
)
SOURCE_KINDS_IN_WORDS: str = " or ".join([", ".join([*SOURCE_KINDS][:-1]), [*SOURCE_KINDS][-1]])


def validate_source_kind(kind: str) -> str:
    if kind not in SOURCE_KINDS:
        raise ValueError(f"expected {SOURCE_KINDS_IN_WORDS}, got {kind!r}")
    return kind
