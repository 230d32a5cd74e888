"""Keyed pseudonyms of annotators, and ids of the items of a round.

Both are keyed digests, so nobody without the vault's key can find the name behind a pseudonym by trying names. A person
has the same pseudonym in all rounds of an installation.
"""

import base64
import hmac
import secrets
import unicodedata

ID_CHARS = 12
SALT_BYTES = 16


def make_pseudonym(name: str, external: bool, key: bytes) -> str:
    """Return the pseudonym of a person.

    Args:
        name: Id in people.yaml, or name of an external. Case and spaces in the name of an external are ignored.
        external: Whether the person is not in people.yaml.
        key: Key `annotators` of the vault (tasks/sources/vault_keys.py).
    """
    spelling = comparable_name(name) if external else name
    return f"a-{_keyed_id('external' if external else 'person', spelling, key)}"


def comparable_name(name: str) -> str:
    """Return a name in the spelling in which names are compared: without case and without further spaces."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def make_salt() -> str:
    return secrets.token_hex(SALT_BYTES)


def make_item_id(round_id: str, place: str, key: bytes) -> str:
    """Return the id of an item, which does not show whether the item is a gold example.

    Args:
        round_id: Id of the round.
        place: Text that identifies the item in the round, such as the id of a record.
        key: Key `annotators` of the vault.
    """
    return f"i-{_keyed_id(f'item {round_id}', place, key)}"


def _keyed_id(purpose: str, text: str, key: bytes) -> str:
    digest = hmac.digest(key, f"{purpose}\n{text}".encode(), "sha256")
    return base64.b32encode(digest)[:ID_CHARS].decode().lower()
