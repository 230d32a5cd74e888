"""Question whether all records that mention given values are about one person.

A name can be that of several people. So can digits that are known as numbers of several categories, such as a customer
number of one person that is the telephone number of another. Both count only together with something that is the
person's alone.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from tasks.core.errors import Refused
from tasks.sources.protection import Category

SHARED_CATEGORY: Category = "name"
"""Category whose values several people can have in common."""
MAX_CANDIDATES = 10


@dataclass(frozen=True)
class Attribution:
    records: set[str]
    """Keys of the records that are about the person."""
    unique: set[str]
    """Tokens in the records that are the person's alone."""
    excluded: set[str]
    """Tokens of given values that may be another person's."""
    unattributed: int
    """Number of records that mention such a token and nothing else of the person."""

    def is_theirs(self, tokens: Collection[str]) -> bool:
        """Return whether a value with these tokens may be searched for as the person's."""
        return not set(tokens) & self.excluded or bool(set(tokens) & self.unique)


def is_name(token: str) -> bool:
    return _category(token) == SHARED_CATEGORY


def attribute(
    mentioned: Mapping[str, set[str]], by_value: Mapping[str, Collection[str]], named: Collection[str]
) -> Attribution:
    """Decide which records are about the person.

    Args:
        mentioned: Tokens by record.
        by_value: All tokens that a value of the person may have, by value.
        named: Records that are about the person whatever they mention.

    Raises:
        Refused: The values may be those of several people.
    """
    own = {token for tokens in by_value.values() for token in tokens}
    found = own & set[str]().union(*mentioned.values())
    numbers = _numbers_of_several_categories(by_value, found)
    unique = {token for token in found if not is_name(token)} - numbers
    certain = _records_with(unique, mentioned) | set(named)
    unique |= {token for key in certain for token in mentioned.get(key, set()) & numbers}
    certain = _records_with(unique, mentioned) | set(named)
    doubtful = {key: tokens for key, tokens in mentioned.items() if key not in certain}
    unclear = {key for key, tokens in doubtful.items() if tokens & (numbers - unique)}
    companions = own.union(*(mentioned.get(key, set()) for key in certain))
    several = _may_be_several(doubtful, companions, bool(certain))
    if not certain and (unclear or several):
        raise Refused(_describe_candidates(doubtful, numbers))
    excluded = (numbers - unique) | ({token for token in own if is_name(token)} if several else set())
    alike: set[str] = set() if several else set(doubtful) - unclear
    return Attribution(certain | alike, unique, excluded, len(doubtful) - len(alike))


def _numbers_of_several_categories(by_value: Mapping[str, Collection[str]], found: set[str]) -> set[str]:
    numbers = set[str]()
    for tokens in by_value.values():
        known = found & set(tokens)
        if len({_category(token) for token in known}) > 1:
            numbers |= {token for token in known if not is_name(token)}
    return numbers


def _records_with(tokens: set[str], mentioned: Mapping[str, set[str]]) -> set[str]:
    return {key for key, of_record in mentioned.items() if of_record & tokens}


def _may_be_several(doubtful: Mapping[str, set[str]], companions: set[str], has_certain: bool) -> bool:
    """Return whether records that share only a name or number with the person may be about somebody else.

    If nothing but the name is known, two values of one category tell people apart, and so do values that no record
    brings together. Otherwise any other value does.
    """
    others = [{token for token in tokens if not is_name(token)} - companions for tokens in doubtful.values()]
    if has_certain:
        return any(others)
    counts = Counter(_category(token) for token in set[str]().union(*others))
    return max(counts.values(), default=0) > 1 or _count_groups(others) > 1


def _count_groups(records: Iterable[set[str]]) -> int:
    """Return the number of groups of records that share no token. Records without any belong to no group."""
    groups: list[set[str]] = []
    for tokens in filter(None, records):
        touching = [group for group in groups if group & tokens]
        groups = [group for group in groups if not group & tokens] + [tokens.union(*touching)]
    return len(groups)


def _describe_candidates(records: Mapping[str, set[str]], numbers: set[str]) -> str:
    counts = Counter(token for tokens in records.values() for token in tokens if not is_name(token))
    listed = [f"[{token}] in {count:,} of the records" for token, count in counts.most_common(MAX_CANDIDATES)]
    about = "have this number, which is known as several kinds of numbers" if numbers else "name somebody of this name"
    return (
        f"{len(records):,} records {about}, and they may be several people: "
        f"{'; '.join(listed)}. Give an address or a number of the person as --subject, or their records by --record ID"
    )


def _category(token: str) -> str:
    return token.partition(":")[0]
