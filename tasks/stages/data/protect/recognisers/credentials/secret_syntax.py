"""Secrets recognised by their syntax: private key blocks, JSON web tokens, connection strings, URLs, HTTP headers."""

import re
from collections.abc import Iterator

from tasks.stages.data.protect.recognisers.credentials.entropy import is_dummy_value
from tasks.stages.data.protect.recognisers.span import Span

PRIVATE_KEY_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
PRIVATE_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
KEY_BODY = re.compile(r"(?:[A-Za-z0-9+/=\\:,\- \r\n]){0,16384}")
JWT = re.compile(r"(?<![\w-])ey[JI][\w-]{8,4096}\.ey[JI][\w-]{8,4096}(?:\.[\w-]{8,1024})?")
"""Pattern of a JSON web token (RFC 7519). Header and payload both begin with `{"` in base64url."""
URL_LOGIN = re.compile(
    r"(?<![\w+.-])[a-z][a-z0-9+.-]{1,30}://(?P<user>[^\s:/@?#]{0,80}):(?P<secret>[^\s/?#]{2,120})@[^\s/@]{1,255}",
    re.IGNORECASE,
)
USER_OPTION = re.compile(
    r"(?:\s-u|--user)[ =]{1,3}[\"']?(?P<user>[^\s:\"']{0,80})[\"']?:[\"']?(?P<secret>[^\s\"']{3,100})"
)
PASSWORD_OPTION = re.compile(r"(?:\bsshpass\s-p\s?|\s--?pass(?:word|wd)?[ =])[\"']?(?P<secret>[^\s\"']{4,100})")
CONNECTION_STRING = re.compile(r"(?i)(?:pwd|password)\s?=\s?(?P<secret>[^;\s\"']{3,100})(?=;|\"|'|\s|$)")
AUTHORIZATION_HEADER = re.compile(
    r"(?i)\bauthorization\b[\"']?\s?[:=]\s?[\"']?(?:(?:basic|bearer|token|apikey|ssws)\s)?"
    r"(?P<secret>[A-Za-z0-9+/=._~-]{12,2000})"
    r"|\bbearer\s(?P<bearer>[A-Za-z0-9+/=._~-]{20,2000})"
)


def find_secrets_by_syntax(text: str) -> list[Span]:
    """Find secrets by the syntax around them.

    Scores: 1.0 for key blocks, JSON web tokens and URLs, .95 for command-line options, .9 for connection strings and
    HTTP headers. In a URL and a `-u` option, the span covers only user and password, so the host stays readable.
    """
    spans = []
    if "PRIVATE KEY" in text:
        spans += [Span(m.start(), _key_end(text, m.end()), "CREDENTIAL", 1.0) for m in PRIVATE_KEY_BEGIN.finditer(text)]
    if "ey" in text:
        spans += [Span(*m.span(), "CREDENTIAL", 1.0) for m in JWT.finditer(text)]
    if "://" in text:
        spans += [Span(m.start("user"), m.end("secret"), "CREDENTIAL", 1.0) for m in _match_secrets(URL_LOGIN, text)]
    if "-u" in text:
        spans += [Span(m.start("user"), m.end("secret"), "CREDENTIAL", 0.95) for m in _match_secrets(USER_OPTION, text)]
    for sign, form, score in (("-p", PASSWORD_OPTION, 0.95), ("=", CONNECTION_STRING, 0.9)):
        if sign in text:
            spans += [Span(*m.span("secret"), "CREDENTIAL", score) for m in _match_secrets(form, text)]
    return spans + _find_header_credentials(text)


def _match_secrets(form: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    return (m for m in form.finditer(text) if not is_dummy_value(m["secret"]))


def _find_header_credentials(text: str) -> list[Span]:
    """Return the credentials in HTTP headers. A match without a digit is skipped, because it may be prose."""
    groups = [(m, "secret" if m["secret"] else "bearer") for m in AUTHORIZATION_HEADER.finditer(text)]
    return [Span(*m.span(g), "CREDENTIAL", 0.9) for m, g in groups if any(c.isdigit() for c in m[g])]


def _key_end(text: str, body: int) -> int:
    end = PRIVATE_KEY_END.search(text, body, body + 20000)
    if end:
        return end.end()
    match = KEY_BODY.match(text, body)
    return match.end() if match else body
