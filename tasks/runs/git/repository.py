"""Git commands that runs need: commits, worktrees and refs, without changes of the user's branch, index and files.

The checkout's git does not know of a run's worktree. `ID/.git` names the folder `ID.git` next to it, which has its own
HEAD and index and refers to the checkout's objects and refs by a relative path. A copied checkout therefore has its own
runs, and git never prunes them. `git worktree add` would write absolute paths, by which git in a copied checkout
changes and deletes the worktrees of the original; and git before 2.48 cannot read relative paths.
"""

import hashlib
import os
import posixpath
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tasks.core.errors import InputError, Unavailable
from tasks.core.escaping import escape_hidden, escape_to_one_line
from tasks.core.local_remotes import push_options
from tasks.core.machine.transfers import run_transfer

IGNORED_CHANGES = ("dvc.lock",)
"""Files that do not count as uncommitted changes, because manual use of DVC leaves them in a checkout."""


REMOTE_ACCESS_VARIABLES = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS")
"""Environment variables that git needs for access to a remote. Other GIT_* variables of the caller are not passed
on."""

GIT_COMMAND = ("git", "--no-replace-objects", "-c", "core.hooksPath=/dev/null", "-c", "commit.gpgsign=false")
BLOCK_BYTES = 1024**2
REFS_OF_NAME = ("refs/{}", "refs/tags/{}", "refs/heads/{}", "refs/remotes/{}", "refs/remotes/{}/HEAD")
"""Patterns of the refs that git tries for a short name, in this order. Git uses the first that exists. If none exists,
git reads the name as an abbreviated commit id."""


@dataclass(frozen=True)
class BlobContent:
    sha256: str
    first_block: bytes
    """First mebibyte of the content; for a link, its whole target."""


