"""Patterns of names with a cue: titles, greetings, closings, introductions, form fields, relatives and roles.

Cues are matched case-insensitively. Names need capitals (`FULL_NAME`), except in the patterns with `ANY_CASE_NAME`.
"""

import re

from tasks.stages.data.protect.recognisers.alternation import alternation
from tasks.stages.data.protect.recognisers.names.capitalised_words import CAPITALISED_WORD, PARTICLE, UPPER_CASE_LETTERS

FULL_NAME = (
    rf"(?:{CAPITALISED_WORD}|[{UPPER_CASE_LETTERS}]\.)"
    rf"(?:[ ]{{1,2}}(?:{PARTICLE} ){{0,2}}(?:{CAPITALISED_WORD}|[{UPPER_CASE_LETTERS}]\.)){{0,3}}"
)
"""Pattern of one to four capitalised words or initials, with particles such as "van" between them."""
LETTERS = r"[^\W\d_]{2,20}(?:['’-][^\W\d_]{1,20})?"
ANY_CASE_NAME = rf"{LETTERS}(?: {LETTERS}){{0,2}}"

TITLES = alternation(
    r"""mr, mrs, ms, mx, miss, mister, sir, madam, dr, prof, professor, doctor, rev, capt, sgt,
    herrn?, frau, fräulein, fr, hr, doktor, dipl\.?-?ing, mag, ing"""
)
DEGREES = alternation(r"Dr, Prof, med, jur, rer, nat, phil, h\.c, Mag, Ing, Dipl, MSc, BSc")
TITLE = re.compile(
    rf"(?<!\w)(?!(?:HR|MS) [A-Z][a-z])(?i:{TITLES})\.?[ ]{{1,2}}(?:{DEGREES}\.? ){{0,3}}(?P<name>{FULL_NAME})"
)

GREETINGS = alternation(
    """dear, hi, hello, hey, hallo, hey there, good (?:morning|afternoon|evening), guten (?:tag|morgen|abend), moin,
    servus, grüß gott, liebe[rs]?, lieber?, cher, hola, thanks, thank you, danke"""
)
GREETING = re.compile(
    rf"(?:^|[.!?\n>]\s{{0,3}})(?i:{GREETINGS})(?: (?i:dear|liebe[rs]?|an))?,? (?P<name>{FULL_NAME})"
    r"(?=\s{0,2}(?:[,!.\n–:-]|$|and|und))"
)

CLOSINGS = alternation(
    """regards, wishes, sincerely, faithfully, cheers, thanks(?: a lot| so much| again)?, thank you, thx, yours, best,
    love, grüße[n]?, gruß, gruss, gruessen, gruesse, grüssen, mfg, lg, vg, dank, danke, hochachtungsvoll"""
)
POSSESSIVE_CLOSINGS = alternation("ihre?, euer, dein")
"""Closings that begin a line or follow the end of a sentence. Elsewhere they go with a noun."""
CLOSING = re.compile(
    rf"(?:(?i:{CLOSINGS})|(?:^|(?<=[\n.,!?])) ?(?i:{POSSESSIVE_CLOSINGS}))[,.!]?"
    r"[ ]{0,2}(?:[\n,–-][\s–-]{0,4}|(?<=[a-zü] ))(?:(?i:ihr|ihre|your) )?"
    rf"(?P<name>{FULL_NAME})"
    r"(?=\s{0,3}(?:$|[\n,.|(]))"
)

NAMED_ENGLISH = r"my (?:full |legal |last |first |maiden |sur)?name"
NAMED_GERMAN = r"mein (?:voller |vor|nach)?name (?:ist|lautet)"
INTRODUCTIONS = alternation(
    rf"""{NAMED_ENGLISH}(?: is|'s|:), i am called, i'm called, this is, i am, i'm, it's, call me, name is, named,
    speaking with, spoke (?:to|with), talked to, talk to, speak (?:to|with), signed by, on behalf of, attn:?, c/o,
    {NAMED_GERMAN}, ich bin, ich heiße, ich heisse, heiße, heißt, hier ist, hier spricht, hier schreibt, namens,
    gesprochen mit, im namen von, contact, z\.? ?hd\.?(?: v(?:on|\.))?, gezeichnet, gez\."""
)
INTRODUCTION = re.compile(rf"(?i:{INTRODUCTIONS})[ ]{{1,2}}(?:(?i:the|die|der) )?(?P<name>{FULL_NAME})")
LOWER_CASE_INTRODUCTION = re.compile(
    rf"(?:{NAMED_ENGLISH}(?: is|'s)|i am called|name is|{NAMED_GERMAN}|ich heiße|ich heisse)[ "
    rf"]{{1,2}}(?P<name>{ANY_CASE_NAME})",
    re.IGNORECASE,
)
AMBIGUOUS_CUE = re.compile(
    r"(?i:i'm|i am|this is|it's|ich bin|hier ist|hier spricht|mfg|regards,|thanks,|grüße|gruß)[ \n]"
    rf"(?P<name>{ANY_CASE_NAME})"
)
"""Pattern of cues that often precede other words ("I am late"), so the first word after them must be a known given
name."""

