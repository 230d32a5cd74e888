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
