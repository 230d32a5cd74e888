"""Git, as a run needs it: commits, worktrees and refs that leave the user's checkout and branch alone.

The checkout's git knows nothing of a run's worktree: `ID/.git` names `ID.git` beside it, which has a HEAD and an index,
and leads to the checkout's objects and refs by a relative path. So a copy of the checkout has runs of its own, and
nothing prunes them. `git worktree add` leaves absolute paths, by which git in a copy changes and deletes the original's
worktrees, and git before 2.48 cannot read relative ones.
"""

import hashlib
import os
import posixpath
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tasks.core.errors import InputError, Unavailable
from tasks.core.shown import one_line, visible

OWN = ("dvc.lock",)
"""Files that work by hand leaves in a checkout and that do not make it dirty."""


ACCESS = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS")
"""How git gets to a remote; every other GIT_* of the caller is kept from it."""

GIT = ("git", "--no-replace-objects", "-c", "core.hooksPath=/dev/null", "-c", "commit.gpgsign=false")
BLOCK = 1024**2


@dataclass(frozen=True)
class Content:
    sha256: str
    start: bytes
    """As much as is read at once; of a link all of it."""


@dataclass(frozen=True)
class Repository:
    root: Path
    """Top folder of the checkout."""

    @staticmethod
    def open(root: Path) -> "Repository":
        """Raises InputError where `root` is not the top of a git clone with at least one commit."""
        repository = Repository(root.resolve())
        try:
            top = repository.git("rev-parse", "--show-toplevel")
            repository.git("rev-parse", "--verify", "HEAD^{commit}")
        except Unavailable:
            raise InputError(
                f"{root} is not a git clone with a commit; a run is made from committed code. Clone the project, or "
                "here: git init && git add -A && git commit -m start"
            ) from None
        if Path(top).resolve() != repository.root:
            raise InputError(f"{root} is inside the git clone at {top}; start Hallmark there")
        return repository

    def git(self, *args: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run git and return its output, stripped. Raises Unavailable with git's own message."""
        return self.read(*args, cwd=cwd, env=env).decode(errors="surrogateescape").strip()

    def read(
        self, *args: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, given: bytes = b""
    ) -> bytes:
        """Run git with `given` on its standard input and return its output as it is. Raises Unavailable with git's own
        message."""
        try:
            done = subprocess.run(
                [*GIT, *args], cwd=cwd or self.root, env=_environment() | dict(env or {}), capture_output=True,
                check=False, input=given,
            )  # fmt: skip
        except FileNotFoundError:
            raise Unavailable("git is not installed; install it and try again") from None
        if done.returncode:
            message = (done.stderr.strip() or done.stdout.strip()).decode(errors="replace")
            raise Unavailable(f"git {args[0]} failed: {message}")
        return done.stdout

    def contents(self, names: Iterable[str]) -> dict[str, Content]:
        """SHA-256 and beginning of what git keeps under each name (`git cat-file`), read in blocks.

        Raises Unavailable where the clone does not hold one.
        """
        contents = {}
        with subprocess.Popen(
            [*GIT, "cat-file", "--batch"], cwd=self.root, env=_environment(), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        ) as batch:  # fmt: skip
            assert batch.stdin and batch.stdout
            for name in dict.fromkeys(names):
                batch.stdin.write(f"{name}\n".encode())
                batch.stdin.flush()
                header = batch.stdout.readline().split()
                if len(header) != 3:
                    raise Unavailable(f"this clone lacks {name}, which a commit of it holds; fetch it again")
                contents[name] = _content(batch.stdout, int(header[2]))
                batch.stdout.read(1)
        return contents

    def commit_of(self, revision: str) -> str:
        """The full commit id of a revision. Raises InputError for one that is not there."""
        try:
            return self.git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
        except Unavailable:
            raise InputError(f"{revision!r} is not a commit of {self.root}") from None

    def changed_between(self, before: str, now: str, paths: list[str]) -> list[str]:
        """Files that differ between two commits, as `git diff --name-status` has them. Raises InputError for a commit
        that is not here."""
        commits = [self.commit_of(before), self.commit_of(now)]
        changes = self.git("diff", "--name-status", "--no-renames", *commits, "--", *paths)
        return [line.replace("\t", " ") for line in changes.splitlines()]

    def holds(self, commit: str, path: str) -> bool:
        """Whether a commit holds a file at `path`, which starts at the top folder."""
        try:
            return self.git("cat-file", "-t", f"{commit}:{path}") == "blob"
        except Unavailable:
            return False

    def blob(self, commit: str, path: str) -> str | None:
        """The name under which git keeps the content of a file of a commit; None if the commit holds no such file.

        Links in the commit are followed, as they are on disk. `path` starts at the top folder.
        """
        inside = posixpath.normpath(path)
        if posixpath.isabs(inside) or inside.split("/")[0] in ("", ".", "..") or {"\n", "\0"} & set(inside):
            return None
        asked = os.fsencode(f"{self.commit_of(commit)}:{inside}\n")
        found = self.read("cat-file", "--batch-check", "--follow-symlinks", given=asked).split(b"\n")[0].split()
        return found[0].decode() if len(found) == 3 and found[1] == b"blob" and found[2].isdigit() else None

    @contextmanager
    def opened(self, blob: str, aside: Path) -> Iterator[IO[bytes]]:
        """The content that git keeps under a name, as a file without a name in the folder `aside`.

        Raises Unavailable if the clone does not hold it.
        """
        with tempfile.TemporaryFile(dir=aside) as file:
            done = subprocess.run(
                [*GIT, "cat-file", "blob", blob], cwd=self.root, env=_environment(), stdout=file,
                stderr=subprocess.DEVNULL, check=False,
            )  # fmt: skip
            if done.returncode:
                raise Unavailable(f"this clone lacks {blob}, which a commit of it holds; fetch it again")
            file.seek(0)
            yield file

    def differs_on_disk(self, commit: str, path: str) -> bool:
        """Whether a commit holds a file at `path`, and the checkout has another one there, or none."""
        blob = self.blob(commit, path)
        file = self.root / path
        return blob is not None and not (file.is_file() and self._name_of(file) == blob)

    def _name_of(self, file: Path) -> str:
        """The name under which git would keep what a file holds."""
        return self.git("hash-object", "--no-filters", "--", str(file))

    def changes(self) -> list[str]:
        """Paths that differ from HEAD or that git does not track, as `git status` shows them."""
        lines = self.git("status", "--porcelain", "--untracked-files=all").splitlines()
        return [line for line in lines if line[2:].strip() not in OWN]

    def snapshot(self) -> str:
        """Commit the checkout as it stands, uncommitted changes included, without touching index, branch or files."""
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self.git("read-tree", "HEAD", env=index)
            self.git("add", "--all", "--", ".", *(f":!{name}" for name in OWN), env=index)
            tree = self.git("write-tree", env=index)
        return self.git("commit-tree", tree, "-p", "HEAD", "-m", "The checkout with its uncommitted changes")

    def add_worktree(self, path: Path, commit: str) -> None:
        """A detached worktree at `path`, in place of what an interruption left there."""
        apart = worktree_git(path)
        for left in (path, apart):
            if left.exists():
                shutil.rmtree(left)
        apart.mkdir(parents=True)
        path.mkdir()
        shared = Path(self.root, self.git("rev-parse", "--git-common-dir"))
        (apart / "HEAD").write_text(self.commit_of(commit) + "\n")
        (apart / "commondir").write_text(os.path.relpath(shared.resolve(), apart.resolve()) + "\n")
        (path / ".git").write_text(f"gitdir: ../{apart.name}\n")
        self.git("reset", "--quiet", "--hard", cwd=path)

    def push(self, remote: str, ref: str, over: bool = False) -> None:
        """Push a ref to the same name at a remote, `over` in place of whatever is there. Raises Unavailable with git's
        own message, rather than ask."""
        self.git("push", "--quiet", "--", remote, f"{'+' * over}{ref}:{ref}", env=_access())

    def fetch_branches(self, remote: str) -> None:
        """Have every commit of a remote's branches here; no branch or ref of this clone moves. Raises as `fetch`."""
        self.git("fetch", "--quiet", "--no-tags", "--", remote, "+refs/heads/*:refs/hallmark/fetched/*", env=_access())

    def knows(self, commit: str) -> bool:
        """Whether a commit is here."""
        try:
            return bool(self.commit_of(commit))
        except InputError:
            return False

    def fetch(self, remote: str, ref: str) -> str:
        """The commit of a ref at a remote, which is here then; the ref here stays. Raises Unavailable with git's own
        message, rather than ask."""
        fetched = f"refs/hallmark/fetched/{ref.rpartition('/')[2]}"
        self.git("fetch", "--quiet", "--no-tags", "--", remote, f"+{ref}:{fetched}", env=_access())
        return self.commit_of(fetched)

    def commit_all(self, worktree: Path, paths: list[str], message: str, author: str) -> str:
        """Commit `paths` of a worktree, ignored or not, and return the commit; HEAD where nothing changed.

        One process at a time works in a worktree, so a lock that lies there was left by one that was killed.
        """
        Path(worktree, self.git("rev-parse", "--git-path", "index.lock", cwd=worktree)).unlink(missing_ok=True)
        present = [path for path in paths if (worktree / path).exists()]
        self.git("add", "--force", "--", *present, cwd=worktree)
        if self.git("status", "--porcelain", "--untracked-files=no", cwd=worktree):
            who = one_line(author)
            identity = {"GIT_AUTHOR_NAME": who, "GIT_AUTHOR_EMAIL": f"{who}@hallmark.invalid"}
            self.git("commit", "--quiet", "-m", visible(message), cwd=worktree, env=identity)
        return self.git("rev-parse", "HEAD", cwd=worktree)


def _content(stream: IO[bytes], size: int) -> Content:
    start = stream.read(min(size, BLOCK))
    digest, left = hashlib.sha256(start), size - len(start)
    while left:
        if not (block := stream.read(min(left, BLOCK))):
            raise Unavailable("git cat-file ended before its time; is the clone whole? `git fsck` says so")
        digest.update(block)
        left -= len(block)
    return Content(digest.hexdigest(), start)


def _access() -> dict[str, str]:
    """How git gets to a remote, without a question to anybody."""
    return {name: value for name, value in os.environ.items() if name in ACCESS} | {"GIT_TERMINAL_PROMPT": "0"}


def worktree_git(worktree: Path) -> Path:
    """Where git keeps HEAD and index of a run's worktree."""
    return worktree.with_name(f"{worktree.name}.git")


def _environment() -> dict[str, str]:
    """The caller's environment without what would redirect git, with a committer for machines that have none."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {
        "GIT_COMMITTER_NAME": "Hallmark",
        "GIT_COMMITTER_EMAIL": "hallmark@hallmark.invalid",
        "GIT_AUTHOR_NAME": "Hallmark",
        "GIT_AUTHOR_EMAIL": "hallmark@hallmark.invalid",
    }
