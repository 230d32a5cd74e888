"""Patterns of capitalised words and of separators in an address."""

CAPITALISED_WORD = r"[A-ZÄÖÜÀ-Ý][\w'’\-]{1,24}"
UNHYPHENATED_WORD = r"[A-ZÄÖÜÀ-Ý][\w'’]{1,24}"
"""Pattern of a capitalised word without hyphens, for patterns in which a hyphen separates words. If words could
contain hyphens too, there would be many ways to match `Aa-Aa-Aa`, and matching would be slow."""
SEPARATOR = r"[ \t]{0,3}(?:,|\n|;|\||-)?[ \t\n]{0,3}"
