"""Names that their surroundings announce: titles, greetings, closings, introductions, form fields, kin.

In either case, since people type "my name is john smith"; then the words that follow must not be everyday words.
"""

import re

from tasks.data.protect.recognise.names.lists import AMBIGUOUS, NOT_NAMES, given, is_word
from tasks.data.protect.recognise.names.tokens import PARTICLE, UPPER, WORD
from tasks.data.protect.recognise.span import Span

FULL = rf"(?:{WORD}|[{UPPER}]\.)(?:[ ]{{1,2}}(?:{PARTICLE} ){{0,2}}(?:{WORD}|[{UPPER}]\.)){{0,3}}"
ANY = r"[^\W\d_]{2,20}(?:['’-][^\W\d_]{1,20})?(?: [^\W\d_]{2,20}(?:['’-][^\W\d_]{1,20})?){0,2}"
TITLE = re.compile(
    rf"(?<!\w)(?i:mr|mrs|ms|mx|miss|mister|sir|madam|dr|prof|professor|doctor|rev|capt|sgt|herrn?|frau|fräulein|fr|hr|doktor|dipl\.?-?ing|mag|ing)\.?[ ]{{1,2}}(?:(?:Dr|Prof|med|jur|rer|nat|phil|h\.c|Mag|Ing|Dipl|MSc|BSc)\.? ){{0,3}}(?P<name>{FULL})"
)
GREETING = re.compile(
    rf"(?:^|[.!?\n>]\s{{0,3}})(?i:dear|hi|hello|hey|hallo|hey there|good (?:morning|afternoon|evening)|guten (?:tag|morgen|abend)|moin|servus|grüß gott|liebe[rs]?|lieber?|cher|hola|thanks|thank you|danke)(?: (?i:dear|liebe[rs]?|an))?,? (?P<name>{FULL})(?=\s{{0,2}}(?:[,!.\n–:-]|$|and|und))"
)
CLOSING = re.compile(
    rf"(?i:regards|wishes|sincerely|faithfully|cheers|thanks(?: a lot| so much| again)?|thank you|thx|yours|best|love|grüße[n]?|gruß|gruss|gruessen|gruesse|grüssen|mfg|lg|vg|dank|danke|hochachtungsvoll|ihre?|euer|dein)[,.!]?[ ]{{0,2}}(?:[\n,–-][\s–-]{{0,4}}|(?<=[a-zü] ))(?:(?i:ihr|ihre|your) )?(?P<name>{FULL})(?=\s{{0,3}}(?:$|[\n,.|(]))"
)
INTRODUCED = re.compile(
    rf"(?i:my (?:full |legal |last |first |maiden |sur)?name(?: is|'s|:)|i am called|i'm called|this is|i am|i'm|it's|call me|name is|named|speaking with|spoke (?:to|with)|talked to|talk to|speak (?:to|with)|signed by|on behalf of|attn:?|c/o|mein (?:voller |vor|nach)?name (?:ist|lautet)|ich bin|ich heiße|ich heisse|heiße|heißt|hier ist|hier spricht|hier schreibt|namens|gesprochen mit|im namen von|contact|z\.? ?hd\.?(?: v(?:on|\.))?|gezeichnet|gez\.)[ ]{{1,2}}(?:(?i:the|die|der) )?(?P<name>{FULL})"
)
PLAIN = re.compile(
    rf"(?i:my (?:full |legal |last |first |maiden |sur)?name(?: is|'s)|i am called|name is|mein (?:voller |vor|nach)?name (?:ist|lautet)|ich heiße|ich heisse)[ ]{{1,2}}(?P<name>{ANY})",
    re.I,
)
SAID = re.compile(
    rf"(?i:i'm|i am|this is|it's|ich bin|hier ist|hier spricht|mfg|regards,|thanks,|grüße|gruß)[ \n](?P<name>{ANY})"
)
"""Also said before what is no name, so that the first word has to be a known given name."""
FIELD = re.compile(
    rf"(?i:(?<!\w)(?:(?:full|first|last|middle|given|family|sur|maiden|card ?holder'?s?|account ?holder'?s?|customer|client|patient|contact|billing|user|employee|beneficiary|payee|sender|recipient|vor-?|nach-?|familien|kunden|geburts)?[ _-]?name|card ?holder|account ?holder|beneficiary|payee|recipient|sender|attention|from|to|signed|patient(?:in)?|kund(?:e|in)|kontoinhaber(?:in)?|karteninhaber(?:in)?|inhaber(?:in)?|empfänger(?:in)?|absender(?:in)?|ansprechpartner(?:in)?|sachbearbeiter(?:in)?|versicherte[rn]?|mitarbeiter(?:in)?|agent|assigned to|author|by))\s?[:=][ \"']{{0,2}}(?P<name>{FULL}(?:, {FULL})?)"
)
KIN = re.compile(
    rf"(?<!\w)(?i:(?:my|his|her|our|their|the|with|mein|meine|meinem|meinen|meiner|unser|unsere[nmr]?|seine?[nmr]?|ihre?[nmr]?|der|die|dem|den) (?:late |new |ex-?|old |verstorbene[rn]? )?(?:wife|husband|son|daughter|mother|father|mom|mum|dad|brother|sister|partner|fiancée?|girlfriend|boyfriend|friend|colleague|boss|manager|assistant|neighbou?r|patient|doctor|lawyer|landlord|accountant|client|customer|employee|agent|frau|mann|ehefrau|ehemann|sohn|tochter|mutter|vater|bruder|schwester|partnerin|freundin|freund|kollegin|kollege|kollegen|chefin|chef|nachbarin|nachbarn?|patientin|patienten|ärztin|arzt|anwalt|anwältin|vermieter|kundin|kunde|kunden|mitarbeiterin|mitarbeiter|sachbearbeiterin|sachbearbeiter|betreuerin|betreuer|oma|opa|tante|onkel|aunt|uncle|nephew|niece|cousin)),? (?:(?i:herrn?|frau|is|ist|called|named) )?(?P<name>{FULL})"
)
LOOSE = (INTRODUCED, KIN)
STRONG = (TITLE, FIELD)
HINT = re.compile(
    r"(?i)name|\b(?:mrs?|m[sx]|miss|mister|dr|prof|doctor|doktor|rev|sir|madam|herrn?|frau|fr|hr|dear|hi|hello|hey|hallo|lieb|moin|servus|guten|good|regards|wishes|sincer|faithful|cheers|thanks?|thx|yours|best|love|gr[üu]|mfg|lg|vg|danke?|call|i am|i'm|it's|this is|ich|hier"
    r"|sp[eo]a?ke?|talk|contact|signed|gez|behalf|attn|c/o|z\. ?hd|my|mein|his|her|our|their|the|with|unser|sein|ihr|der|die|dem|den)|[:=]"
)


