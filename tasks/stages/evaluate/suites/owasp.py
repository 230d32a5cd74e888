"""OWASP Top 10 for LLM applications, 2025: the titles of its entries, which suites name in `owasp`.

Source: https://genai.owasp.org/llm-top-10/.
"""

from collections.abc import Iterable, Mapping

OWASP_TITLES: Mapping[str, str] = {
    "LLM01:2025": "prompt injection",
    "LLM02:2025": "sensitive information disclosure",
    "LLM03:2025": "supply chain",
    "LLM04:2025": "data and model poisoning",
    "LLM05:2025": "improper output handling",
    "LLM06:2025": "excessive agency",
    "LLM07:2025": "system prompt leakage",
    "LLM08:2025": "vector and embedding weaknesses",
    "LLM09:2025": "misinformation",
    "LLM10:2025": "unbounded consumption",
}


def find_uncovered_entries(named: Iterable[str]) -> list[str]:
    """Return the ids of the entries that are not in `named`, in order."""
    covered = set(named)
    return [entry for entry in OWASP_TITLES if entry not in covered]
