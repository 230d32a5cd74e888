"""Files that a stage sees in its sandbox: no name leads to what judges it, or to what another stage keeps."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.core import code_digest
from tasks.core.files import write_json
from tasks.core.graph import DVC_STAGES
from tasks.core.layout import EXPERIMENT_TIER, Layout
from tasks.supervise import shell
from tasks.supervise.open_files import open_files
from tasks.supervise.sandbox import Sandbox
from tests.boundary.stage_of import ROOT, a_run
from tests.sandbox import inside, make, needs_sandbox

pytestmark = needs_sandbox

IDENTITIES = """
import os
wanted, seen, found = WANTED, 0, []
names = {tuple(key): name for key, name in wanted}
places = ["/"]
while places:
    place = places.pop()
    try:
        entries = list(os.scandir(place))
    except OSError:
        continue
    for entry in entries:
        seen += 1
        try:
            it = entry.stat(follow_symlinks=False)
            followed = os.stat(entry.path) if entry.is_symlink() else it
        except OSError:
            continue
        found += [names[key] for key in ((it.st_dev, it.st_ino), (followed.st_dev, followed.st_ino)) if key in names]
        if entry.is_dir(follow_symlinks=False) and entry.path not in SKIPPED:
            places.append(entry.path)
found = [seen, sorted(set(found))]
"""


def reached(made: Any, state: Path, skipped: list[str]) -> tuple[int, set[str]]:
    """How many names the walk met, and which files of the state are among them, by device and inode: no name hides
    what a file is, and nothing has to be read for it."""
    files = {path.relative_to(state).as_posix(): path.stat() for path in state.rglob("*") if path.is_file()}
    wanted = [[[it.st_dev, it.st_ino], name] for name, it in files.items()]
    seen, found = inside(made, IDENTITIES.replace("WANTED", repr(wanted)).replace("SKIPPED", repr(skipped)))
    return seen, {name for name in found if not name.startswith(("runs/r1/", "boxes/"))}


def grown(folder: Path) -> Layout:
    """A run that has all inputs that the table of grants asks for."""
    layout = a_run(folder)
    for name, stage in DVC_STAGES.items():
        for item in stage.dependency_paths(name.partition("@")[2]):
            path = layout.root / item if "." in item else layout.root / item / "x"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("as it was")
    (layout.root / "data.csv").write_text("text,label\na,b\n")
    layout.params_path.write_text(f"data: {{}}\nuse_case: {{name: t}}\nbase_model: {{hub: a/b, sha256: {'0' * 64}}}\n")
    write_json(layout.champion_path, {"payload": "releases/a-1/payload"})
    write_json(layout.authority_path, {"tier": "low"})
    write_json(
        layout.sources_path,
        {
            "sources": [
                {
                    "source": {
                        "id": "m", "kind": "csv", "location": "data.csv", "owner": "o", "steward": "o",
                        "access": ["r"], "classification": "internal", "lawful_basis": "b", "licence": "l",
                        "retention_days": 1, "region": "eu", "refresh_days": 1, "approved_uses": ["t"],
                        "mapping": {"prompt": "text", "response": "label"}, "constants": {"task": "t"},
                    },
                    "sha256": "0" * 64, "bytes": 1,
                }
            ],
            "as_of": "2026-01-01", "vault": "x",
        },
    )  # fmt: skip
    (layout.root / "tasks").symlink_to(ROOT / "tasks")
    write_json(layout.stage_digests_path, code_digest.stage_digests(ROOT))
    (layout.root / "tasks").unlink()
    return layout


MAY = {
    "base_model": {"models/0/config.json"},
    "predict@base": {"releases/a-1/payload/x"},
}
"""Files of the state that a stage sees beside its own run; every `predict` and `probe` sees those of the champion."""


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A run that every stage reads and no stage changes."""
    return grown(tmp_path_factory.mktemp("grown"))


SYSTEM = ["/usr", "/opt", sys.prefix, sys.base_prefix]
"""Files of the machine and of Python, mounted for reading; nothing is mounted below them (`mounts`)."""


