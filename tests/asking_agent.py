"""OpenSSH's own agent, with keys that it uses only once its owner says yes (`ssh-add -c`), who takes their time."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.trust import ssh_agent
from tests.patience import wait_until

needs_ssh_agent = pytest.mark.skipif(shutil.which("ssh-agent") is None, reason="openssh-client is not installed")
ASKPASS = """#!/bin/sh
echo "$1" >> {folder}/asked
while [ ! -e {folder}/answer ]; do sleep 0.02; done
cat {folder}/answer
"""


class AskingAgent:
    def __init__(self, folder: Path, place: Path) -> None:
        self._folder, self._place = folder, place

    @property
    def environment(self) -> dict[str, str]:
        return {ssh_agent.SOCKET: str(self._place)}

    def take(self, key: Path) -> None:
        """Give the agent a key's file, and keep none."""
        subprocess.run(["ssh-add", "-q", "-c", key], env=os.environ | self.environment, check=True, capture_output=True)
        key.unlink()

    def asked(self) -> str:
        """Wait until the owner is asked something, and return the question."""
        place = self._folder / "asked"
        # The file is made first, and written then.
        return wait_until(lambda: place.read_text() if place.exists() else "", "the agent to ask its owner")

    def answer(self, text: str) -> None:
        """To this question and every one after."""
        (self._folder / "new").write_text(text)
        (self._folder / "new").replace(self._folder / "answer")


@contextmanager
def started(folder: Path) -> Iterator[AskingAgent]:
    folder.mkdir(parents=True)
    script, place = folder / "askpass", Path(f"/tmp/hallmark-asking-{os.getpid()}")  # a socket's path is a short one
    script.write_text(ASKPASS.format(folder=folder))
    script.chmod(0o700)
    environment = os.environ | {"SSH_ASKPASS": str(script), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"}
    process = subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(place)], stdout=subprocess.PIPE, text=True, env=environment
    )
    process.stdout.readline()  # type: ignore[union-attr]  # it listens before it says where
    agent = AskingAgent(folder, place)
    try:
        yield agent
    finally:
        agent.answer("no")
        process.terminate()
        process.communicate()
        place.unlink(missing_ok=True)
