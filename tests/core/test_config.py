"""A mistake in a settings file is reported with its line, and all of them at once."""

import re
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from tasks.core.documents import config
from tasks.core.errors import InputError
from tasks.core.params import params
from tasks.policy import people, policy
from tasks.runs.requests.resolution import read_params
from tests.tiny_project import PARAMS, PEOPLE, POLICY

GOOD = PARAMS.replace("DIGEST", "a" * 64)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return path


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        params.load_params(path := written(tmp_path, text))
    return str(caught.value).replace(str(path), "params.yaml").splitlines()


def test_a_good_file_is_read(tmp_path: Path) -> None:
    assert params.load_params(written(tmp_path, GOOD)).training.lora_rank == 4


def test_every_mistake_is_reported_with_its_line(tmp_path: Path) -> None:
    text = GOOD.replace("seed: 1}\n", "seed: 1, sead: 2}\n", 1).replace("lora_rank: 4", "lora_rank: none")
    text = text.replace("  name: tiny\n", "")
    told = problems(tmp_path, text)
    lines = text.splitlines()
    assert len(told) == 3
    by_line = sorted((int(message.split(":")[1]), message) for message in told)
    for (number, message), key in zip(by_line, ("use_case:", "sead", "lora_rank"), strict=True):
        assert key in lines[number - 1], message


def test_impossible_combinations_are_told_beside_wrong_keys_and_values(tmp_path: Path) -> None:
    """pydantic alone would tell of the key and the type, and of a combination only once these are mended."""
    text = GOOD.replace("seed: 1}\n", "seed: 1, sead: 2, min_prompt_chars: 9, max_prompt_chars: 3}\n", 1)
    text = text.replace("max_new_tokens: 4", "max_new_tokens: many").replace("label_field: intent, ", "")
    text = text.replace("approach: lora", "approach: full_fine_tuning").replace(", licence: Apache-2.0", "")
    told = dict(line.split(": ", 2)[1:] for line in problems(tmp_path, text))
    wanted = {
        "data.sead": "unknown key",
        "base_model.licence": "missing",
        "evaluation.max_new_tokens": "got 'many'",
        "data": "min_prompt_chars 9 exceeds max_prompt_chars 3",
        "evaluation": "label_field names a field",
        "training": "wants training.method full, got lora",
    }
    assert told.keys() == wanted.keys()
    for key, words in wanted.items():
        assert words in told[key]


@pytest.mark.parametrize(
    ("old", "new", "not_told"),
    [
        ("epochs: 1,", "method: 3, epochs: 1, lora_dropout: 0.1,", "has no such settings"),
        ("approach: lora", "approach: 3", "wants training.method"),
        ("label_field: intent", "label_feild: intent", "set it with target json"),
        ("at_least: -0.5", "at_least: much", "exactly one of at_least and at_most"),
    ],
)
def test_a_default_in_the_place_of_a_wrong_value_is_not_held_against_the_file(
    tmp_path: Path, old: str, new: str, not_told: str
) -> None:
    told = problems(tmp_path, GOOD.replace(old, new))
    assert len(told) == 1 and not_told not in told[0], told


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("precision: fp32", "precision: fp16", r"training\.precision: .*'fp32' or 'bf16'.*got 'fp16'"),
        ("lora_rank: 4", "method: full, lora_rank: 4", "full has .*: set lora_rank to null, lora_alpha to null"),
        ("folder: MODEL", "folder: MODEL, hub: a/b", "exactly one of wheel, hub and folder"),
        ("label_field: intent, ", "", "label_field names a field"),
        ("at_least: -0.5", "bound: low", "exactly one of at_least and at_most"),
        ("name: fast enough", "name: not worse than the base model", "each has a name of its own"),
        ("approach: lora", "approach: full_fine_tuning", "wants training.method full"),
        ("a" * 64, "abc", "64 lower-case hex digits"),
    ],
)  # fmt: skip
def test_impossible_values_say_what_would_be_right(tmp_path: Path, old: str, new: str, wanted: str) -> None:
    told = problems(tmp_path, GOOD.replace(old, new))
    assert any(re.search(wanted, line) for line in told), told


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a: [1\n", r":\d+: not valid YAML"),
        ("a: 1\na: 2\n", r":2: not valid YAML: .*duplicate"),
        ("- 1\n", "expected a mapping"),
        ("", "expected a mapping"),
    ],
)
def test_what_is_no_mapping_is_told_with_its_line(tmp_path: Path, text: str, wanted: str) -> None:
    assert re.search(wanted, "\n".join(problems(tmp_path, text)))