@pytest.mark.attack(rights="stage", stopped="a stage sees what its line in the table of grants names, and no more")
@pytest.mark.parametrize("stage", list(DVC_STAGES))
def test_no_path_of_a_stage_leads_to_what_another_keeps(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.setattr(shell.visible_files, "require_resolved_code", lambda *_: None)
    monkeypatch.setattr(shell.visible_files.code_digest, "stage_files", lambda *_: [])
    with open_files() as read:
        made = shell._make_sandbox(stage, layout, tmp_path / "place", read)
        _, found = reached(made, layout.state, ["/proc", "/sys", *SYSTEM])
    assert found == MAY.get("predict@base" if stage.startswith(("predict", "probe")) else stage, set())


@pytest.mark.attack(
    rights="stage", stopped="no stage sees a vault: neither that of governed runs nor that of experiments"
)
def test_no_path_of_an_experiment_leads_to_a_vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell.visible_files, "require_resolved_code", lambda *_: None)
    monkeypatch.setattr(shell.visible_files.code_digest, "stage_files", lambda *_: [])
    layout = grown(tmp_path / "grown")
    write_json(layout.authority_path, {"tier": EXPERIMENT_TIER})
    for name in ("keys/vault", "vault/vault.db"):
        (layout.run_state / name).parent.mkdir(parents=True)
        (layout.run_state / name).write_text("the experiments' own")
    with open_files() as read:
        made = shell._make_sandbox("ingest", layout, tmp_path / "place", read)
        _, found = reached(made, layout.state, ["/proc", "/sys", *SYSTEM])
    assert not found


@pytest.mark.attack(rights="stage", stopped="a stage sees what is mounted in its sandbox")
def test_no_path_at_all_leads_to_what_judges(layout: Layout, tmp_path: Path) -> None:
    """Every name in the sandbox is walked, those of all processes too, without the files of the system."""
    seen, found = reached(make(tmp_path / "box"), layout.state, SYSTEM)
    assert seen > 1_000 and not found


@pytest.mark.soak
@pytest.mark.attack(rights="stage", stopped="a stage sees what is mounted in its sandbox")
def test_no_path_of_the_system_leads_to_what_judges(layout: Layout, tmp_path: Path) -> None:
    seen, found = reached(make(tmp_path / "box"), layout.state, [])
    assert seen > 10_000 and not found


@pytest.fixture(scope="module")
def mounted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sandbox, dict[str, set[str]]]:
    """A sandbox, and the flags of every mount in it by its place."""
    made = make(tmp_path_factory.mktemp("mounted"))
    lines = inside(made, "found = open('/proc/self/mountinfo').read().splitlines()")
    return made, {line.split()[4]: set(line.split()[5].split(",")) for line in lines}


@pytest.mark.attack(rights="stage", stopped="nothing that is mounted for a stage gives rights or is a device")
@pytest.mark.parametrize("what", ["runs as its owner", "is a device", "is written"])
def test_what_is_mounted_gives_nothing(mounted: tuple[Sandbox, dict[str, set[str]]], what: str) -> None:
    made, mounts = mounted
    if what == "runs as its owner":
        assert all("nosuid" in flags for flags in mounts.values())
    elif what == "is a device":
        assert {place for place, flags in mounts.items() if "nodev" not in flags} <= {
            *(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "console", "pts")),
        }
    else:
        own = {"/tmp", str(Path.home()), str(made.root / "artefacts"), str(made.root / "measured")}
        system = {"/proc", *(place for place in mounts if place.startswith("/dev"))}
        assert {place for place, flags in mounts.items() if "rw" in flags} <= own | system


def test_nothing_is_mounted_below_the_system(mounted: tuple[Sandbox, dict[str, set[str]]]) -> None:
    """So a walk that leaves the system out leaves out nothing else."""
    below = [place for place in mounted[1] for system in SYSTEM if place.startswith(f"{system}/")]
    assert set(below) <= {
        str(place) for named in (sys.prefix, sys.base_prefix) for place in (Path(named).resolve(), named)
    }
