"""Search for many sequences of words at once, in time linear in the text and the sequences.

Algorithm of Aho and Corasick, "Efficient string matching: an aid to bibliographic search" (1975), with words instead of
letters. A regular expression with alternatives would try each alternative at each word.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence


class AhoCorasick:
    def __init__(self, sequences: Iterable[Sequence[str]]) -> None:
        self._next: list[dict[str, int]] = [{}]
        self._ending: list[int | None] = [None]
        """Index of the longest sequence that ends in each state; None if there is none."""
        for place, sequence in enumerate(sequences):
            self._add(place, sequence)
        self._shorter = [0] * len(self._next)
        """Failure link of each state: the state of its longest proper suffix that is a prefix of a sequence."""
        self._link()

    def find_matches(self, words: Iterable[str]) -> Iterator[tuple[int, int]]:
        """Yield the index of each word at which a sequence ends, and the index of the longest such sequence."""
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
