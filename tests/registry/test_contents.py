"""A folder from somebody else is read once, and nothing in it is followed, opened or believed that is no plain file."""

import os
from pathlib import Path

import pytest

from tasks.core.errors import Refused
from tasks.registry.release import contents
from tasks.registry.release.contents import MAX_PARSED_BYTES


def read(folder: Path, *parsed: str) -> contents.FolderContents:
    return contents.read_files(folder, contents.file_names(folder), parsed)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.json").write_bytes(b'{"a":1}')
    (tmp_path / "weights.safetensors").write_bytes(b"x" * 100)
    return tmp_path


def test_every_file_has_its_digest_and_those_asked_for_their_bytes(folder: Path) -> None:
    found = read(folder, "sub/a.json")
    assert list(found.digests) == ["sub/a.json", "weights.safetensors"]
    assert found.parsed_json("sub/a.json") == {"a": 1}
    assert found.names_below("sub") == ["sub/a.json"]
    with pytest.raises(Refused, match=r"weights\.safetensors is missing"):
        found.file_bytes("weights.safetensors")
    found.require_unchanged()


@pytest.mark.timeout(10)
def test_a_pipe_in_place_of_a_file_holds_nobody_up(folder: Path) -> None:
    """Opening a pipe that nobody writes to would wait for ever."""
    os.mkfifo(folder / "pipe.json")
    with pytest.raises(Refused, match="not a plain file"):
        contents.read_file(folder, "pipe.json")
    with pytest.raises(Refused, match="not a plain file"):
        contents.file_names(folder)


@pytest.mark.attack(rights="registry", stopped="a file that is a hole is neither hashed nor parsed")
@pytest.mark.timeout(10)
def test_a_terabyte_that_is_a_hole_holds_nobody_up(folder: Path) -> None:
    os.truncate(folder / "weights.safetensors", 1 << 40)
    with pytest.raises(Refused, match=r"weights\.safetensors says that it has 1,099,511,627,776 bytes, most of which"):
        read(folder)


@pytest.mark.parametrize("target", ["/etc/hostname", "weights.safetensors", "/dev/zero", "nowhere"])
def test_a_link_is_not_followed(folder: Path, target: str) -> None:
    (folder / "link.json").symlink_to(target)
    with pytest.raises(Refused, match="not a plain file"):
        contents.file_names(folder)
    with pytest.raises(Refused, match="cannot be read"):
        contents.read_file(folder, "link.json")


def test_what_is_parsed_has_a_limit_and_gigabytes_are_hashed_in_blocks(folder: Path) -> None:
    (folder / "sub" / "a.json").write_bytes(b" " * (MAX_PARSED_BYTES + 1))
    with pytest.raises(Refused, match="16,777,217 bytes"):
        read(folder, "sub/a.json")
    assert len(read(folder).digests) == 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a":1,"a":2}', "same key twice"),
        (b'{"b":{"a":1,"a":1}}', "same key twice"),
        (b"[" * 100_000, "too deep"),
        (b'{"a":NaN}', "no number"),
        (b'{"a":' + b"9" * 5000 + b"}", "digits"),
        (b"\xff\xfe", "no JSON"),
        (b"", "no JSON"),
    ],
)
def test_json_that_two_readers_would_read_differently_is_refused(folder: Path, data: bytes, reason: str) -> None:
    (folder / "sub" / "a.json").write_bytes(data)
    with pytest.raises(Refused, match=reason):
        read(folder, "sub/a.json").parsed_json("sub/a.json")


@pytest.mark.parametrize("data", [b'{"a": 1}', b'{"a":1}\n', b'{"\\u0061":1}', b'{"b":1,"a":1}', b'{"a":1.0e0}'])
def test_a_second_spelling_is_refused(folder: Path, data: bytes) -> None:
    (folder / "sub" / "a.json").write_bytes(data)
    with pytest.raises(Refused, match="canonical form"):
        read(folder, "sub/a.json").parsed_json("sub/a.json")


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "payload/../../outside",
        "/etc/passwd",
        "payload//a",
        "payload/",
        "",
        ".hidden",
        "payload/.git",
        "payload/a\0b",
        "payload/a\nb",
        "payload\\a",
        "C:a",
        "payload/m\u043edel",  # a Cyrillic o
        "payload/mode\u200bl",
        "payload/\udcff",
    ],
)
def test_names_that_lead_elsewhere_or_look_like_others_are_refused(name: str) -> None:
    with pytest.raises(Refused, match="no name for a file"):
        contents.require_portable_names(["payload/a", name])


def test_names_that_differ_in_capitals_alone_are_refused() -> None:
    contents.require_portable_names(["payload/a", "payload/b", "payload/model-00001-of-00002.safetensors"])
    with pytest.raises(Refused, match="one file on systems"):
        contents.require_portable_names(["payload/README.md", "payload/readme.md"])


def test_a_message_shows_no_name_that_a_terminal_would_obey() -> None:
    assert contents.format_names(["a\x1b[2J"]) == r"'a\x1b[2J'"
    assert contents.format_names([str(n) for n in range(7)]) == "0, 1, 2, 3, 4 …"


@pytest.mark.parametrize(
    "change",
    [
        lambda f: (f / "weights.safetensors").write_bytes(b"y" * 100),
        lambda f: (f / "weights.safetensors").unlink(),
        lambda f: (f / "more").write_bytes(b""),
        lambda f: (f / "other").write_bytes(b"x" * 100) and (f / "other").replace(f / "weights.safetensors"),
    ],
    ids=["written", "removed", "added", "replaced by the same bytes"],
)
def test_a_folder_that_changes_while_it_is_read_is_noticed(folder: Path, change) -> None:
    found = read(folder)
    change(folder)
    with pytest.raises(Refused, match="changed while it was verified"):
        found.require_unchanged()
