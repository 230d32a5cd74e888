"""Hallmark's version stands in several files, and each names the same one."""

import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tasks.core.version import VERSION, minor_version
from tasks.policy import judge_install

ROOT = Path(__file__).parents[2]


def test_every_file_names_the_version_that_is_stored() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
    chart = YAML(typ="safe").load(ROOT / "infra" / "kubernetes" / "hallmark" / "Chart.yaml")
    assert chart["version"] == chart["appVersion"] == VERSION
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]
    assert headings[0].startswith(f"## {VERSION}"), "the changelog says from which version on something is so"
    assert judge_install.current_judge().version == VERSION


@pytest.mark.parametrize(
    ("version", "numbers"), [("0.2.0", (0, 2)), ("1.10", (1, 10)), (None, (0, 0)), ("x.1", (0, 0)), ({}, (0, 0))]
)
def test_what_is_no_version_is_earlier_than_any(version: object, numbers: tuple[int, int]) -> None:
    assert minor_version(version) == numbers
