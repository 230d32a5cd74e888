"""Containers of the rendered chart, each started by its command with its own mounts, in bubblewrap."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.chart import Manifest
from tests.tiny_project import ROOT

needs_bubblewrap = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bwrap is not there, which takes a container's place"
)


def execute(container: Manifest, image: Path, volumes: Path, command: Sequence[str] = ()) -> str:
    """Execute a command in a container, by default the container's own, and return its output.

    Args:
        container: Container of a rendered pod.
        image: Folder that the image has at /srv/hallmark.
        volumes: Folder with a folder for each volume. Volumes that a container mounts are made if they are missing.
        command: Command that replaces the container's own.
    """
    shown = ["--ro-bind", "/", "/", "--tmpfs", "/srv", "--tmpfs", "/tmp", "--dev", "/dev", "--proc", "/proc"]
    mounts = ["--ro-bind", str(image), "/srv/hallmark"]
    for mount in sorted(container["volumeMounts"], key=lambda each: str(each["mountPath"])):
        place = volumes / mount["name"] / mount.get("subPath", "")
        if "subPath" not in mount:
            place.mkdir(exist_ok=True)
        mounts += ["--ro-bind" if mount.get("readOnly") else "--bind", str(place), mount["mountPath"]]
    mounts += ["--ro-bind", str(ROOT), str(ROOT)]  # last, since it may lie below a volume, such as /tmp
    done = subprocess.run(
        [
            *("bwrap", "--die-with-parent", "--unshare-user", "--uid", "10001", "--gid", "10001"),
            *("--unshare-net", "--unshare-pid", *shown, *mounts, "--chdir", container.get("workingDir", "/")),
            *(command or container["command"]),
        ],
        capture_output=True, text=True,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": "/tmp", "HOSTNAME": "pod"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
