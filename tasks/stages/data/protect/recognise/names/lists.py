"""Name lists and the words that look like names; data/README.md names their sources and licences."""

from functools import lru_cache

from tasks.stages.data.protect.recognise.data import lists


@lru_cache(maxsize=1)
def given() -> frozenset[str]:
    """Given names, lower-case."""
    return lists.read("given") - (not_names() - ambiguous())


@lru_cache(maxsize=1)
def family() -> frozenset[str]:
    """Family names, lower-case."""
    return lists.read("family") - not_names()


@lru_cache(maxsize=1)
def common_family() -> frozenset[str]:
    """The thousand commonest family names of the United States and those that faker has for Germany and Austria."""
    return lists.read("family_common") - not_names()


@lru_cache(maxsize=1)
def ambiguous() -> frozenset[str]:
    """Given names that are ordinary words too: names only with a family name, a title or a cue beside them."""
    return lists.read("ambiguous")


@lru_cache(maxsize=1)
def not_names() -> frozenset[str]:
    """Capitalised in ordinary text, in English or German, and part of no name."""
    return lists.read("not_names")


@lru_cache(maxsize=1)
def noun_endings() -> tuple[str, ...]:
    """German endings that say noun, not family name."""
    return tuple(sorted(lists.read("noun_endings")))


@lru_cache(maxsize=1)
def english() -> frozenset[str]:
    """WordNet's nouns, verbs, adjectives and adverbs, lower-case base forms; places and famous people among them."""
    return lists.read("english")


@lru_cache(maxsize=1)
def words() -> frozenset[str]:
    """Frequent words of both languages, lower-case."""
    return lists.read("words") | not_names()


@lru_cache(maxsize=65_536)
def is_english(word: str) -> bool:
    """Whether WordNet has a word, or what it is without a common ending."""
    low = word.lower()
    endings = ("s", "es", "ed", "d", "ing", "er", "ly")
    stems = (low, *(low.removesuffix(ending) for ending in endings if low.endswith(ending)))
    return low in words() or any(stem in english() or stem + "e" in english() for stem in stems)


def is_word(word: str) -> bool:
    """Whether a capitalised word is an ordinary one."""
    low = word.lower()
    return low in words() or (len(low) > 6 and low.endswith(noun_endings()) and low not in family())
