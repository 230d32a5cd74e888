"""Normalisation of texts: composed characters, LF line ends, no control characters, wrong decoding repaired.

Texts are repaired in `ingest` rather than in `clean`, because protection must see a text as it will be stored.
Otherwise an address hidden in HTML entities would pass protection and become readable afterwards.
"""

import re
import unicodedata

LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\u2028\u2029]")
CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff]")
"""Pattern of control characters (C0 and C1, except tab and line feed) and byte order marks."""
MAY_NEED_REPAIR = re.compile("[^\n\t\x20-\x25\x27-\x7e]")
"""Pattern of characters that may need normalisation or repair: `&` and everything except printable ASCII, tab and
line feed."""
VISIBLE_CHARACTER = re.compile("[^\\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069]")
"""Pattern of a visible character: any character except white space and invisible format characters."""


def is_blank(text: str) -> bool:
    return not VISIBLE_CHARACTER.search(text)


def normalise_text(text: str) -> str:
    """Normalise a text to NFC and LF line ends, and remove control characters and outer white space."""
    if not MAY_NEED_REPAIR.search(text):
        return text.strip()
    return unicodedata.normalize("NFC", CONTROL_CHARACTERS.sub("", LINE_ENDS.sub("\n", text))).strip()


def repair_text(text: str) -> str:
    """Normalise a text, repair UTF-8 that was decoded with another encoding, and decode HTML entities.

    Entities are kept in texts with HTML markup and in JSON, which a decoded quotation mark would break.
    """
    if not MAY_NEED_REPAIR.search(text):
        return text.strip()
    import ftfy

    fixed = ftfy.fix_text(
        LINE_ENDS.sub("\n", text),
        unescape_html=False if text.lstrip()[:1] in ("{", "[") else "auto",
        # These repairs would change only the look of a text.
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        remove_terminal_escapes=False,
    )
    return normalise_text(fixed)
