"""Pushes to a git repository in a folder of this machine, which runs no program that the folder names.

Git executes the hooks of such a repository as the user who pushes, and programs in its configuration. Whoever may write
to the folder could have them read that user's keys. Options of `git push` itself do not reach the other repository.
"""

RECEIVING_COMMAND = (
    "git -c core.hooksPath=/dev/null -c core.alternateRefsCommand=true "
    "-c gc.recentObjectsHook= -c receive.autogc=false receive-pack"
)
"""Command that receives a push, without the hooks and programs of its repository."""


def push_options(remote: str) -> list[str]:
    """Return the options of `git push` for a remote, given by its path or URL; none for another machine."""
    return [f"--receive-pack={RECEIVING_COMMAND}"] if is_local(remote) else []


def is_local(remote: str) -> bool:
    """Return whether a remote is a folder of this machine, by the rules of git.

    A colon before the first slash means another machine, as in `host:path`, and so does every URL but that of a file.
    """
    if remote.startswith("file://"):
        return True
    return "://" not in remote and ":" not in remote.partition("/")[0]
