"""Reference page of the kinds of ledger entries (tasks/ledger/kinds.py)."""

from infra.docs.markdown import markdown_table
from tasks.ledger.kinds import KINDS

INTRODUCTION = """# Ledger entries

Each entry has a number without gaps, a time, a kind, a subject and a body. An `envelope` is a DSSE envelope over an
in-toto statement. Its signature is what counts; the other fields of a body help to find and read the entry.
[The ledger](../concepts/ledger.md) explains how entries are kept and proved.

`hallmark ledger list --kind KIND` lists entries of one kind. `--kind look` lists every look at personal data, whatever
its kind. `hallmark ledger show 42` prints entry 42 whole.
"""


def render_page() -> str:
    rows = [(f"`{kind.kind}`", kind.subject, kind.body) for kind in KINDS]
    return f"{INTRODUCTION}\n{markdown_table(('kind', 'subject', 'body'), rows)}"
