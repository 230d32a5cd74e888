"""Patterns of capitalised words and of separators in an address."""

CAPITALISED_WORD = r"[A-ZÄÖÜÀ-Ý][\w'’\-]{1,24}"
UNHYPHENATED_WORD = r"[A-ZÄÖÜÀ-Ý][\w'’]{1,24}"
"""Capitalised word without hyphens, for patterns in which a hyphen separates words. If words could also contain a
hyphen, the ways to match `Aa-Aa-Aa` would multiply, and the time with them."""
SEPARATOR = r"[ \t]{0,3}(?:,|\n|;|\||-)?[ \t\n]{0,3}"
