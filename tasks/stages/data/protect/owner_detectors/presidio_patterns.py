"""Detector of kind `presidio`: patterns and deny lists from the YAML file of Presidio's recognisers.

Presidio itself is not needed. Recognisers that are Python code (`type: predefined`) are refused. As in Presidio, case
is ignored, a deny list matches whole words, and a context word among the five words before a match raises its score.
Presidio compares lemmas of these words; here the words are compared as they are written.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import regex
from pydantic import Field, model_validator

from tasks.core.documents import config
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.params.values import NonEmptyText, Share
from tasks.sources.owner_detectors import LanguageCode, OwnerDetector, primary_language, reads_language
from tasks.stages.data.protect.recognisers.span import Span

CONTEXT_WORDS, CONTEXT_CHARACTERS = 5, 300
"""Number of words before a match that are compared with context words, and of characters in which they are looked
for."""
CONTEXT_BOOST, MIN_SCORE_WITH_CONTEXT = 0.35, 0.4
"""Increase of a score by context, and its minimum then: Presidio's defaults."""
SECONDS_PER_PATTERN = 10.0
"""Maximum time of one pattern for one window of a text. A pattern with nested repetitions can take hours."""
FLAGS = regex.DOTALL | regex.MULTILINE | regex.IGNORECASE
WORD = re.compile(r"\w+")


class PresidioPattern(FrozenModel):
    name: str = ""
    regex: NonEmptyText
    score: Share


class LanguageContext(FrozenModel):
    language: LanguageCode
    context: list[NonEmptyText] = []


class PresidioRecogniser(FrozenModel):
    """Recogniser as Presidio's YAML declares it, with patterns, a deny list, or both."""

    name: NonEmptyText
    type: Literal["custom"] = "custom"
    supported_entity: NonEmptyText
    supported_language: LanguageCode | None = None
    supported_languages: list[LanguageCode | LanguageContext] = []
    patterns: list[PresidioPattern] = []
    deny_list: list[NonEmptyText] = []
    deny_list_score: Share = 1.0
    context: list[NonEmptyText] = []
    enabled: bool = True

    @model_validator(mode="after")
    def _require_something_to_find(self) -> Self:
        if not (self.patterns or self.deny_list):
            raise ValueError(f"recogniser {self.name}: give `patterns` or `deny_list`")
        return self

    def context_in(self, language: str) -> list[str] | None:
        """Return the context words for texts in a language; None if the recogniser does not read the language.

        Texts whose language is not known are read by every recogniser.
        """
        named: dict[str, list[str]] = {self.supported_language: []} if self.supported_language else {}
        for each in self.supported_languages:
            named |= {each.language: each.context} if isinstance(each, LanguageContext) else {each: []}
        if not reads_language(list(named), language):
            return None
        return [*self.context, *named.get(primary_language(language), [])]


class PresidioFile(FrozenModel):
    """YAML file with Presidio's recognisers."""

    recognizers: Annotated[list[PresidioRecogniser], Field(min_length=1)]
    supported_languages: list[str] = []
    global_regex_flags: Literal[26] = 26
    """Flags of Presidio's patterns, whose default is DOTALL, MULTILINE and IGNORECASE."""

    @property
    def in_use(self) -> list[PresidioRecogniser]:
        return [each for each in self.recognizers if each.enabled]


@dataclass(frozen=True)
class PresidioDetector:
    detector: OwnerDetector
    file: PresidioFile

    @cached_property
    def _patterns(self) -> list[tuple[PresidioRecogniser, str, Any, float]]:
        return [(each, *pattern) for each in self.file.in_use for pattern in _compile_patterns(each)]

    def find_spans(self, texts: Sequence[str], language: str) -> list[list[Span]]:
        return [list(self._find_in_text(text, language)) for text in texts]

    def _find_in_text(self, text: str, language: str) -> Iterator[Span]:
        for recogniser, name, pattern, score in self._patterns:
            context = recogniser.context_in(language)
            category = self.detector.labels[recogniser.supported_entity]
            if context is None or category is None:
                continue
            try:
                for match in pattern.finditer(text, timeout=SECONDS_PER_PATTERN):
                    if match.start() < match.end():
                        boosted = _boost_score(score, text[: match.start()], context)
                        yield Span(match.start(), match.end(), category, boosted)
            except TimeoutError:
                raise InputError(
                    f"pattern {name!r} takes more than {SECONDS_PER_PATTERN:g} s for one text; write it without "
                    "repetitions within repetitions"
                ) from None


def read_labels(path: Path) -> frozenset[str]:
    """Return the entities of the recognisers in a file.

    Raises:
        InputError: The file is not Presidio's YAML, has a recogniser that is code, or a pattern that is not valid.
    """
    return frozenset(each.supported_entity for each in _read_file(path).in_use)


def load_detector(path: Path, detector: OwnerDetector) -> PresidioDetector:
    return PresidioDetector(detector, _read_file(path))


def _read_file(path: Path) -> PresidioFile:
    document = config.read_plain_yaml(path)
    listed = document.get("recognizers")
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, str) or (isinstance(each, dict) and each.get("type", "custom") != "custom"):
            named = each if isinstance(each, str) else each.get("name")
            raise InputError(
                f"recogniser {named!r} is Python code of Presidio, which is not run; keep recognisers with `patterns` "
                "or `deny_list` (type: custom)"
            )
    file = config.load_settings(path, PresidioFile)
    for recogniser in file.in_use:
        list(_compile_patterns(recogniser))
    return file


def _compile_patterns(recogniser: PresidioRecogniser) -> Iterator[tuple[str, Any, float]]:
    """Yield name, compiled pattern and score of each pattern of a recogniser, and of its deny list.

    Raises:
        InputError: A pattern is not valid.
    """
    for pattern in recogniser.patterns:
        name = f"{recogniser.name}/{pattern.name or pattern.regex}"
        try:
            yield name, regex.compile(pattern.regex, FLAGS), pattern.score
        except regex.error as error:
            raise InputError(f"pattern {name!r} is not valid: {error}") from None
    if recogniser.deny_list:
        words = "|".join(map(regex.escape, recogniser.deny_list))
        pattern = regex.compile(rf"(?:^|(?<=\W))(?:{words})(?=\W|$)", FLAGS)
        yield f"{recogniser.name}/deny_list", pattern, recogniser.deny_list_score


def _boost_score(score: float, before: str, context: Sequence[str]) -> float:
    if not context:
        return score
    words = WORD.findall(before[-CONTEXT_CHARACTERS:].casefold())[-CONTEXT_WORDS:]
    if not any(sought.casefold() in word for sought in context for word in words):
        return score
    return min(1.0, max(MIN_SCORE_WITH_CONTEXT, score + CONTEXT_BOOST))
