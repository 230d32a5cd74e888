"""One spelling for a text: composed characters, `\\n` line ends, no control characters, broken formatting repaired.

Repairs happen here, in `ingest`, and not in `clean`: protection must see a text as it will be kept, or an address
hidden in HTML entities would pass it and become readable afterwards.
"""

import re
import unicodedata

LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\u2028\u2029]")
CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff]")
"""What no reader sees: C0 and C1 controls but tab and line feed, and byte order marks."""
UNUSUAL = re.compile("[^\n\t\x20-\x25\x27-\x7e]")
"""Anything that could need work: all but printable ASCII without `&`."""
VISIBLE = re.compile("[^\\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069]")
"""Anything but white space and format characters."""
SURROGATES = re.compile("[\ud800-\udfff]")
"""Code points that are no characters: undecoded bytes, or half of a JSON escape."""


def is_blank(text: str) -> bool:
    """Whether a reader sees nothing."""
    return not VISIBLE.search(text)


def normalise(text: str) -> str:
    """The text in NFC, with `\\n` line ends, without control characters and outer white space."""
    if not UNUSUAL.search(text):
        return text.strip()
    return unicodedata.normalize("NFC", CONTROLS.sub("", LINE_ENDS.sub("\n", text))).strip()


def repair(text: str) -> str:
    """Undo what is certainly damage: UTF-8 read as another encoding, and HTML entities where there is no markup.

    Normalised as `normalise` does. Texts that are JSON keep their entities, since unescaping a quote would break them.
    """
    if not UNUSUAL.search(text):
        return text.strip()
    import ftfy

    fixed = ftfy.fix_text(
        LINE_ENDS.sub("\n", text),
        unescape_html=False if text.lstrip()[:1] in ("{", "[") else "auto",
        # What follows changes how a text looks and not whether it is right.
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        remove_terminal_escapes=False,
    )
    return normalise(fixed)
