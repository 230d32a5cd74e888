"""Capitalised words and what stands between the parts of an address."""

CAP = r"[A-ZÄÖÜÀ-Ý][\w'’\-]{1,24}"
BARE = r"[A-ZÄÖÜÀ-Ý][\w'’]{1,24}"
"""Without hyphens, for where a hyphen may also stand between two words: else the ways to cut `Aa-Aa-Aa` multiply."""
GAP = r"[ \t]{0,3}(?:,|\n|;|\||-)?[ \t\n]{0,3}"
