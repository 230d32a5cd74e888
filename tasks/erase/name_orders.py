"""Other orders of the words of a name: `LAST, FIRST` for `FIRST LAST`.

A name is a value of a few words without digits or signs of an address. Its words are rotated, not permuted, since a
family name that goes first takes its particles along: `de la Cruz, Ana`. So there are as many orders as words.
"""

import re

MAX_WORDS = 6
"""Maximum number of words of a value whose words are rotated."""
WORDS = re.compile(r"[^\s,]*\w[^\s,]*")
NO_NAME = re.compile(r"[\d@:/_]")


def other_orders(value: str) -> list[list[str]]:
    """Return the words of a name in each other order; none if the value is no name of several words."""
    words = WORDS.findall(value)
    if not 2 <= len(words) <= MAX_WORDS or NO_NAME.search(value):
        return []
    return [words[at:] + words[:at] for at in range(1, len(words))]


def other_spellings(value: str) -> list[str]:
    """Return other spellings of a name in a source: `LAST FIRST` and `LAST, FIRST` for `FIRST LAST`.

    The comma may be missing from what was given, so it is also tried there. A value that is no name of several words
    has no other spelling.
    """
    orders = other_orders(value)
    words = WORDS.findall(value) if orders else []
    found = [" ".join(order) for order in [words, *orders]]
    for at in range(1, len(words)):
        first, last = " ".join(words[:at]), " ".join(words[at:])
        found += [f"{last}, {first}", f"{first}, {last}"]
    return [spelled for spelled in dict.fromkeys(found) if spelled not in ("", " ".join(value.split()))]
