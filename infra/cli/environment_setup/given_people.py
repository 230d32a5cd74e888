"""People for a new environment from a file in the form of people.yaml, with keys as lines or as paths of files."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from tasks.core.documents import config, yaml_text
from tasks.core.errors import InputError
from tasks.core.files import read_bounded
from tasks.policy.people import People
from tasks.runs.requests.source_resolution import PRIVATE_KEY_HEADER_PATTERN
from tasks.trust import keys

KEY_LINE_PATTERN = re.compile(r"(ssh|sk|ecdsa)-[\w@.-]+\s+\S")
"""Beginning of OpenSSH public key lines, also of types that Hallmark refuses. Any other text is a path."""
MAX_KEY_BYTES = 1 << 16


def read_people(path: Path) -> Any:
    """Read people from a file: a list of people, or a mapping with `people` and optionally `machines`.

    Returns:
        Document of ruamel's round-trip parser in the form of people.yaml, in which all keys are public key lines.

    Raises:
        InputError: The file or a key is not valid. The message lists every error of the file with its line.
    """
    document = yaml_text.parse_with_limits(config.read_yaml_text(path), str(path))
    if isinstance(document, CommentedSeq):
        place = [document.lc.line, document.lc.col]
        document = CommentedMap(people=document)
        document.lc.add_kv_line_col("people", place * 2)
    if not isinstance(document, Mapping):
        raise InputError(f"{path}: expected a list of people in the form of people.yaml")
    for holder, held in _key_lists(document):
        for number, item in enumerate(held):
            if isinstance(item, str):
                held[number] = public_key_line(item, path.parent, f"{path}: key of {holder}")
            elif isinstance(item, CommentedMap) and isinstance(text := item.get("public_key"), str):
                item["public_key"] = public_key_line(text, path.parent, f"{path}: key of {holder}")
    config.validate_document(document, People, path)
    return document


def _key_lists(document: Any) -> Iterator[tuple[str, Any]]:
    """Yield the holder and the keys of each person and machine. Validation reports any other form."""
    people, machines = document.get("people"), document.get("machines")
    for person in people if isinstance(people, list) else []:
        if isinstance(person, Mapping) and isinstance(person.get("keys"), list):
            yield str(person.get("id")), person["keys"]
    for name, machine in machines.items() if isinstance(machines, Mapping) else []:
        if isinstance(machine, Mapping) and isinstance(machine.get("keys"), list):
            yield str(name), machine["keys"]


def public_key_line(given: str, folder: Path, subject: str) -> str:
    """Return a public key line, which is given itself or as the path of a file. No private key is ever shown.

    Args:
        given: Public key line, or path of a file with one.
        folder: Folder to which relative paths are relative.
        subject: Start of error messages, such as `the key of ada`.

    Raises:
        InputError: There is no public key, or there is a private one.
    """
    text = given.strip()
    if PRIVATE_KEY_HEADER_PATTERN.match(text.encode(errors="replace")):
        raise _private_key_error(subject, "this")
    if not KEY_LINE_PATTERN.match(text):
        try:
            path = folder / Path(text).expanduser()
        except RuntimeError:
            raise InputError(f"{subject}: {text}: there is no such user; write the whole path") from None
        text, subject = _key_file_text(path, subject), f"{subject}: {path}"
    try:
        keys.fingerprint(text)
    except InputError:
        raise InputError(
            f"{subject}: expected one OpenSSH public key line of type ssh-ed25519, or of a key in hardware; such a "
            "line is in the .pub file that `ssh-keygen -t ed25519` leaves"
        ) from None
    return text


def _key_file_text(path: Path, subject: str) -> str:
    try:
        content = read_bounded(path, MAX_KEY_BYTES)
        if PRIVATE_KEY_HEADER_PATTERN.match(content):
            raise _private_key_error(subject, str(path))
        return content.decode("utf-8").strip()
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or error
        raise InputError(f"{subject}: {path}: no public key can be read here ({told})") from None


def _private_key_error(subject: str, what: str) -> InputError:
    return InputError(
        f"{subject}: {what} is a private key, which stays with its owner; give the .pub beside it. If others have had "
        "it, make another key"
    )