def find(text: str) -> list[Span]:
    """.9 behind a title or a field's name, .85 behind the other cues, .75 in lower case."""
    if not HINT.search(text):
        return []
    spans = [_trimmed(m, 0.9) for form in STRONG for m in form.finditer(text)]
    spans += [_trimmed(m, 0.85) for form in (GREETING, CLOSING) for m in form.finditer(text)]
    spans += [_trimmed(m, 0.8) for form in LOOSE for m in form.finditer(text)]
    spans += [_lower(m) for m in PLAIN.finditer(text)]
    spans += [_lower(m) for m in SAID.finditer(text) if _starts_given(m["name"])]
    return [s for s in spans if s.end > s.start]


def _trimmed(m: re.Match[str], score: float) -> Span:
    """The name up to the first word that is an everyday one; empty if that is the first."""
    start, end = m.start("name"), m.start("name")
    for piece in re.finditer(r"[^\s,]+", m["name"]):
        word = piece.group().strip(".").lower()
        titled = score >= 0.9 and piece.start() == 0
        everyday = word in NOT_NAMES if word in given() or titled else is_word(word)
        if everyday and word not in ("van", "von", "de", "der", "den", "la", "du", "le", "da", "al"):
            break
        end = start + piece.end()
    return Span(start, _bare(m.string, start, end), "PERSON", score)


def _bare(text: str, start: int, end: int) -> int:
    """The end without a possessive ending or a full stop."""
    if text[max(start, end - 2) : end] in ("'s", "’s"):
        return end - 2
    return end - 1 if end > start and text[end - 1] == "." else end


def _starts_given(words: str) -> bool:
    first = words.split()[0].lower()
    known = first in given() or ("-" in first and all(part in given() for part in first.split("-")))
    return known and first not in AMBIGUOUS and not is_word(first)


def _lower(m: re.Match[str]) -> Span:
    """A name typed in lower case: one to three words, none of them an everyday word."""
    start = end = m.start("name")
    for piece in re.finditer(r"\S+", m["name"]):
        if is_word(piece.group()):
            break
        end = start + piece.end()
    return Span(start, end, "PERSON", 0.75)
