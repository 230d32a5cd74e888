"""Health conditions and medicines that a text attributes to a person: "my asthma", "he was diagnosed with …".

With a word list alone, half of the matches would be wrong: "cancer research", "the depression of 1929", "does the
policy cover asthma?". So a term counts only if words that refer to a person precede it in the same sentence, or if
"patient" follows it.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from tasks.stages.data.protect.recognisers.alternation import alternation
from tasks.stages.data.protect.recognisers.data import lists
from tasks.stages.data.protect.recognisers.span import Span

WORD = re.compile(r"[^\W\d_]+")
CONTEXT_LENGTH = 70
CONDITION_TYPE = r"(?:type \d |typ[ -]\d[ -])?"

POSSESSIVES = alternation("my, his, her, meine?[mnrs]?, seine?[mnrs]?, ihre?[mnrs]?, our son's, our daughter's")
PEOPLE = alternation(
    """he, she, who, wife, husband, partner, son, daughter, child, baby, mother, mum, mom, father, dad, brother, sister,
    friend, er, sie, frau, mann, sohn, tochter, kind, mutter, vater, bruder, schwester, freund, freundin"""
)
SUFFERING_PHRASES = alternation(
    r"""diagnosed (?:with|as), suffer(?:s|ed|ing)? from, (?:being )?treated for, living with, recovering from,
    tested positive for, allergic to, (?:my|his|her) treatment for, leide[tn]?(?: [\w-]{1,20}){0,3} (?:an|unter),
    litt (?:an|unter), erkrankt an, (?:ist|bin|wurde) an, behandelt wegen, in behandlung wegen,
    wegen (?:meine[rs]|seine[rs]|ihre[rs]),
    diagnose[: ], diagnostiziert(?: mit)?, bei (?:mir|ihm|ihr)"""
)
FIRST_PERSON = alternation(
    """i have(?: had)?, i've(?: had| got)?, i had, i got, i am, i'm, i was, i take, i'm on, i'm taking,
    ich habe, ich hatte, ich bin, ich war, ich nehme, hab"""
)
THIRD_PERSON = rf"{PEOPLE} (?:has|have|had|is|was|takes|got|hat|hatte|ist|war|nimmt)"
PATIENT = r"patient(?:in|en|s)?\b"
WORDS_BETWEEN = r"(?: [\w'-]{1,20}){0,3} "
"""Pattern of up to three words between the person and the term, as in "my rather bad asthma"."""
PERSON_BEFORE = re.compile(
    rf"(?i)(?:\b{POSSESSIVES}{WORDS_BETWEEN}|\b{SUFFERING_PHRASES}{WORDS_BETWEEN}|\b(?:{FIRST_PERSON}|{THIRD_PERSON}){WORDS_BETWEEN}"
    rf"|\b{PATIENT}[^.!?\n]{{1,50}}[ (]){CONDITION_TYPE}$"
)
NAME_BEFORE = re.compile(
    rf"\b[A-ZÄÖÜ][\w'-]{{1,20}} (?:has|had|suffers from|hat|hatte|leidet an){WORDS_BETWEEN}{CONDITION_TYPE}$"
)
"""Pattern of a capitalised word and a verb before a term. The word counts as a person's name; PRODUCT_AFTER excludes
names of companies."""
TOPIC_BEFORE = re.compile(
    r"(?i)\b(?:about|against|questions?|insurance|cover|fragen?|gegen|zum thema)(?: [\w-]{1,20}){0,2} $"
)
"""Pattern of words before a condition that make it a topic or an insured risk rather than a person's own condition."""
PRODUCT_AFTER = re.compile(
    r"(?i)[ -](?:insurance|cover(?:age)?|policy|research|charity|awareness|campaign|foundation|trust|leaflet|app|course"
    r"|versicherung|stiftung|forschung|hilfe|kampagne|kurs|vorsorge)\b"
)
"""Pattern of words after a condition with which it becomes the name of a product or cause, such as "cancer
research"."""
PATIENT_AFTER = re.compile(r"(?i) patient(?:in|en|s)?\b")


def find_health_terms(text: str) -> list[Span]:
    """Find the health terms that a text attributes to a person, without the words around them. Score .8."""
    return [
        Span(start, end, "HEALTH", 0.8)
        for start, end in _find_terms(text)
        if _is_attributed_to_person(text, start, end)
    ]


def _is_attributed_to_person(text: str, start: int, end: int) -> bool:
    if PRODUCT_AFTER.match(text, end):
        return False
    if PATIENT_AFTER.match(text, end):
        return True
    before = text[max(0, start - CONTEXT_LENGTH) : start]
    return bool(PERSON_BEFORE.search(before) or NAME_BEFORE.search(before)) and not TOPIC_BEFORE.search(before)


def _find_terms(text: str) -> Iterator[tuple[int, int]]:
    starts, end = _patterns_by_prefix(), 0
    for word in WORD.finditer(text):
        if word.start() < end:
            continue
        for pattern in starts.get(word.group()[:4].lower(), ()):
            if m := pattern.match(text, word.start()):
                end = m.end()
                yield m.span()
                break


@lru_cache(maxsize=1)
def _patterns_by_prefix() -> dict[str, list[re.Pattern[str]]]:
    patterns: dict[str, list[re.Pattern[str]]] = {}
    for term in sorted(set(lists.read_lines("health")), key=lambda term: (-len(term), term)):
        form = r"\s+".join(re.escape(word).replace(r"\*", r"\w{0,20}") for word in term.split())
        key = term.split()[0].rstrip("*")[:4]
        patterns.setdefault(key, []).append(re.compile(rf"{form}(?!\w)", re.IGNORECASE))
    return patterns
