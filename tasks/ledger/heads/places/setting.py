"""Parser of the setting HALLMARK_LEDGER_HEADS."""

import re
from pathlib import Path

from tasks.core.errors import InputError
from tasks.core.formatting import format_url
from tasks.ledger.heads.places.folder import FolderPlace
from tasks.ledger.heads.places.git import GitPlace
from tasks.ledger.heads.places.place import HeadPlace
from tasks.ledger.heads.places.s3 import S3Place


def parse_places(value: str, checkout: Path, state: Path) -> list[HeadPlace]:
    """Parse the value of HALLMARK_LEDGER_HEADS: the places to publish to, separated by spaces.

    Raises:
        InputError: A word does not name a place, a place is named twice, or a folder is inside the state folder, where
            an attacker who rewrites the ledger could rewrite the heads too.
    """
    places = [_parse_place(word, checkout, state) for word in value.split()]
    names = [place.name for place in places]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"HALLMARK_LEDGER_HEADS names a place twice: {', '.join(twice)}; name each once")
    return places


def _parse_place(word: str, checkout: Path, state: Path) -> HeadPlace:
    if word.startswith("s3://"):
        if not re.fullmatch(r"s3://[^/:@]+(/.*)?", word):
            raise InputError(
                f"HALLMARK_LEDGER_HEADS: expected s3://BUCKET/PREFIX, got {format_url(word)}; set the keys as "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        return S3Place(word.rstrip("/"))
    if "://" in word or word.endswith(".git") or re.match(r"[^/@]+@[^/:]+:", word):
        return GitPlace(word, state / "heads")
    try:
        folder = (checkout / Path(word).expanduser()).resolve()
    except RuntimeError:  # no user has the name after ~, or links lead in a circle
        raise InputError(f"HALLMARK_LEDGER_HEADS: {word} leads to no folder; expected the path of one") from None
    if folder.is_relative_to(state.resolve()):
        raise InputError(f"HALLMARK_LEDGER_HEADS: {word} lies in {state}, beside the ledger; name a folder elsewhere")
    return FolderPlace(folder)
