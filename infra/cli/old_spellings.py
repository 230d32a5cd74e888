"""Earlier spellings of commands, which still work. A notice then names the current spelling."""

import shlex
import sys

CURRENT_SPELLINGS = {
    "console password": "console set-password",
    "data inventory": "data list",
    "data where": "data find",
    "ledger check": "ledger verify-proof",
    "params --check": "params check",
    "params --schema": "params schema",
    "releases at": "releases champion",
    "schedule run-now": "schedule run",
}


def replace_old_spelling(args: list[str]) -> list[str]:
    """Replace an earlier name of a command with its current one, and print a notice about it on stderr."""
    end = args.index("--") if "--" in args else len(args)
    rest, words = args[:end], args[end:]  # after `--` every word is an argument, whatever it begins with
    if rest[:1] == ["params"]:
        rest = [part for each in rest for part in (each.split("=", 1) if each.startswith("--") else [each])]
    old, new = _find_old_spelling(rest, len(words) > 1)
    if not old:
        return args
    for word in old.split():
        rest.remove(word)
    current = [*new.split(), *rest, *words]
    print(f"this spelling is deprecated; write: hallmark {shlex.join(current)}", file=sys.stderr)
    return current


def _find_old_spelling(args: list[str], has_later_arguments: bool) -> tuple[str, str]:
    for old, new in CURRENT_SPELLINGS.items():
        group, word = old.split()
        named = args[1:2]
        if word.startswith("-") and "".join(named).startswith("-"):  # else a current command has its own options
            named = args
        if args[:1] == [group] and word in named:
            return old, new
    if args[:1] == ["status"] and (has_later_arguments or _has_positional_argument(args[1:])):
        return "status", "runs show"
    if (
        args[:2] == ["ledger", "show"]
        and "--help" not in args
        and not (has_later_arguments or _has_positional_argument(args[2:]))
    ):
        return "ledger show", "ledger list"
    return "", ""


def _has_positional_argument(args: list[str]) -> bool:
    """Return whether there is a positional argument. Every option except --json and --help takes a value."""
    words = iter(args)
    for word in words:
        if not word.startswith("-"):
            return True
        if word not in ("--json", "--help") and "=" not in word:
            next(words, None)
    return False
