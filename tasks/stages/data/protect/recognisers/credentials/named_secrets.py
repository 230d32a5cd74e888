"""Secrets that the text names as such: `api_key=…`, "my password is …", "Passwort: …", "PIN 4711"."""

import re

from tasks.stages.data.protect.recognisers.alternation import alternation
from tasks.stages.data.protect.recognisers.credentials.entropy import entropy, is_dummy_value, looks_random
from tasks.stages.data.protect.recognisers.span import Span

KEY_QUALIFIERS = alternation(
    """api, access, auth, app, secret, private, encryption, client, account, service, signing, webhook, aws, azure,
    consumer, refresh, session, license, licence"""
)
KEY_NAMES = alternation(
    r"""secret(?:[ _.-]?access)?[ _.-]?(?:key)?, api[ _.-]?key, access[ _.-]?(?:key|token), auth[ _.-]?token, token,
    credentials?, schlüssel, private[ _.-]?key, key"""
)
KEY_ASSIGNMENT = r"(?:\s?(?:=|:|=>|:=|->)|\s(?:is|was|ist|lautet|war|of)\b:?|\s)\s?"
KEY = re.compile(
    rf"(?i)(?<![a-z]){KEY_QUALIFIERS}?[ _.-]?{KEY_NAMES}(?:[ _.-]?id)?[\"'`]?{KEY_ASSIGNMENT}[\"'`<]?"
    r"(?P<secret>[A-Za-z0-9+/_.~=$!@#%^*-]{12,200})"
)

CAMEL_CASE_LABEL = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9]{0,30}?(?:Password|Passwort|Passwd|Pwd|Token|Secret|Credential|Key)s?[\"'`]?"
    r"(?:\s?(?:=|:|=>|:=)\s?|>)[\"'`<]?(?P<secret>[^\s\"'`,;<>(){}]{6,200})"
)
"""Pattern of a label such as `dbPassword:` or `<githubToken>`, and the value after it."""
WORDED_LABEL = re.compile(
    r"(?i)(?<![a-z])(?:tokens?|secrets?|credentials?|(?:api|access|private|deploy) keys?)(?:\s[\w./()'-]{1,30}){1,6}?"
    r"\s?(?::|=|\sis|\sist|\slautet)\s{0,3}[\"'`<]?(?P<secret>[A-Za-z0-9+/_.~=$!@#%^*-]{12,200})"
)
"""Pattern of a label in words: "the X secret we use: …", "Token for X: …"."""

PASSWORD_NAMES = alternation(
    """pass(?:word|wort|phrase|code|wd)?, pwd, kennwort, login, pw, pin(?:[ -]?code)?, tan, otp, puk, security answer,
    one[- ]time (?:code|password), verification code, 2fa(?: code)?, mfa code, bestätigungscode, zugangscode"""
)
COPULAS = alternation(
    "is, was, ist, lautet, war, to, on, auf, zu, now, still, jetzt, set to, changed to, reset to, remains"
)
COPULA_ADVERBS = r"(?:now |still |jetzt |set to |changed to )?"
PASSWORD_ASSIGNMENT = rf"(?:\s?(?:=|:|=>)\s?|\s{COPULAS}\s{COPULA_ADVERBS}:?\s?|\s(?=[\"'`]))"
PASSWORD = re.compile(
    rf"(?i)(?<![a-z]){PASSWORD_NAMES}[\"'`]?{PASSWORD_ASSIGNMENT}[\"'`]?(?P<secret>[^\s\"'`,;<>(][^\s\"'`,;<>]{{3,63}})"
)
ADJACENT_PASSWORD = re.compile(
    r"(?i)(?<![a-z])(?:password|passwort|kennwort|passcode|passphrase)\s(?P<secret>[^\s\"'`,;<>(]{6,64})"
)
"""Pattern of a word that means password, directly followed by the value. Only values with letters and digits count,
because prose matches too."""
DISTANT_PASSWORD = re.compile(
    r"(?i)(?<![a-z])(?:password|passwort|kennwort|passcode|passphrase|pw)(?:\s[^\W_][\w@.'-]{0,30}){1,6}?"
    r"(?:,|:|\s(?:is|was|ist|war|lautet|to|auf))\s[\"'`<(]?(?P<secret>[^\s\"'`,;<>()]{6,64})"
)
"""Pattern of a word that means password, then other words, then the value, as in "the password for the shop is …". Only
values with letters and digits count."""
LETTER_AND_DIGIT = re.compile(r"[A-Za-z].*\d|\d.*[A-Za-z]")

KEY_FORMATS = r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[A-Za-z0-9+/]{40}|[A-Za-z0-9+/]{86,88}={0,2})"
KEY_LIKE = re.compile(rf"(?<![A-Za-z0-9_/.-]){KEY_FORMATS}(?![A-Za-z0-9_/-])")
KEY_NAME_BEFORE = re.compile(r"(?i)(?:secret|token|key|credential|password|passwort|schlüssel)[^\n]{0,60}$")
MIXED_CASE = re.compile(r"[a-z][A-Z]\w*[a-z][A-Z]|[A-Z][a-z]?[A-Z]\w*[a-z][A-Z]")


def find_named_secrets(text: str) -> list[Span]:
    """Find secrets that the text calls a key or a password.

    Scores: .9 for a random value assigned to the name of a key, .85 for a password that is not a plain word, .8 for a
    random value with the usual length of a key, if the name of a key occurs in the 60 characters before it.
    """
    labelled = (m for form in (KEY, WORDED_LABEL) for m in form.finditer(text) if _is_key(m["secret"]))
    spans = [Span(*m.span("secret"), "CREDENTIAL", 0.9) for m in labelled]
    spans += [
        Span(m.start("secret"), _end_without_full_stop(m), "CREDENTIAL", 0.9)
        for m in CAMEL_CASE_LABEL.finditer(text)
        if _is_password(m["secret"])
    ]
    passwords = [m for m in PASSWORD.finditer(text) if _is_password(m["secret"])]
    apart = (m for form in (ADJACENT_PASSWORD, DISTANT_PASSWORD) for m in form.finditer(text))
    passwords += [m for m in apart if _is_password(m["secret"]) and LETTER_AND_DIGIT.search(m["secret"])]
    spans += [Span(m.start("secret"), _end_without_full_stop(m), "CREDENTIAL", 0.85) for m in passwords]
    keys = (m for m in KEY_LIKE.finditer(text) if entropy(m.group()) > 3 and looks_random(m.group()))
    spans += [
        Span(*m.span(), "CREDENTIAL", 0.8)
        for m in keys
        if KEY_NAME_BEFORE.search(text, max(0, m.start() - 80), m.start())
    ]
    return spans


def _end_without_full_stop(m: re.Match[str]) -> int:
    """Return the end of a password, without a final full stop or closing bracket, which belongs to the sentence.

    Other signs are kept, because they may be part of the password.
    """
    return m.end("secret") - (m["secret"][-1] in ".)")


def _is_key(secret: str) -> bool:
    return looks_random(secret.rstrip("."), 2.8)


def _is_password(secret: str) -> bool:
    text = secret.rstrip(".!?)")
    if is_dummy_value(text):
        return False
    if MIXED_CASE.search(text) and entropy(text) > 2.8:
        return True
    digit, sign = any(map(str.isdigit, text)), not all(map(str.isalnum, text))
    kinds = digit + sign + any(map(str.islower, text)) + any(map(str.isupper, text))
    return (digit and len(text) >= 4) or (sign and kinds >= 2 and len(text) >= 6 and "-" not in text)
