"""A text is replaced in a YAML file, and every other character of the file stays."""

from pathlib import Path

import pytest
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from tasks.core.documents import config, yaml_edit
from tasks.core.errors import InputError

TEXT = """\
# Above.
environment: local  # beside
sources:
  - {id: a, owner: ada, steward: "ada"}

  -   id: b
      owner: 'ada'   # twice
list: [local, ada]
shared: &one ada
other: *one
"""


def test_values_are_replaced_where_they_stand_plain_or_quoted() -> None:
    paths = [("environment",), ("sources", 0, "owner"), ("sources", 0, "steward"), ("sources", 1, "owner"), ("list", 1)]
    changed = yaml_edit.replace_scalars(TEXT, Path("x.yaml"), dict.fromkeys(paths, "bert"))
    wanted = TEXT.replace("local", "bert").replace('"ada"', "bert").replace("'ada'", "bert")
    wanted = wanted.replace("bert, ada]", "local, bert]")
    assert changed == wanted.replace("owner: ada,", "owner: bert,")
    assert yaml_edit.replace_scalars(TEXT, Path("x.yaml"), {}) == TEXT
    assert yaml_edit.replace_scalars(TEXT, Path("x.yaml"), {("environment",): "local"}) == TEXT


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("nothing",), "x", "x.yaml: nothing is missing"),
        (("sources", 7, "owner"), "x", "x.yaml: sources.7.owner is missing"),
        (("other",), "x", "x.yaml:10: other: expected ada written out here"),
        (("shared",), "x", "x.yaml:9: shared: expected ada written out here"),
        (("environment",), "7", "x.yaml: this cannot be written without a change of other values: environment: 7"),
        (("environment",), "a, b: c", "not valid YAML"),
    ],
)
def test_what_cannot_be_replaced_is_told(path: tuple[str | int, ...], value: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        yaml_edit.replace_scalars(TEXT, Path("x.yaml"), {path: value})


def test_an_item_that_no_file_has_is_named_by_the_first_line() -> None:
    people = CommentedMap(people=CommentedSeq([CommentedMap(id="ada")]))
    assert config.find_line_number(people, ["people", 0, "id"]) == 1
