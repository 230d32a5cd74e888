"""Search for a text in an answer, in which case, spaces and punctuation do not count."""

import unicodedata
from typing import Annotated

from pydantic import StringConstraints

SearchedText = Annotated[str, StringConstraints(pattern=r"\S")]
"""Text that is not blank."""


def contains(answer: str, text: str) -> bool:
    """Return whether the letters and digits of `text` occur in the answer, in order and without others between them.

    A text without letters and digits is searched for as it is written.
    """
    searched = letters_and_digits(text)
    return searched in letters_and_digits(answer) if searched else text in answer


def letters_and_digits(text: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKC", text).casefold() if sign.isalnum())