NAME_FIELDS = alternation(
    """full, first, last, middle, given, family, sur, maiden, card ?holder'?s?, account ?holder'?s?, customer, client,
    patient, contact, billing, user, employee, beneficiary, payee, sender, recipient, vor-?, nach-?, familien, kunden,
    geburts"""
)
FIELDS = alternation(
    rf"""{NAME_FIELDS}?[ _-]?name, card ?holder, account ?holder, beneficiary, payee, recipient, sender, attention,
    from, to, signed, patient(?:in)?, kund(?:e|in), kontoinhaber(?:in)?, karteninhaber(?:in)?, inhaber(?:in)?,
    empfänger(?:in)?, absender(?:in)?, ansprechpartner(?:in)?, sachbearbeiter(?:in)?, versicherte[rn]?,
    mitarbeiter(?:in)?, agent, assigned to, author, by"""
)
NAME_FIELD = re.compile(rf"(?i:(?<!\w){FIELDS}\s?[:=][ \"']{{0,2}})(?P<name>{FULL_NAME}(?:, {FULL_NAME})?)")

POSSESSIVES = alternation(
    """my, his, her, our, their, the, with, mein, meine, meinem, meinen, meiner, unser, unsere[nmr]?, seine?[nmr]?,
    ihre?[nmr]?, der, die, dem, den"""
)
RELATIVES = alternation(
    """wife, husband, son, daughter, mother, father, mom, mum, dad, brother, sister, partner, fiancée?, girlfriend,
    boyfriend, friend, colleague, boss, manager, assistant, neighbou?r, patient, doctor, lawyer, landlord, accountant,
    client, customer, employee, agent, frau, mann, ehefrau, ehemann, sohn, tochter, mutter, vater, bruder, schwester,
    partnerin, freundin, freund, kollegin, kollege, kollegen, chefin, chef, nachbarin, nachbarn?, patientin, patienten,
    ärztin, arzt, anwalt, anwältin, vermieter, kundin, kunde, kunden, mitarbeiterin, mitarbeiter, sachbearbeiterin,
    sachbearbeiter, betreuerin, betreuer, oma, opa, tante, onkel, aunt, uncle, nephew, niece, cousin"""
)
RELATIVE = re.compile(
    rf"(?<!\w)(?i:{POSSESSIVES} (?:late |new |ex-?|old |verstorbene[rn]? )?{RELATIVES}),? "
    rf"(?:(?i:herrn?|frau|is|ist|called|named) )?(?P<name>{FULL_NAME})"
)

ROLES = alternation(
    """Customer, Client, Patient, Beneficiary, Driver, Agent, Passenger, Tenant, Employee, Guest, Member, Student,
    Contact, Colleague, User, Applicant, Policyholder, Doctor, Nurse, Kunde, Kundin, Patientin, Mitarbeiter,
    Mitarbeiterin, Techniker, Technikerin, Fahrer, Fahrerin, Mieter, Mieterin, Vermieter, Nachbar, Nachbarin, Kollege,
    Kollegin, Kollegen, Sachbearbeiter, Sachbearbeiterin, Kontoinhaber, Kontoinhaberin, Empfänger, Zeuge, Zeugin,
    Bewerber, Bewerberin, Mitglied, Versicherter, Versicherte"""
)
ROLE_WITH_NAME = re.compile(rf"(?<!\w){ROLES} (?:ist )?(?P<name>{CAPITALISED_WORD} {CAPITALISED_WORD})(?!\w)")
"""Pattern of a role and two capitalised words. With a single word, "Customer Service" would match."""

CUE_PREFIXES = alternation(
    """customer, client, patient, benef, driver, agent, passenger, tenant, employee, guest, member, student, colleague,
    user, applicant, policyh, nurse, kund, mitarbeiter, techniker, fahrer, mieter, nachbar, kolleg, sachb, inhaber,
    empf, zeug, bewerber, mitglied, versichert"""
)
SHORT_CUES = alternation(
    r"""mrs?, m[sx], miss, mister, dr, prof, doctor, doktor, rev, sir, madam, herrn?, frau, fr, hr, dear, hi, hello,
    hey, hallo, lieb, moin, servus, guten, good, regards, wishes, sincer, faithful, cheers, thanks?, thx, yours, best,
    love, gr[üu], mfg, lg, vg, danke?, call, i am, i'm, it's, this is, ich, hier, sp[eo]a?ke?, talk, contact, signed,
    gez, behalf, attn, c/o, z\. ?hd, my, mein, his, her, our, their, the, with, unser, sein, ihr, der, die, dem, den"""
)
CUE_HINT = re.compile(rf"(?i)name|{CUE_PREFIXES}|\b{SHORT_CUES}|[:=]")
"""Pattern for a fast scan. Texts that do not match have no cue and are skipped."""
