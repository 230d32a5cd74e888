"""Many sequences of words, looked for together: in time linear in text and sequences, whatever they are.

Aho and Corasick, "Efficient string matching: an aid to bibliographic search" (1975), over words in place of letters.
One pattern of alternatives would try each of them at each word.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence


class Finder:
    def __init__(self, sequences: Iterable[Sequence[str]]) -> None:
        self._next: list[dict[str, int]] = [{}]
        self._ending: list[int | None] = [None]
        """By state, the place of the longest sequence that ends there."""
        for place, sequence in enumerate(sequences):
            self._add(place, sequence)
        self._shorter = [0] * len(self._next)
        """By state, the one of the longest beginning of a sequence that ends there too."""
        self._link()

    def ends(self, words: Iterable[str]) -> Iterator[tuple[int, int]]:
        """Each word at which a sequence ends: its place, and the place of the longest of these sequences."""
        state = 0
        for place, word in enumerate(words):
            state = self._step(state, word)
            if (sequence := self._ending[state]) is not None:
                yield place, sequence

    def _add(self, place: int, sequence: Sequence[str]) -> None:
        state = 0
        for word in sequence:
            if word not in self._next[state]:
                self._next[state][word] = len(self._next)
                self._next.append({})
                self._ending.append(None)
            state = self._next[state][word]
        if state:
            self._ending[state] = place

    def _link(self) -> None:
        left = deque(self._next[0].values())
        while left:
            state = left.popleft()
            for word, behind in self._next[state].items():
                self._shorter[behind] = shorter = self._step(self._shorter[state], word)
                if self._ending[behind] is None:
                    self._ending[behind] = self._ending[shorter]
                left.append(behind)

    def _step(self, state: int, word: str) -> int:
        while state and word not in self._next[state]:
            state = self._shorter[state]
        return self._next[state].get(word, 0)
