"""Keys of providers that nobody has listed: a short name of the service, a sign, and a long random rest.

Since GitHub's tokens of 2021 most providers write theirs so: `gsk_…`, `figd_…`, `tskey-auth-…`. Digests and numbers of
things are written so too (`sha512-…`, `commit-…`, Stripe's `pi_…`), but are shorter, or say by their first word what
they are.
"""

import re
from itertools import pairwise

from tasks.stages.data.protect.recognise.credentials.entropy import is_placeholder
from tasks.stages.data.protect.recognise.span import Span
from tasks.stages.data.protect.recognise.wording import either

HINT = re.compile(r"[a-z0-9][_-][A-Za-z0-9_-]{32}")
FORM = re.compile(
    r"(?<![\w./+@#%-])(?P<lead>[a-z][a-z0-9]{1,11}(?:[_-][a-z0-9]{1,8}){0,3}?)"
    r"(?P<sign>[_-])(?P<rest>[A-Za-z0-9_-]{32,200})(?![\w/+@-])"
)
THINGS = either(
    r"""sha\d*, md5, crc\w*, git, commit, rev(?:ision)?, tree, blob, ref, build, job, run, task, step, node, pod,
    web, app, image, img, layer, cache, etag, nonce, file, upload, download, doc, asset, chunk, bundle, index, main,
    page, req, request, resp(?:onse)?, msg, message, event, evt, trace, span, log, id, uid, uuid, session, thread,
    conv, chat\w*, user, org, team, project, order, cus, customer, sub, price, prod, product, item, invoice, in, pi,
    ch, pm, tx\w*, digest, hash, checksum, fingerprint, sum"""
)
"""What a digest or the number of a thing begins with."""
THING = re.compile(rf"(?:^|[_-]){THINGS}(?:[_-]|$)")
HEX = re.compile(r"[0-9a-f_-]+")
LEAST_HEX = 40
CHANGES = 0.4
"""Of neighbouring characters, how many are of another class (lower, upper, digit). Random ones have .62, CamelCase .3
at most."""


def find(text: str) -> list[Span]:
    """.85."""
    if not HINT.search(text):
        return []
    return [Span(*m.span(), "CREDENTIAL", 0.85) for m in FORM.finditer(text) if _is_key(m)]


def _is_key(m: re.Match[str]) -> bool:
    """Hexadecimal digits alone are a digest's too, so they ask for `_`, and more of them."""
    rest = m["rest"]
    if THING.search(m["lead"]) or is_placeholder(m.group()):
        return False
    if HEX.fullmatch(rest):
        return m["sign"] == "_" and len(rest) >= LEAST_HEX and _is_mixed(rest)
    return any(map(str.isupper, rest)) and any(map(str.islower, rest)) and _is_mixed(rest)


def _is_mixed(text: str) -> bool:
    classes = [(c.isdigit(), c.isupper()) for c in text]
    return sum(left != right for left, right in pairwise(classes)) >= CHANGES * (len(text) - 1)