def test_a_file_that_is_missing_or_binary_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        config.read_yaml(tmp_path / "none.yaml")
    (tmp_path / "bin.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        config.read_yaml(tmp_path / "bin.yaml")


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        (
            {"training.lora_rank": "none"},
            r"^--set training\.lora_rank=none: Input should be a valid integer.*got 'none'",
        ),
        ({"training": "{epochs: x}"}, r"^--set training=\{epochs: x\}: training\.epochs: Input .* number.*got 'x'"),
        ({"training.epochs": "{a: 1}"}, r"^--set training\.epochs=\{a: 1\}: Input should be a valid number"),
        ({"training.epohcs": "1"}, r"^--set training\.epohcs=1: unknown key; .*params schema"),
        (
            {"evaluation.label_field": ""},
            r": evaluation, with --set evaluation\.label_field=: label_field names a field",
        ),
        ({"training.lora_rank": "[1"}, r"^--set training\.lora_rank=\[1: the value:1: not valid YAML: .*; write it as"),
        ({"training.lora_rank.x": "1"}, r"^--set training\.lora_rank\.x: there is no section 'lora_rank'"),
        ({"training.seed": "2024-13-45"}, r"^--set training\.seed=2024-13-45: the value: not valid YAML: month"),
        ({"training.seed": "&a [&b [*b]]"}, r"^--set training\.seed=.*: not valid YAML"),
    ],
)
def test_what_set_says_wrongly_is_told_of_set_and_not_of_the_file(
    tmp_path: Path, changes: dict[str, str], wanted: str
) -> None:
    with pytest.raises(InputError, match=wanted):
        read_params(written(tmp_path, GOOD), changes)


def test_what_the_file_says_wrongly_is_told_of_the_file_beside_what_set_says(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("precision: fp32", "precision: fp16"))
    with pytest.raises(InputError) as caught:
        read_params(path, {"data.seed": "x", "use_case.name": "fine"})
    told = str(caught.value).splitlines()
    assert {line.split(":")[0] for line in told} == {"--set data.seed=x", str(path)}
    assert all("Input should be" in line for line in told)


def test_a_megabyte_of_mistakes_is_told_on_a_page(tmp_path: Path) -> None:
    told = problems(tmp_path, GOOD + "".join(f"k{number}: {'x' * 2_000}\n" for number in range(400)))
    assert len(told) == 101 and told[-1] == "params.yaml: and 300 more problems"
    assert len("".join(problems(tmp_path, GOOD.replace("epochs: 1", "epochs: " + "x" * 500_000)))) < 1_000


class Base(config.FrozenModel):
    kept: int
    """Docstring of the base."""
    anew: int
    """Docstring that is not inherited."""


class Derived(Base):
    anew: int
    said: Annotated[int, Field(description="Description of its own.")]
    """Docstring beside a description."""
    nested: Base
    """Docstring of a field
    in two lines."""


def test_a_schema_describes_fields_by_their_docstrings() -> None:
    schema = Derived.model_json_schema()
    told = {name: field.get("description") for name, field in schema["properties"].items()}
    assert told == {
        "kept": "Docstring of the base.",
        "anew": None,
        "said": "Description of its own.",
        "nested": "Docstring of a field\nin two lines.",
    }
    assert schema["$defs"]["Base"]["properties"]["anew"]["description"] == "Docstring that is not inherited."


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("", "say why"),
        (" \n", "say why"),
        ("\u2800", "say why"),  # a letter of braille without a dot
        ("…!", "say why"),
        ("fine\x1b[2J", "it holds the character"),
        ("x" * 2_001, "the reason has 2,001 characters; say it in 2,000"),
    ],
)
def test_a_reason_that_says_nothing_is_refused(reason: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        config.validate_reason(reason, "say why")


def test_a_reason_is_kept_without_blanks_around_it() -> None:
    assert config.validate_reason(" 原因 1\n", "say why") == "原因 1"


def test_a_policy_and_people_that_were_read_before_are_not_parsed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ruamel takes 20 ms for a kilobyte. A cache that is full is emptied, so the test brings one that is empty."""
    monkeypatch.setattr(config, "_CACHE", {})
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "people.yaml").write_text(PEOPLE)
    first = policy.load_policy(tmp_path), people.load_people(tmp_path)
    monkeypatch.setattr(config, "parse_yaml", None)
    assert (policy.load_policy(tmp_path), people.load_people(tmp_path)) == first
