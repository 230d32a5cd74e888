"""Heads as commits on `refs/hallmark/ledger` of a git remote. Each commit holds one head in the file head.json.

A bare clone of that ref is kept locally, so that each head is fetched once.
"""

import io
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tasks.core.errors import Refused, Unavailable
from tasks.core.files import sha256_bytes
from tasks.core.local_remotes import push_options
from tasks.ledger.head_files import MAX_HEAD_BYTES

HEADS_REF = "refs/hallmark/ledger"
HEAD_FILE = "head.json"
COMMIT_MESSAGE_PATTERN = re.compile(r"Ledger of ([0-9]{1,19}) entries")
MAX_SUBJECT_COLUMNS = 40
"""Number of columns to which `git log` shortens or pads a commit's subject. The subject of a head's commit has at most
37 characters."""
TIMEOUT_SECONDS = 60
MAX_PUSH_ATTEMPTS = 5
"""Maximum number of attempts to push. An attempt fails if another machine pushes at the same time."""
COMMIT_IDENTITY = {
    name: value for who in ("AUTHOR", "COMMITTER")
    for name, value in ((f"GIT_{who}_NAME", "Hallmark"), (f"GIT_{who}_EMAIL", "ledger@hallmark.invalid"))
}  # fmt: skip
ACCESS_VARIABLES = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS")
"""Environment variables for access to a remote. No other GIT_* variable of the caller is passed to git."""


class GitPlace:
    def __init__(self, url: str, kept: Path) -> None:
        self._url = url
        self._clone = kept / f"{sha256_bytes(url.encode())[:16]}.git"

    @property
    def name(self) -> str:
        return re.sub(r"(?<=://)[^/@]*@", "", self._url)

    def sizes(self) -> set[int]:
        self._update_clone()
        return set(self._commits_by_size())

    def read(self, sizes: set[int]) -> dict[int, bytes]:
        commits = self._commits_by_size()
        wanted = {size: commits[size] for size in sorted(sizes & commits.keys())}
        told = self._cat_files("--batch-check", wanted)
        heads = dict.fromkeys(wanted, b"")
        possible = {size: wanted[size] for size in wanted if _is_possible_head(told.readline().split())}
        answer = self._cat_files("--batch", possible)
        for size in possible:
            heads[size] = answer.read(int(answer.readline().split()[-1]))
            answer.readline()
        return heads

    def _cat_files(self, how: str, commits: Mapping[int, str]) -> io.BytesIO:
        asked = "".join(f"{commit}:{HEAD_FILE}\n" for commit in commits.values())
        return io.BytesIO(self._git("cat-file", how, stdin=asked.encode()))

    def add(self, heads: dict[int, bytes]) -> None:
        for last_try in [False] * (MAX_PUSH_ATTEMPTS - 1) + [True]:
            self._update_clone()
            tip, missing = (
                self._newest_commit(),
                {size: heads[size] for size in heads.keys() - self._commits_by_size().keys()},
            )
            for size, data in sorted(missing.items()):
                tip = self._commit(size, data, tip)
            try:
                if missing and tip:
                    self._git("push", *push_options(self._url), "--quiet", "--", self._url, f"{tip}:{HEADS_REF}")
                    self._git("update-ref", HEADS_REF, tip)
                return
            except Unavailable:  # for example since another machine pushed first; a push is never forced
                if last_try:
                    raise

    def _update_clone(self) -> None:
        """Update the local clone. Raises Refused if the remote's history is missing or was rewritten."""
        if not self._clone.exists():
            self._clone.parent.mkdir(parents=True, exist_ok=True)
            self._run("init", "--quiet", "--bare", str(self._clone), cwd=self._clone.parent)
        there = self._git("ls-remote", "--", self._url, HEADS_REF).decode().split()
        before = self._newest_commit()
        if not there:
            if before:
                raise Refused(f"{self.name}: {HEADS_REF} is gone, and its heads with it")
            return
        self._git("fetch", "--quiet", "--no-tags", "--", self._url, f"+{HEADS_REF}:refs/there")
        if before and self._git("rev-list", "-n", "1", before, "--not", "refs/there").strip():
            raise Refused(f"{self.name}: the history of {HEADS_REF} was rewritten; heads that were there are gone")
        self._git("update-ref", HEADS_REF, "refs/there")

    def _newest_commit(self) -> str | None:
        return self._git("for-each-ref", "--format=%(objectname)", HEADS_REF).decode().strip() or None

    def _commits_by_size(self) -> dict[int, str]:
        """Return the commit of each head by tree size. If a size has more than one commit, the first one counts."""
        if not self._newest_commit():
            return {}
        commits: dict[int, str] = {}
        shown = f"--format=%H %<({MAX_SUBJECT_COLUMNS},trunc)%s"
        for line in self._git("log", "--reverse", shown, HEADS_REF).decode(errors="replace").split("\n"):
            commit, _, subject = line.partition(" ")
            if matched := COMMIT_MESSAGE_PATTERN.fullmatch(subject.rstrip(" ")):
                commits.setdefault(int(matched[1]), commit)
        return commits

    def _commit(self, size: int, data: bytes, parent: str | None) -> str:
        blob = self._git("hash-object", "-w", "--stdin", stdin=data).decode().strip()
        tree = self._git("mktree", stdin=f"100644 blob {blob}\t{HEAD_FILE}\n".encode()).decode().strip()
        parents = ["-p", parent] if parent else []
        return self._git("commit-tree", tree, *parents, "-m", f"Ledger of {size} entries").decode().strip()

    def _git(self, *args: str, stdin: bytes = b"") -> bytes:
        return self._run(*args, cwd=self._clone, stdin=stdin)

    def _run(self, *args: str, cwd: Path, stdin: bytes = b"") -> bytes:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in ACCESS_VARIABLES
        }
        environment = kept | COMMIT_IDENTITY | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        try:
            done = subprocess.run(
                ["git", *args],
                cwd=cwd,
                env=environment,
                input=stdin,
                capture_output=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise Unavailable("git is not installed; install it and try again") from None
        except subprocess.TimeoutExpired:
            raise Unavailable(f"{self.name} did not answer within {TIMEOUT_SECONDS} s") from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").replace(self._url, self.name).strip()
            raise Unavailable(f"{self.name} cannot be used: git {args[0]} failed ({said})")
        return done.stdout


def _is_possible_head(header: Sequence[bytes]) -> bool:
    """Return whether an object can be a head, judged by its name, type and size as `git cat-file` prints them.

    The size is checked before the object is read, because a small pack can contain an object of gigabytes.
    """
    return len(header) == 3 and header[1] == b"blob" and int(header[2]) <= MAX_HEAD_BYTES
