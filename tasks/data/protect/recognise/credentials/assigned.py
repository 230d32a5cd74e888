"""Secrets that are said to be one: `api_key=…`, "my password is …", "Passwort: …", "PIN 4711"."""

import re

from tasks.data.protect.recognise.credentials.entropy import bits, is_placeholder, is_random
from tasks.data.protect.recognise.span import Span

KEY_NAMES = (
    r"(?:api|access|auth|app|secret|private|encryption|client|account|service|signing|webhook|aws|azure|consumer|refresh|session|license|licence)?[ _.-]?"
    r"(?:secret(?:[ _.-]?access)?[ _.-]?(?:key)?|api[ _.-]?key|access[ _.-]?(?:key|token)|auth[ _.-]?token|token|credentials?|schlüssel|private[ _.-]?key|key)"
)
KEY = re.compile(
    rf"(?i)(?<![a-z]){KEY_NAMES}(?:[ _.-]?id)?[\"'`]?(?:\s?(?:=|:|=>|:=|->)|\s(?:is|was|ist|lautet|war|of)\b:?|\s)\s?[\"'`<]?(?P<secret>[A-Za-z0-9+/_.~=$!@#%^&*-]{{12,200}})"
)
PASSWORD = re.compile(
    r"(?i)(?<![a-z])(?:pass(?:word|wort|phrase|code|wd)?|pwd|kennwort|login|pw|pin(?:[ -]?code)?|tan|otp|puk|security answer|one[- ]time (?:code|password)|verification code|2fa(?: code)?|mfa code|bestätigungscode|zugangscode)"
    r"[\"'`]?(?:\s?(?:=|:|=>)\s?|\s(?:is|was|ist|lautet|war|to|on|auf|zu|now|still|jetzt|set to|changed to|reset to|remains)\s(?:now |still |jetzt |set to |changed to )?:?\s?|\s(?=[\"'`]))[\"'`]?(?P<secret>[^\s\"'`,;<>]{4,64})"
)
HEX = re.compile(
    r"(?<![A-Za-z0-9_/.-])(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[A-Za-z0-9+/]{40}|[A-Za-z0-9+/]{86,88}={0,2})(?![A-Za-z0-9_/-])"
)
NEAR = re.compile(r"(?i)(?:secret|token|key|credential|password|passwort|schlüssel|aws|auth)[^\n]{0,60}$")


def find(text: str) -> list[Span]:
    """.9 assigned and random; a password needs to look like one: a digit, a sign or mixed case, not a plain word."""
    spans = [
        Span(*m.span("secret"), "CREDENTIAL", 0.9)
        for m in KEY.finditer(text)
        if is_random(m["secret"].rstrip("."), 2.8)
    ]
    spans += [
        Span(m.start("secret"), _without_stop(m), "CREDENTIAL", 0.85)
        for m in PASSWORD.finditer(text)
        if _is_password(m["secret"].rstrip(".!?)"))
    ]
    spans += [
        Span(*m.span(), "CREDENTIAL", 0.8)
        for m in HEX.finditer(text)
        if bits(m.group()) > 3 and is_random(m.group()) and NEAR.search(text, max(0, m.start() - 80), m.start())
    ]
    return spans


def _without_stop(m: re.Match[str]) -> int:
    """The end without the full stop of the sentence; a sign may belong to the password, so it goes along."""
    return m.end("secret") - (m["secret"][-1] in ".?)")


def _is_password(text: str) -> bool:
    kinds = [any(map(test, text)) for test in (str.isdigit, str.islower, str.isupper, lambda c: not c.isalnum())]
    if is_placeholder(text):
        return False
    return kinds[0] and len(text) >= 4 or (kinds[3] and sum(kinds) >= 2 and len(text) >= 6 and "-" not in text)
