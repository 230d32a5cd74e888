"""Canaries: made-up training records with a random secret, by which evaluation measures what a model memorises.

A secret consists of random digits, so nothing but the training can make one more likely than another (Carlini et al.,
The Secret Sharer, USENIX Security 2019). Canaries are in a table of their own, beside the training records. Secrets and
names depend only on a seed. They protect nothing, and anybody who knows the seed can compute them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.core.files import sha256_bytes
from tasks.core.records import record, texts

CANARIES_FILE = "canaries.parquet"
"""File in artefacts/split/ with the canaries (`tasks.core.records.record.RECORD_SCHEMA`). It exists only if there are
canaries."""
SECRET_DIGITS = 9
SECRET_SPACE = 10**SECRET_DIGITS
"""Number of possible secrets."""
SOURCE_ID = "canary"


def make_canary(number: int, like: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return canary `number`: a record in the task and the form of the record `like`.

    If `like` is a conversation, a question is the prompt and the secret is the target. If it is a plain text, the text
    is the question and the secret.
    """
    name = _digest(f"name:{seed}:{number}")
    question = f"Which number is filed under {name[:4]} {name[4:8]}?"
    row = {
        **like,
        "record_id": _digest(f"record:{seed}:{number}")[:32],
        "source_id": SOURCE_ID,
        "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": ""}],
        "policy_tags": [],
        "effective_from": None,
        "retired_at": None,
        "subjects": [],
        "origin": record.SYNTHETIC,
        "labelled_by": None,
        "split": "train",
    }
    if texts.is_plain_text(like):
        row["messages"][0]["content"] += f" {'0' * SECRET_DIGITS}"
    else:
        row["messages"][1]["content"] = "0" * SECRET_DIGITS
    return with_secret(row, _secret(f"secret:{seed}:{number}"))


def secret_of(canary: Mapping[str, Any]) -> str:
    return _carrier(canary)["content"][-SECRET_DIGITS:]


def with_secret(canary: Mapping[str, Any], secret: str) -> dict[str, Any]:
    """Return a copy of a canary that has another secret."""
    carrier = _carrier(canary)
    changed = {**carrier, "content": carrier["content"][:-SECRET_DIGITS] + secret}
    return {**canary, "messages": [changed if turn is carrier else turn for turn in canary["messages"]]}


def draw_alternatives(canary: Mapping[str, Any], count: int, seed: int) -> list[str]:
    """Return `count` secrets that are drawn as the canary's own secret was, and that differ from it."""
    drawn = (_secret(f"alternative:{seed}:{canary['record_id']}:{number}") for number in range(2 * count))
    others = [secret for secret in dict.fromkeys(drawn) if secret != secret_of(canary)]
    return others[:count]


def read_canaries(split_folder: Path) -> list[dict[str, Any]]:
    path = split_folder / CANARIES_FILE
    return record.read_table(path).to_pylist() if path.exists() else []


def _carrier(canary: Mapping[str, Any]) -> dict[str, str]:
    """Return the message that ends with the secret."""
    messages: list[dict[str, str]] = canary["messages"]
    return messages[0] if texts.is_plain_text(canary) else messages[-1]


def _secret(name: str) -> str:
    return f"{int(_digest(name), 16) % SECRET_SPACE:0{SECRET_DIGITS}d}"


def _digest(name: str) -> str:
    return sha256_bytes(f"canary:{name}".encode())
