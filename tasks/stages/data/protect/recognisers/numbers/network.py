"""IP addresses, versions 4 and 6, and hardware (MAC) addresses, including those in URLs."""

import re
from ipaddress import IPv6Address

from tasks.stages.data.protect.recognisers.span import Span

OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
IPV4_ADDRESS = re.compile(rf"(?<![\w.])(?:{OCTET}(?:\.|\[\.\]|\(\.\))){{3}}{OCTET}(?![\w]|\.\d)")
VERSION_WORD_BEFORE = re.compile(r"(?i)(?:version|release|firmware|build|v|ver\.?)[ :=]{0,3}$")
IPV6_ADDRESS = re.compile(
    r"(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:]{2,39}(?:\.\d{1,3}){0,3}(?:%\w{1,16})?(?![\w:])"
)
HEX_PAIR = r"[0-9A-Fa-f]{2}"
MAC_ADDRESS = re.compile(
    rf"(?<![\w:-]){HEX_PAIR}(?:([:-])(?:{HEX_PAIR}\1){{4}}{HEX_PAIR})(?![\w:-])"
    r"|(?<![\w.])(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}(?![\w]|\.\w)"
)
"""Pattern of a MAC address by IEEE 802, or in three groups, as Cisco writes it."""
MAC_SIGNS = re.compile(r"[:-][0-9A-Fa-f]{2}[:-]|\.[0-9A-Fa-f]{4}\.")


def find_network_addresses(text: str) -> list[Span]:
    """Find IP addresses (score .95) and MAC addresses (score .9). Dotted version numbers are not found."""
    spans = [
        Span(*m.span(), "IP_ADDRESS", 0.95)
        for m in IPV4_ADDRESS.finditer(text)
        if not VERSION_WORD_BEFORE.search(text, max(0, m.start() - 12), m.start())
    ]
    if ":" in text:
        spans += [Span(*m.span(), "IP_ADDRESS", 0.95) for m in IPV6_ADDRESS.finditer(text) if _is_v6(m.group())]
    if MAC_SIGNS.search(text):
        spans += [Span(*m.span(), "MAC_ADDRESS", 0.9) for m in MAC_ADDRESS.finditer(text) if _is_mac(m.group())]
    return spans


def _is_mac(text: str) -> bool:
    """Return whether a match is a MAC address.

    Three groups of four decimal digits do not count, because they may be any number.
    """
    return not text.replace(".", "").isdigit()


def _is_v6(text: str) -> bool:
    if text.count(":") < 2 or text in ("::", "::1"):
        return False
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
