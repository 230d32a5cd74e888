"""Keys of providers that are not in `providers`: a short name of the service, a separator and a long random rest.

Most providers have used this format since GitHub's tokens of 2021: `gsk_…`, `figd_…`, `tskey-auth-…`. Some digests and
identifiers look similar (`sha512-…`, `commit-…`, Stripe's `pi_…`), but they are shorter, or their first word says what
they are.
"""

import re
from itertools import pairwise

from tasks.stages.data.protect.recognisers.alternation import alternation
from tasks.stages.data.protect.recognisers.credentials.entropy import is_dummy_value
from tasks.stages.data.protect.recognisers.span import Span

HINT = re.compile(r"[a-z0-9][_-][A-Za-z0-9_-]{32}")
KEY_PATTERN = re.compile(
    r"(?<![\w./+@#%-])(?P<lead>[a-z][a-z0-9]{1,11}(?:[_-][a-z0-9]{1,8}){0,3}?)"
    r"(?P<sign>[_-])(?P<rest>[A-Za-z0-9_-]{32,200})(?![\w/+@-])"
)
IDENTIFIER_PREFIXES = alternation(
    r"""sha\d*, md5, crc\w*, git, commit, rev(?:ision)?, tree, blob, ref, build, job, run, task, step, node, pod,
    web, app, image, img, layer, cache, etag, nonce, file, upload, download, doc, asset, chunk, bundle, index, main,
    page, req, request, resp(?:onse)?, msg, message, event, evt, trace, span, log, id, uid, uuid, session, thread,
    conv, chat\w*, user, org, team, project, order, cus, customer, sub, price, prod, product, item, invoice, in, pi,
    ch, pm, tx\w*, digest, hash, checksum, fingerprint, sum"""
)
"""First words of digests and identifiers, which are not secrets."""
IDENTIFIER_PREFIX = re.compile(rf"(?:^|[_-]){IDENTIFIER_PREFIXES}(?:[_-]|$)")
HEX = re.compile(r"[0-9a-f_-]+")
MIN_HEX_LENGTH = 40
MIN_CLASS_CHANGE_SHARE = 0.4
"""Minimum fraction of pairs of neighbouring characters that belong to different classes (lower case, upper case,
digit). Random text has .62, CamelCase at most .3."""


def find_prefixed_keys(text: str) -> list[Span]:
    """Find keys that begin with the short name of a service. Score .85."""
    if not HINT.search(text):
        return []
    return [Span(*m.span(), "CREDENTIAL", 0.85) for m in KEY_PATTERN.finditer(text) if _is_key(m)]


def _is_key(m: re.Match[str]) -> bool:
    """Return whether a match is a key.

    A hexadecimal value may be a digest, so it must have at least MIN_HEX_LENGTH characters and follow `_`.
    """
    rest = m["rest"]
    if IDENTIFIER_PREFIX.search(m["lead"]) or is_dummy_value(m.group()):
        return False
    if HEX.fullmatch(rest):
        return m["sign"] == "_" and len(rest) >= MIN_HEX_LENGTH and _is_mixed(rest)
    return any(map(str.isupper, rest)) and any(map(str.islower, rest)) and _is_mixed(rest)


def _is_mixed(text: str) -> bool:
    classes = [(c.isdigit(), c.isupper()) for c in text]
    return sum(left != right for left, right in pairwise(classes)) >= MIN_CLASS_CHANGE_SHARE * (len(text) - 1)
