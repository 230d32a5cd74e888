"""Version markers and dates: what two revisions of one text differ in, in English and German.

Patterns are RE2's, so no text can make them slow; they are asked of text that is casefolded and evenly spaced.
"""

MONTH = (
    "(?:january|february|march|april|may|june|july|august|september|october|november|december"
    "|januar|februar|märz|mai|juni|juli|oktober|dezember)"
)
DATE = "|".join(
    (
        r"\b\d{4}-\d{2}(?:-\d{2})?\b",  # 2025-03-01, 2025-03
        r"\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b",  # 1.3.2025, 3/1/25
        rf"\b(?:\d{{1,2}}\.? )?{MONTH} (?:\d{{1,2}}, )?\d{{4}}\b",  # 1 March 2025, März 2025, March 1, 2025
    )
)
VERSION = r"\b(?:v|ver|version|rev|revision|release|fassung)\.? ?\d+(?:\.\d+)*\b"  # v2, Version 3.1, Fassung 2
REPLACED = r"\b(?:replaces|supersedes|superseded by|ersetzt|ersetzt durch)\b[^.;)\n]{0,60}"  # to the end of the clause
DATED = (
    rf"\b(?:updated|revised|as of|valid from|effective from|effective|aktualisiert|stand|neu ab|gültig ab|gilt ab)"
    rf"(?: on| am| im|:)? ?(?:{DATE})"
)
MARKER = f"{VERSION}|{REPLACED}|{DATED}"
