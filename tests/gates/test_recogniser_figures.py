"""Measured figures of the recognisers: the page and the gate show the same ones."""

import pytest

from benchmarks import recogniser_table
from tasks.gates.recogniser_figures import known_misses_text, load_figures


def test_the_page_has_the_figures_that_the_gate_shows() -> None:
    page = recogniser_table.PAGE.read_text()
    assert recogniser_table.with_tables(page, load_figures()) == page
    found = load_figures().figures
    assert {it.language for it in found} == set(recogniser_table.LOCALES) and len(found) > 90
    assert all(it.low <= it.share <= it.high and it.low < it.high for it in found)


def test_the_gate_names_what_is_missed_by_language() -> None:
    told = known_misses_text(["en", "ja", "a\nb"])
    assert "; en: name 85% (66% to 94%), in lower case 22%, address" in told
    assert "; ja: not measured; table: docs/reference/recognisers.md" in told and "\n" not in told
    assert "2 more languages" in known_misses_text(["de", "en", "es", "fr", "it", "nl"])


def test_a_value_counts_only_if_all_of_it_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recogniser_table.detector, "detect_spans", lambda texts: [[] for _ in texts])
    values = recogniser_table.measure("nl", "capitals", 1, 3)
    assert len(values) > 15 and not any(it.is_masked for it in values)
    low, high = recogniser_table.interval(1.0, 3)
    assert 0.43 < low < 0.44 and high == 1.0
