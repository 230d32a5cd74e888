"""A release is checked from its folder and the fingerprint of the root key."""

import os
import random
import resource
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tasks.core.errors import Unavailable
from tasks.registry.promote import releases
from tasks.registry.release import bundle
from tasks.registry.verify import verification
from tests.registry.house import House, copy


def test_an_outsider_needs_the_folder_and_the_root_alone(
    released: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = released.root_of_trust
    folder = copy(released.bundle(), tmp_path / "elsewhere" / "some name")
    shutil.rmtree(released.state)

    def no_network(*_: object) -> None:
        raise AssertionError("verification opened a socket")

    monkeypatch.setattr(socket, "socket", no_network)
    monkeypatch.chdir("/")
    checked = verification.verify_from_root(folder, root)
    assert checked.ok, checked.against
    told = " | ".join(check.text for check in checked.checks)
    for expected in (
        "the promotion statement of triage-1: statement 1 of triage in environment local",
        "files are those that the statement lists, and no other is there",
        "safetensors and JSON",
        "gate data passed on this very output: 2 checks, 0 waived",
        "gate release passed on this very output: policy asks no check there",
        "gate data was approved by owner as data-owner",
        "gate release was approved by risk-officer as risk",
        "made by run run-1 at commit c0ffeec0ffee, asked for by engineer",
    ):
        assert expected in told
    assert checked.model_dump(mode="json")["ok"] is True


def test_what_was_checked_ends_at_the_first_thing_wrong(released: House, folder: Path) -> None:
    (folder / "payload" / "README.md").write_text("better than it was")
    checked = releases.verify_release(folder, released.governance)
    assert [check.state for check in checked.checks] == ["ok", "ok", "no"]
    assert checked.against == "changed: payload/README.md"


def test_a_process_that_can_open_no_file_says_nothing_of_a_release(released: House) -> None:
    releases.verify_release(released.bundle(), released.governance)  # all that is imported with it is
    root = released.root_of_trust
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    try:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (max(int(each.name) for each in Path("/proc/self/fd").iterdir()) + 2, hard)
        )
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        with pytest.raises(Unavailable, match=r"Too many open files.*neither as valid nor as invalid"):
            releases.verify_release(released.bundle(), released.governance)
        with pytest.raises(Unavailable, match=r"Too many open files.*neither as valid nor as invalid"):
            verification.verify_from_root(released.bundle(), root)
    finally:
        for handle in taken:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("name", ["", "nowhere", "payload"])
def test_what_is_no_release_is_not_valid(house: House, name: str) -> None:
    (house.root / "payload").mkdir()
    checked = releases.verify_release(house.root / name, house.governance)
    assert not checked.ok and "promotion.json is missing" in checked.against


def test_no_single_changed_byte_passes(released: House, folder: Path) -> None:
    """A sample of every file's bytes; `make bench` flips thousands."""
    root = released.root_of_trust
    choose = random.Random(17)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        original = path.read_bytes()
        places = choose.sample(range(len(original)), min(len(original), 60 if path.name == "promotion.json" else 4))
        for place in places:
            changed = bytearray(original)
            changed[place] ^= 1 << choose.randrange(8)
            path.write_bytes(changed)
            checked = verification.verify_from_root(folder, root)
            assert not checked.ok, f"{path.relative_to(folder)}: byte {place} was changed and nobody noticed"
        path.write_bytes(original)
    assert verification.verify_from_root(folder, root).ok


def test_nothing_heavy_is_imported_to_verify_or_to_list() -> None:
    """MLflow takes seconds to import; a command that only reads signed statements does not wait for it."""
    code = (
        "import sys, tasks.registry.admit.admission\n"
        "import tasks.registry.promote.promotion, tasks.registry.promote.releases\n"
        "print([name for name in ('mlflow', 'torch', 'transformers', 'cyclonedx', 'huggingface_hub') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_files_in_a_bundle_are_read_only(released: House) -> None:
    modes = {path.stat().st_mode & 0o777 for path in released.bundle().rglob("*") if path.is_file()}
    assert modes == {0o444}
    assert (released.bundle() / bundle.PROMOTION_STATEMENT).exists()
