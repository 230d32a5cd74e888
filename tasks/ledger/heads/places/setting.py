"""Parser of the setting HALLMARK_LEDGER_HEADS."""

import re
from pathlib import Path

from tasks.core.errors import InputError
from tasks.ledger.heads.places.folder import FolderPlace
from tasks.ledger.heads.places.git import GitPlace
from tasks.ledger.heads.places.place import HeadPlace
from tasks.ledger.heads.places.s3 import S3Place


def parse(words: str, checkout: Path, state: Path) -> list[HeadPlace]:
    """Return the places that a value of the setting names, separated by spaces.

    Raises:
        InputError: A word does not name a place.
    """
    return [_place(word, checkout, state) for word in words.split()]


def _place(word: str, checkout: Path, state: Path) -> HeadPlace:
    if word.startswith("s3://"):
        if not re.fullmatch(r"s3://[^/]+(/.*)?", word):
            raise InputError(f"HALLMARK_LEDGER_HEADS: {word} names no bucket; expected s3://BUCKET/PREFIX")
        return S3Place(word.rstrip("/"))
    if "://" in word or word.endswith(".git") or re.match(r"[^/@]+@[^/:]+:", word):
        return GitPlace(word, state / "heads")
    try:
        return FolderPlace(checkout / Path(word).expanduser())
    except RuntimeError:  # there is no user of the name after ~
        raise InputError(f"HALLMARK_LEDGER_HEADS: {word} begins with the home of a user who is not there") from None
