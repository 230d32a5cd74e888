"""The inventory of sources and its suites: a mistake is told with its file and line, those of all suites at once."""

from pathlib import Path

import pytest

from tasks.core.errors import InputError
from tasks.policy import governance
from tasks.sources import expectation_suites, sources

SOURCES = """\
sources:
  - id: tickets
    kind: csv
    location: tickets.csv
    owner: owner
    licence: CC0-1.0
    suite: expectations/tickets.yaml
    mapping: {prompt: text, response: label}
    constants: {task: triage}
    steward: owner
    access: [data-owner]
    classification: internal
    lawful_basis: consent
    retention_days: 365
    region: eu
    refresh_days: 7
    approved_uses: [tests]
dataset_suite: expectations/dataset.yaml
"""
SUITE = """\
name: tickets
expectations:
  - type: expect_column_values_to_not_be_null
    kwargs: {column: prompt}
    why: nothing to sort
"""


@pytest.fixture
def inventory(folder: Path) -> Path:
    """A governance folder with sources.yaml and two suites."""
    (folder / "sources.yaml").write_text(SOURCES)
    for name in ("tickets", "dataset"):
        (folder / "expectations").mkdir(exist_ok=True)
        (folder / "expectations" / f"{name}.yaml").write_text(SUITE)
    return folder


def change(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def suites_of(folder: Path) -> expectation_suites.Suites:
    return expectation_suites.load_suites(folder, sources.load_sources(folder))


def told(folder: Path, error: InputError) -> list[str]:
    return str(error).replace(f"{folder}/", "").splitlines()


def test_every_suite_that_is_named_is_read(inventory: Path) -> None:
    found = suites_of(inventory)
    assert set(found.by_source) == {"tickets"} and found.dataset is not None


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("    licence:", "    license:", "sources.yaml:6: sources.0.license: unknown key"),
        ("{prompt: text,", "{prompt: text, lang: l,", "sources.yaml:8: sources.0.mapping.lang: unknown key"),
        ("{task: triage}", "{task: triage, sort: a}", "sources.yaml:9: sources.0.constants.sort: unknown key"),
        ("dataset_suite:", "dataset_suit:", "sources.yaml:18: dataset_suit: unknown key"),
    ],
)
def test_a_wrong_key_in_sources_yaml(inventory: Path, old: str, new: str, wanted: str) -> None:
    change(inventory / "sources.yaml", old, new)
    for read in (sources.load_sources, lambda folder: governance.load_governance(folder, folder / "state")):
        with pytest.raises(InputError) as caught:
            read(inventory)
        assert any(line.startswith(wanted) for line in told(inventory, caught.value)), caught.value


@pytest.mark.parametrize(
    ("old", "new"),
    [("{task: triage}", "{task: triage, split: train}"), ("{prompt: text,", "{prompt: text, split: side,")],
)
def test_a_side_that_is_said_twice_is_refused(inventory: Path, old: str, new: str) -> None:
    change(inventory / "sources.yaml", "    licence:", "    split: test\n    licence:")
    assert sources.load_sources(inventory).sources[0].partition == "test"
    change(inventory / "sources.yaml", old, new)
    with pytest.raises(InputError, match="source tickets: `split` is said twice"):
        sources.load_sources(inventory)


def test_wrong_keys_in_two_suites(inventory: Path) -> None:
    change(inventory / "expectations" / "tickets.yaml", "    kwargs:", "    kwarg:")
    change(inventory / "expectations" / "dataset.yaml", "name: tickets", "title: tickets")
    with pytest.raises(InputError) as caught:
        suites_of(inventory)
    assert [line.split(";")[0] for line in told(inventory, caught.value)] == [
        "expectations/dataset.yaml:1: name: missing",
        "expectations/dataset.yaml:1: title: unknown key",
        "expectations/tickets.yaml:4: expectations.0.kwarg: unknown key",
    ]


def test_a_suite_that_is_not_there(inventory: Path) -> None:
    (inventory / "expectations" / "tickets.yaml").unlink()
    with pytest.raises(InputError, match=r"expectations/tickets\.yaml: no such file"):
        suites_of(inventory)


def test_a_source_with_a_gap_is_refused_by_name(inventory: Path) -> None:
    change(inventory / "sources.yaml", "    lawful_basis: consent\n", "")
    with pytest.raises(InputError, match=r"sources\.0\.lawful_basis: missing from tickets; this key is required"):
        sources.load_sources(inventory)
