"""Well-known forms of jailbreaks, by which synthetic records are refused. They are a list, not a detector.

A generator that is asked for varied messages writes such texts too, and a model that is trained on them learns to obey
them. The list has the forms that are published and copied most, in English and German. A jailbreak in other words, in
another language or in a code passes. Records of people are not searched: what users really send belongs into a dataset,
and `kind: refuse` says what to answer.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from tasks.stages.data.protect.recognisers.fold import fold_text


class JailbreakForm(NamedTuple):
    name: str
    pattern: re.Pattern[str]
    why: str
    """Reason why the form is on the list."""


def _form(name: str, pattern: str, why: str) -> JailbreakForm:
    return JailbreakForm(name, re.compile(pattern), why)


_EARLIER = r"(?:previous|prior|earlier|preceding|above|foregoing|system|original)"
_RULES = r"(?:instructions?|prompts?|rules|directions|guidelines|directives|commands)"
_REGELN = r"(?:anweisung(?:en)?|regeln|instruktionen|vorgaben|befehle|richtlinien|prompts?|anordnungen)"
_SPOKEN = r"(?:reveal|show|print|repeat|output|display|leak|tell)"

FORMS = (
    _form(
        "ignore earlier instructions",
        rf"\b(?:ignore|disregard|forget|override|bypass|skip)\b[^.!?]{{0,30}}\b(?:{_EARLIER}\b[^.!?]{{0,20}}\b{_RULES}"
        rf"|(?:all|any|your|the)\b[^.!?]{{0,10}}\b{_RULES} (?:above|before|you (?:were|have been) given|so far))\b",
        "the first published form of prompt injection",
    ),
    _form(
        "ignore your rules",
        r"\b(?:ignore|disregard|override|bypass)\b[^.!?]{0,20}\b(?:your|safety|content|ethical|moral)\b[^.!?]{0,15}"
        rf"\b(?:{_RULES}|polic(?:y|ies)|training|filters?)\b",
        "the same without the word that says earlier",
    ),
    _form(
        "Anweisungen ignorieren",
        rf"\b(?:ignorier(?:e|en)?|missachte|vergiss|vergessen sie|umgehe|übergehe|überschreibe)\b[^.!?]{{0,30}}"
        rf"\b(?:bisherigen?|vorherigen?|vorigen?|vorangegangenen?|früheren?|obigen?|alle|sämtliche|jegliche|deine|ihre)\b[^.!?]{{0,20}}"
        rf"\b{_REGELN}\b",
        "the same in German",
    ),
    _form(
        "role without rules",
        r"\b(?:you are|you're|act as|pretend (?:to be|you are)|play|roleplay as|from now on you)\b[^.!?]{0,60}"
        r"\b(?:without (?:any )?(?:restrictions?|rules|limits|limitations|filters?|censorship|ethic\w*)"
        r"|unrestricted|unfiltered|uncensored|no (?:restrictions?|rules|limits|filters?)|jailbroken|evil twin)\b",
        "a role that is said to have no rules",
    ),
    _form(
        "Rolle ohne Regeln",
        r"\b(?:du bist|sie sind|spiele?|tu so als|verhalte dich wie|ab jetzt bist du)\b[^.!?]{0,60}"
        r"\b(?:ohne (?:jegliche |alle )?(?:einschränkungen|regeln|grenzen|filter|zensur|beschränkungen)"
        r"|uneingeschränkte?r?|ungefilterte?r?|unzensierte?r?|keine (?:regeln|grenzen|filter|einschränkungen))\b",
        "the same in German",
    ),
    _form(
        "do anything now",
        r"\bdo anything now\b"
        r"|\b(?:act|respond|answer|pretend|behave|you are|you're|antworte|du bist) (?:as |like |als |wie )?"
        r"(?:dan|stan|dude)\b"
        r"[^.!?]{0,40}\b(?:mode|rules?|can|anything|regeln|kannst|alles)\b",
        "DAN and its copies, the most copied role",
    ),
    _form(
        "developer mode",
        r"\b(?:enable|enter|activate|switch to|aktiviere|wechsle in)\b[^.!?]{0,20}"
        r"\b(?:developer|jailbreak|god|sudo|debug|entwickler|admin)[ -]?(?:mode|modus)\b",
        "a mode that does not exist and is said to lift all rules",
    ),
    _form(
        "system prompt leak",
        rf"\b{_SPOKEN}\b[^.!?]{{0,30}}\b(?:system|initial|hidden|secret|original) (?:prompt|instructions?|message)\b"
        r"|\b(?:what (?:is|are|was|were) your (?:system|initial|hidden|original) (?:prompt|instructions?))\b",
        "asks for the operator's own prompt",
    ),
    _form(
        "Systemprompt verraten",
        r"\b(?:zeig\w*|verrate?\w*|nenn\w*|wiederhol\w*|gib|drucke?)\b[^.!?]{0,30}"
        r"\b(?:system[ -]?prompts?|systemanweisung(?:en)?|system[ -]?nachricht"
        r"|(?:geheime|versteckte)n? anweisung(?:en)?)\b",
        "the same in German",
    ),
    _form(
        "no refusal",
        r"\b(?:you (?:must|may|can|will|are) (?:not|never) (?:refuse|say no|decline|allowed to refuse)"
        r"|never refuse|du darfst (?:nicht|nie|niemals) (?:ablehnen|nein sagen|verweigern))\b",
        "forbids the refusal itself",
    ),
    _form(
        "control tokens",
        r"<\|(?:im_?start|im_?end|system|user|assistant|endoftext|eot_?id|start_?header_?id)\|>|\[/?inst\]|<</?sys>>"
        r"|(?:^|\n) ?#{2,} ?(?:system|instruction) ?:",
        "writes the marks with which chat templates separate turns, to speak as the operator",
    ),
    _form(
        "grandmother story",
        r"\b(?:grandmother|grandma|granny|großmutter|oma)\b[^.!?]{0,80}"
        r"\b(?:used to|would|früher|immer)\b[^.!?]{0,60}\b(?:napalm|explosives?|licence keys?|license keys?|"
        r"product keys?|sprengstoff)\b",
        "a story around what would be refused",
    ),
)
"""Forms that are looked for. Gaps in them are bounded and end with a sentence, so that a search takes linear time."""

_IGNORED = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff*_~`]")
_SPACES = re.compile(r"[^\S\n]+")
_SPELT_OUT = re.compile(r"(?<!\w)[^\W\d_]([ .-])[^\W\d_](?:\1[^\W\d_])+(?!\w)\1?")
"""Letters of a word with the same sign between each two, such as `i.g.n.o.r.e.`."""


def _join_letters(spelt: re.Match[str]) -> str:
    return spelt[0].replace(spelt[1], "") + (spelt[1] if spelt[0].endswith(" ") else "")


def find_jailbreak(texts: Iterable[str]) -> JailbreakForm | None:
    """Return the first form that one of the decoded texts has; None if there is none.

    Case, marks of emphasis, invisible characters, letters of other scripts that look the same, signs between the
    letters of a word, and the width of letters and spaces make no difference.
    """
    for text in texts:
        visible = _IGNORED.sub("", unicodedata.normalize("NFKC", fold_text(text).text).casefold())
        plain = _SPACES.sub(" ", _SPELT_OUT.sub(_join_letters, visible))
        variants = dict.fromkeys([plain, plain.replace("\n", " ")])
        for form in FORMS:
            if any(form.pattern.search(variant) for variant in variants):
                return form
    return None
