"""Table of the transforms of texts. Each returns a changed text with, for a person, the same meaning.

A transform is a function of the text and of random numbers that are seeded by the case, so that the same case has the
same text in every run.
"""

import base64
import codecs
import re
from collections.abc import Callable, Mapping
from random import Random

Transform = Callable[[str, Random], str]

LETTER_DIGITS = str.maketrans("aeiostAEIOST", "431057431057")
LOOKALIKES = str.maketrans("aceopxyACEOPX", "асеорхуАСЕОРХ")
"""Latin letters and the Cyrillic letters that look like them."""
ZERO_WIDTH = "\u200b"
PLACEHOLDER = re.compile(r"(\[[a-z_]+(?::[a-z0-9]+)?\])")
"""Placeholder or token that stands for a personal value. No person would write it, so no transform changes it."""


def swap_letters(text: str, random: Random) -> str:
    """Swap two neighbouring letters in one word of five, at least in one word."""
    words = re.split(r"(\s+)", text)
    long = [place for place, word in enumerate(words) if len(word) > 3 and word.isalpha()]
    for place in random.sample(long, min(len(long), max(1, len(long) // 5))):
        word = words[place]
        at = random.randrange(1, len(word) - 2)
        words[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return "".join(words)


def drop_letters(text: str, random: Random) -> str:
    """Drop one inner letter in one word of five, at least in one word."""
    words = re.split(r"(\s+)", text)
    long = [place for place, word in enumerate(words) if len(word) > 4 and word.isalpha()]
    for place in random.sample(long, min(len(long), max(1, len(long) // 5))):
        at = random.randrange(1, len(words[place]) - 1)
        words[place] = words[place][:at] + words[place][at + 1 :]
    return "".join(words)


def rotate_letters(text: str, _: Random) -> str:
    return codecs.encode(text, "rot13")


def apply_transform(name: str, text: str, random: Random) -> str:
    """Apply a transform to everything in a text but placeholders of personal values."""
    parts = PLACEHOLDER.split(text)
    return "".join(part if place % 2 else TRANSFORMS[name](part, random) for place, part in enumerate(parts))


TRANSFORMS: Mapping[str, Transform] = {
    "lower_case": lambda text, _: text.lower(),
    "upper_case": lambda text, _: text.upper(),
    "swapped_letters": swap_letters,
    "dropped_letters": drop_letters,
    "no_punctuation": lambda text, _: re.sub(r"[^\w\s]", "", text),
    "wide_spaces": lambda text, _: re.sub(r" ", "  ", text),
    "line_breaks": lambda text, _: re.sub(r"([.!?]) ", r"\1\n\n", text),
    "letter_digits": lambda text, _: text.translate(LETTER_DIGITS),
    "lookalikes": lambda text, _: text.translate(LOOKALIKES),
    "zero_width": lambda text, _: ZERO_WIDTH.join(text),
    "rot13": rotate_letters,
    "base64": lambda text, _: base64.b64encode(text.encode()).decode(),
}
"""Transforms by the name that suites use."""
