"""Lists of names and of words that look like names, in lower case. data/README.md names their sources and licences."""

from functools import lru_cache

from tasks.stages.data.protect.recognisers.data import lists


@lru_cache(maxsize=1)
def given_names() -> frozenset[str]:
    return lists.read_words("given") - (never_name_words() - ambiguous_given_names())


@lru_cache(maxsize=1)
def family_names() -> frozenset[str]:
    return lists.read_words("family") - never_name_words()


@lru_cache(maxsize=1)
def common_family_names() -> frozenset[str]:
    """Return the thousand most common family names of the United States, and those of Faker for Germany and Austria."""
    return lists.read_words("family_common") - never_name_words()


@lru_cache(maxsize=1)
def ambiguous_given_names() -> frozenset[str]:
    """Return given names that are also ordinary words. They count only next to a family name, a title or a cue."""
    return lists.read_words("ambiguous")


@lru_cache(maxsize=1)
def never_name_words() -> frozenset[str]:
    """Return words that are capitalised in English or German text but are never part of a name."""
    return lists.read_words("not_names")


@lru_cache(maxsize=1)
def noun_endings() -> tuple[str, ...]:
    return tuple(sorted(lists.read_words("noun_endings")))


@lru_cache(maxsize=1)
def wordnet_words() -> frozenset[str]:
    """Return the base forms of WordNet's nouns, verbs, adjectives and adverbs, and its places and famous people."""
    return lists.read_words("english")


@lru_cache(maxsize=1)
def frequent_words() -> frozenset[str]:
    """Return frequent words of English and German, including capitalised words that are never part of a name."""
    return lists.read_words("words") | never_name_words()


@lru_cache(maxsize=65_536)
def is_known_word(word: str) -> bool:
    """Return whether a word, or the word without a common ending, is frequent or in WordNet."""
    low = word.lower()
    endings = ("s", "es", "ed", "d", "ing", "er", "ly")
    stems = (low, *(low.removesuffix(ending) for ending in endings if low.endswith(ending)))
    return low in frequent_words() or any(stem in wordnet_words() or stem + "e" in wordnet_words() for stem in stems)


def is_ordinary_word(word: str) -> bool:
    low = word.lower()
    return low in frequent_words() or (len(low) > 6 and low.endswith(noun_endings()) and low not in family_names())
