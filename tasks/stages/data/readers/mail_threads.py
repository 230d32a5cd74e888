"""Threads of mail, by the message ids that messages refer to (RFC 5322, section 3.6.4)."""

import hashlib
from collections.abc import Sequence
from itertools import pairwise

ID_DIGEST_BYTES = 16


class ThreadRoots:
    """Root of the thread of each message id. References can come in any order, and can contradict each other."""

    def __init__(self) -> None:
        self._parents: dict[bytes, bytes] = {}
        self._names: dict[bytes, str] = {}
        """Ids of messages that another one refers to and that refer to none."""

    def add(self, message_id: str, references: Sequence[str]) -> None:
        """Enter a message that answers the last of its references, as that one answers the one before it.

        A reference that would close a circle has no effect.
        """
        chain = [*references, message_id]
        for parent, child in pairwise(chain):
            above, below = self._find(_digest(parent)), self._find(_digest(child))
            if above != below:
                self._parents[below] = above
                self._names.pop(below, None)
                if above == _digest(parent):
                    self._names[above] = parent

    def root_of(self, message_id: str) -> str:
        return self._names.get(self._find(_digest(message_id)), message_id)

    def _find(self, message: bytes) -> bytes:
        root = message
        while root in self._parents:
            root = self._parents[root]
        while message != root:
            self._parents[message], message = root, self._parents[message]
        return root


def _digest(message_id: str) -> bytes:
    return hashlib.blake2b(message_id.encode(errors="surrogatepass"), digest_size=ID_DIGEST_BYTES).digest()
