"""Warnings about the ledger, in place of what commands print on stderr."""

import warnings
from pathlib import Path

from infra import ledger_signs
from tasks.ledger import quick_check


class LedgerWarning(UserWarning):
    """Warning that the ledger is false or incomplete."""


def warn_if_changed(root: Path) -> None:
    """Issue a warning for each sign that the ledger of a checkout was changed by hand."""
    for text in ledger_signs.tampering_signs(root):
        message = f"{quick_check.problem_message(text)}; {quick_check.ADVICE}"
        warnings.warn(message, LedgerWarning, stacklevel=3)