@dataclass(frozen=True)
class Repository:
    root: Path

    @staticmethod
    def open(root: Path) -> "Repository":
        """Open the git clone at `root`.

        Raises:
            InputError: `root` is not the top folder of a git clone with at least one commit.
        """
        repository = Repository(root.resolve())
        try:
            top = repository.run_git("rev-parse", "--show-toplevel")
            repository.run_git("rev-parse", "--verify", "HEAD^{commit}")
        except Unavailable:
            raise InputError(
                f"{root} is not a git clone with a commit; a run is made from committed code. Clone the project, or "
                "here: git init && git add -A && git commit -m start"
            ) from None
        if Path(top).resolve() != repository.root:
            raise InputError(f"{root} is inside the git clone at {top}; start Hallmark there")
        return repository

    def run_git(self, *args: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run git and return its output without surrounding whitespace.

        Raises:
            Unavailable: Git failed; its message is included.
        """
        return self.run_git_bytes(*args, cwd=cwd, env=env).decode(errors="surrogateescape").strip()

    def run_git_bytes(
        self, *args: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, stdin: bytes = b""
    ) -> bytes:
        """Run git with `stdin` as standard input and return its output as bytes.

        Raises:
            Unavailable: Git failed; its message is included.
        """
        try:
            done = subprocess.run(
                [*GIT_COMMAND, *args], cwd=cwd or self.root, env=_git_environment() | dict(env or {}),
                capture_output=True, check=False, input=stdin,
            )  # fmt: skip
        except FileNotFoundError:
            raise Unavailable("git is not installed; install it and try again") from None
        _require_success(done, args[0])
        return done.stdout

    def _run_with_remote(self, *args: str) -> None:
        try:
            done = run_transfer(
                f"git {args[0]}", [*GIT_COMMAND, *args], self.root, _git_environment() | _remote_access_variables()
            )
        except FileNotFoundError:
            raise Unavailable("git is not installed; install it and try again") from None
        _require_success(done, args[0])

    def read_blobs(self, names: Iterable[str]) -> dict[str, BlobContent]:
        """Return the content of git objects by their names.

        Git reads all names from a file: an exchange for each of a thousand names took half of the time.

        Raises:
            Unavailable: An object is not in this clone.
        """
        wanted = list(dict.fromkeys(names))
        with tempfile.TemporaryFile() as asked:
            asked.write("".join(f"{name}\n" for name in wanted).encode())
            asked.seek(0)
            with subprocess.Popen(
                [*GIT_COMMAND, "cat-file", "--batch", "--buffer"], cwd=self.root, env=_git_environment(), stdin=asked,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            ) as batch:  # fmt: skip
                assert batch.stdout
                return {name: _read_object(batch.stdout, name) for name in wanted}

    def commit_id(self, revision: str) -> str:
        """Return the full commit id of a revision.

        Raises:
            InputError: The revision does not exist.
        """
        try:
            return self.run_git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
        except Unavailable:
            raise InputError(f"{revision!r} is not a commit of {self.root}") from None

    def require_unambiguous(self, revision: str) -> None:
        """Verify that a revision which a person typed names only one ref or commit.

        Anybody who can push can create a tag with the name of a branch or of an abbreviated commit id. Git would then
        use the tag.

        Raises:
            InputError: The revision is ambiguous.
        """
        name = re.split(r"[~^:]|@\{", revision, maxsplit=1)[0]
        if name in ("", "@", "HEAD") or re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", name):
            return
        candidates = [ref.format(name) for ref in REFS_OF_NAME]
        refs = self.run_git("for-each-ref", "--format=%(refname)", "--", name, *candidates).splitlines()
        found = [f"{ref} ({self.commit_id(ref)[:12]})" for ref in refs if ref in candidates]
        if abbreviated := re.search("(?:^|-g)([0-9a-fA-F]{4,})$", name):  # by itself, or as `git describe` writes it
            objects = self.run_git("rev-parse", f"--disambiguate={abbreviated[1]}").split()
            found += [each for each in objects if self.run_git("cat-file", "-t", each) in ("commit", "tag")]
        if len(found) > 1 and name not in refs:  # git takes a full name, such as refs/tags/x, first
            raise InputError(f"{name!r} names {' and '.join(found)}; give the whole id of the commit that you mean")

    def changed_files(self, before: str, now: str, paths: list[str]) -> list[str]:
        """Return the files that differ between two commits, as `git diff --name-status` lists them.

        Raises:
            InputError: A commit is not in this clone.
        """
        commits = [self.commit_id(before), self.commit_id(now)]
        changes = self.run_git("diff", "--name-status", "--no-renames", *commits, "--", *paths)
        return [line.replace("\t", " ") for line in changes.splitlines()]

    def has_file(self, commit: str, path: str) -> bool:
        try:
            return self.run_git("cat-file", "-t", f"{commit}:{path}") == "blob"
        except Unavailable:
            return False

    def blob_id(self, commit: str, path: str) -> str | None:
        """Return the git object id of a file in a commit; None if the commit has no such file.

        Symbolic links in the commit are followed, as on disk. `path` is relative to the root folder.
        """
        inside = posixpath.normpath(path)
        if posixpath.isabs(inside) or inside.split("/")[0] in ("", ".", "..") or {"\n", "\0"} & set(inside):
            return None
        asked = os.fsencode(f"{self.commit_id(commit)}:{inside}\n")
        found = (
            self.run_git_bytes("cat-file", "--batch-check", "--follow-symlinks", stdin=asked).split(b"\n")[0].split()
        )
        return found[0].decode() if len(found) == 3 and found[1] == b"blob" and found[2].isdigit() else None

    @contextmanager
    def open_blob(self, blob: str, temporary_folder: Path) -> Iterator[IO[bytes]]:
        """Yield a temporary file with the content of a git object.

        Args:
            blob: Id of the git object.
            temporary_folder: Folder for the temporary file.

        Raises:
            Unavailable: The clone lacks the object.
        """
        with tempfile.TemporaryFile(dir=temporary_folder) as file:
            done = subprocess.run(
                [*GIT_COMMAND, "cat-file", "blob", blob], cwd=self.root, env=_git_environment(), stdout=file,
                stderr=subprocess.DEVNULL, check=False,
            )  # fmt: skip
            if done.returncode:
                raise Unavailable(f"this clone lacks {blob}, which a commit of it holds; fetch it again")
            file.seek(0)
            yield file

    def differs_on_disk(self, commit: str, path: str) -> bool:
        blob = self.blob_id(commit, path)
        file = self.root / path
        return blob is not None and not (file.is_file() and self._blob_id_on_disk(file) == blob)

    def _blob_id_on_disk(self, file: Path) -> str:
        return self.run_git("hash-object", "--no-filters", "--", str(file))

    def uncommitted_changes(self) -> list[str]:
        lines = self.run_git("status", "--porcelain", "--untracked-files=all").splitlines()
        return [line for line in lines if line[2:].strip() not in IGNORED_CHANGES]

    def commit_snapshot(self) -> str:
        """Create a commit of the checkout with its uncommitted changes, and return its id.

        The index, the branch and the files are not changed.
        """
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self.run_git("read-tree", "HEAD", env=index)
            self.run_git("add", "--all", "--", ".", *(f":!{name}" for name in IGNORED_CHANGES), env=index)
            tree = self.run_git("write-tree", env=index)
        return self.run_git("commit-tree", tree, "-p", "HEAD", "-m", "The checkout with its uncommitted changes")

    def add_worktree(self, path: Path, commit: str) -> None:
        """Create a detached worktree at `path`. Files that an interrupted call has left there are removed first."""
        apart = worktree_git_folder(path)
        for leftover in (path, apart):
            if leftover.exists():
                shutil.rmtree(leftover)
        apart.mkdir(parents=True)
        path.mkdir()
        shared = Path(self.root, self.run_git("rev-parse", "--git-common-dir"))
        (apart / "HEAD").write_text(self.commit_id(commit) + "\n")
        (apart / "commondir").write_text(os.path.relpath(shared.resolve(), apart.resolve()) + "\n")
        (path / ".git").write_text(f"gitdir: ../{apart.name}\n")
        self.run_git("reset", "--quiet", "--hard", cwd=path)

    def push_ref(self, remote: str, ref: str, replace: bool = False) -> None:
        """Push a ref to a remote under the same name.

        Args:
            remote: Name or URL of the remote.
            ref: Full name of the ref.
            replace: Whether to replace an existing ref.

        Raises:
            Unavailable: Git failed; its message is included.
        """
        options = push_options(self._url_of(remote))
        self._run_with_remote("push", *options, "--quiet", "--", remote, f"{'+' * replace}{ref}:{ref}")

    def _url_of(self, remote: str) -> str:
        try:
            return self.run_git("remote", "get-url", "--push", "--", remote)
        except Unavailable:  # it is no name of a remote
            return remote

    def fetch_branches(self, remote: str) -> None:
        """Fetch all branches of a remote. The branches of this clone are not changed.

        Raises:
            Unavailable: Git failed; its message is included.
        """
        self._run_with_remote("fetch", "--quiet", "--no-tags", "--", remote, "+refs/heads/*:refs/hallmark/fetched/*")

    def has_commit(self, commit: str) -> bool:
        try:
            return bool(self.commit_id(commit))
        except InputError:
            return False

    def fetch_ref(self, remote: str, ref: str) -> str:
        """Fetch a ref from a remote and return its commit id. The ref of that name in this clone is not changed.

        Raises:
            Unavailable: Git failed; its message is included.
        """
        fetched = f"refs/hallmark/fetched/{ref.rpartition('/')[2]}"
        self._run_with_remote("fetch", "--quiet", "--no-tags", "--", remote, f"+{ref}:{fetched}")
        return self.commit_id(fetched)

    def commit_paths(self, worktree: Path, paths: list[str], message: str, author: str) -> str:
        """Commit `paths` of a worktree, including ignored files, and return the commit id.

        If nothing has changed, the id of HEAD is returned. An existing index lock is removed. Only one process at a
        time uses a worktree, so a killed process must have left the lock.
        """
        Path(worktree, self.run_git("rev-parse", "--git-path", "index.lock", cwd=worktree)).unlink(missing_ok=True)
        present = [path for path in paths if (worktree / path).exists()]
        self.run_git("add", "--force", "--", *present, cwd=worktree)
        if self.run_git("status", "--porcelain", "--untracked-files=no", cwd=worktree):
            who = escape_to_one_line(author)
            identity = {"GIT_AUTHOR_NAME": who, "GIT_AUTHOR_EMAIL": f"{who}@hallmark.invalid"}
            self.run_git("commit", "--quiet", "-m", escape_hidden(message), cwd=worktree, env=identity)
        return self.run_git("rev-parse", "HEAD", cwd=worktree)


def _require_success(done: "subprocess.CompletedProcess[bytes]", command: str) -> None:
    if done.returncode:
        message = (done.stderr.strip() or done.stdout.strip()).decode(errors="replace")
        raise Unavailable(f"git {command} failed: {message}")


def _read_object(stream: IO[bytes], name: str) -> BlobContent:
    header = stream.readline().split()
    if len(header) != 3:
        raise Unavailable(f"this clone lacks {name}, which a commit of it holds; fetch it again")
    content = _read_content(stream, int(header[2]))
    stream.read(1)
    return content


def _read_content(stream: IO[bytes], byte_count: int) -> BlobContent:
    start = stream.read(min(byte_count, BLOCK_BYTES))
    digest, remaining = hashlib.sha256(start), byte_count - len(start)
    while remaining:
        if not (block := stream.read(min(remaining, BLOCK_BYTES))):
            raise Unavailable("git cat-file ended before its time; is the clone whole? `git fsck` says so")
        digest.update(block)
        remaining -= len(block)
    return BlobContent(digest.hexdigest(), start)


def _remote_access_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in REMOTE_ACCESS_VARIABLES} | {
        "GIT_TERMINAL_PROMPT": "0"
    }


def worktree_git_folder(worktree: Path) -> Path:
    return worktree.with_name(f"{worktree.name}.git")


def _git_environment() -> dict[str, str]:
    """Return git's environment variables: none that redirect git, and a default author and committer."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {
        "GIT_COMMITTER_NAME": "Hallmark",
        "GIT_COMMITTER_EMAIL": "hallmark@hallmark.invalid",
        "GIT_AUTHOR_NAME": "Hallmark",
        "GIT_AUTHOR_EMAIL": "hallmark@hallmark.invalid",
    }
