"""YAML that means more than it holds, or that no reader can make anything of, is refused at once and in words."""

import re
import resource
import time
from pathlib import Path

import pytest

from tasks.core.documents import config, yaml_text
from tasks.core.errors import InputError
from tests.patience import patience

ROOT = Path(__file__).parents[2]


def laughs(levels: int) -> str:
    """A kilobyte that means 10 ** levels values."""
    lines = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *lines])


MERGED = (
    "a: &a {" + ", ".join(f"k{n}: 1" for n in range(999)) + "}\n" + "".join(f"b{n}: {{<<: *a}}\n" for n in range(99))
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (laughs(9), r"f:5: more than 50,000 values so far, aliases written out"),
        (MERGED, r"f:\d+: more than 50,000 values"),
        ("[" * 5_000, "f:1: nested too deep: more than 50"),
        ("- " * 5_000, "f:1: nested too deep"),
        ("\n".join("  " * n + "- a:" for n in range(400)), "f:26: nested too deep"),
        ("x" * 2_000_000, "f: longer than the 1,048,576 bytes"),
        ("a: &x [*x]", "f:1: not valid YAML: no anchor &x"),
        ("a: 2024-13-45", "f: not valid YAML: month must be"),
        ("a: " + "1" * 5_000, "f: not valid YAML: Exceeds the limit"),
        ("a: !!bool maybe", "f: not valid YAML"),
        ("a: \x07", "f: not valid YAML"),
    ],
    ids=["laughs", "merged", "flow", "dashes", "block", "long", "itself", "month", "digits", "bool", "bell"],
)
def test_what_means_too_much_or_nothing_is_refused_at_once(text: str, said: str) -> None:
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(InputError, match=said):
        yaml_text.parse_with_limits(text, "f")
    assert time.process_time() - begun < patience(10), "a second on a quick machine; without a bound, minutes"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20, "kilobytes"


def test_values_that_are_too_many_without_any_alias_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_text, "MAX_VALUES", 500)
    with pytest.raises(InputError, match=r"f:1: more than 500 values"):
        yaml_text.parse_with_limits("a: [" + "1," * 510 + "]", "f")


def test_anchors_and_merges_that_mean_little_are_read() -> None:
    document = yaml_text.parse_with_limits("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}\nd: [*a, *a]", "f")
    assert config.to_plain_value(document) == {
        "a": {"x": 1},
        "b": {"x": 1},
        "c": {"x": 1, "y": 2},
        "d": [{"x": 1}, {"x": 1}],
    }


def test_all_yaml_is_read_here() -> None:
    """A second reader would have no bounds."""
    loading = re.compile(r"YAML\([^)]*\)\.(?:load|parse|compose)|yaml\.\w*load\(")
    code = [path for room in ("tasks", "flows", "infra", "examples") for path in (ROOT / room).rglob("*.py")]
    assert [path for path in code if loading.search(path.read_text())] == []
    made = {path for path in code if re.search(r"= (?:ruamel\.yaml\.)?YAML\(", path.read_text())}
    writers = {ROOT / "tasks/core/documents/yaml_edit.py", ROOT / "tasks/scaffold/commented_yaml.py"}
    assert made == {ROOT / "tasks/core/documents/yaml_text.py", *writers}


def test_a_file_without_end_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a file"):
        config.read_yaml(Path("/dev/zero"))
    (tmp_path / "long.yaml").write_bytes(b"# much\n" * 1_000_000)
    with pytest.raises(InputError, match="longer than the 1,048,576 bytes"):
        config.read_yaml(tmp_path / "long.yaml")
