"""OpenSSH's agent with keys whose use the owner must confirm each time (`ssh-add -c`); a test gives the answers."""

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
        return {ssh_agent.SOCKET_VARIABLE: str(self._place)}

    def take(self, key: Path) -> None:
        """Add a private key to the agent and delete its file."""
        subprocess.run(["ssh-add", "-q", "-c", key], env=os.environ | self.environment, check=True, capture_output=True)
        key.unlink()

    def asked(self) -> str:
        """Wait until the agent asks its owner, and return the question."""
        place = self._folder / "asked"
        # The file is created before it is written, so it may be empty.
        return wait_until(lambda: place.read_text() if place.exists() else "", "the agent to ask its owner")

    def answer(self, text: str) -> None:
        """Answer this question and all later ones."""
        (self._folder / "new").write_text(text)
        (self._folder / "new").replace(self._folder / "answer")


@contextmanager
def started(folder: Path) -> Iterator[AskingAgent]:
    folder.mkdir(parents=True)
    script, place = folder / "askpass", Path(f"/tmp/hallmark-asking-{os.getpid()}")  # socket paths must be short
    script.write_text(ASKPASS.format(folder=folder))
    script.chmod(0o700)
    environment = os.environ | {"SSH_ASKPASS": str(script), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"}
    process = subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(place)], stdout=subprocess.PIPE, text=True, env=environment
    )
    process.stdout.readline()  # type: ignore[union-attr]  # the agent listens before it prints the socket's path
    agent = AskingAgent(folder, place)
    try:
        yield agent
    finally:
        agent.answer("no")
        process.terminate()
        process.communicate()
        place.unlink(missing_ok=True)
