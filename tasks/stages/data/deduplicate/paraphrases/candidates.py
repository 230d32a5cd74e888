"""Pairs of prompts that may ask the same in other words, and have different answers.

Two prompts of different answers that are near are mostly two questions. So likeness alone shows no pair. Two kinds do:

- An odd one out: other prompts have its answer, but it is much nearer to a prompt with another answer than to any of
  them. This is how a wrong label looks among many right ones.
- A couple: each is the nearest of the other, and much nearer to it than to prompts with a third answer. This is how two
  answers to one question look, if every question has an answer of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tasks.stages.data.deduplicate.paraphrases.nearest import nearest_neighbours
from tasks.stages.data.deduplicate.paraphrases.sentence_model import load_sentence_model
from tasks.stages.data.deduplicate.paraphrases.word_vectors import word_vectors
from tasks.stages.data.deduplicate.paraphrases.wording import Wording, may_ask_the_same, read_wording

MIN_LIKENESS = 0.6
"""Minimum cosine similarity of the two prompts."""
MIN_ODDNESS = 0.3
"""Minimum by which the likeness of a pair exceeds that of the odd one to the nearest prompt with its own answer."""
MIN_DISTINCTNESS = 0.2
"""Minimum by which the likeness of a couple exceeds .9 times the mean of both to their surroundings."""
SURROUNDINGS_WEIGHT = 0.45
SURROUNDING_PROMPTS = 3
"""Number of nearest prompts with a third answer that make the surroundings of a prompt."""
VOTERS, MIN_VOTES = 5, 4
"""Number of nearest prompts, and of those that must have the other answer, if none near has the odd one's answer."""
NEIGHBOURS = 32
"""Number of prompts, nearest by their words, among which a prompt's partner and surroundings are looked for."""
MIN_WORD_CONTRAST = 0.05
"""Minimum by which a prompt's likeness by words to one with another answer exceeds that to the nearest one with its own
answer, for it to be read by the sentence model. A prompt without its own answer near is always read."""
READ_OTHERS, READ_OWN = 3, 1
"""Number of nearest prompts with another answer, and with the same one, that are read with a shortlisted prompt."""
MIN_COMPARED = 20
"""Minimum number of prompts of a task in which pairs are looked for. Among fewer, nothing tells how alike two different
questions are there."""
MAX_TOKENS = 128
"""Maximum number of tokens of a prompt that is compared. The model was trained on texts of up to 128."""
MAX_COMPARED = 100_000
"""Maximum number of prompts that are compared with each other; the time grows with the square."""
MAX_READ = 20_000
"""Maximum number of prompts that the sentence model reads, about two minutes of one core."""


class Candidate(NamedTuple):
    first: int
    second: int
    likeness: float
    """Cosine similarity of the two prompts."""


@dataclass(frozen=True)
class Search:
    """Pairs that were found, and the number of prompts among which none was looked for."""

    candidates: list[Candidate]
    """Pairs of positions, the smaller first, most alike first."""
    not_compared: int
    """Number of prompts that are too long, or too many."""


def find_candidates(prompts: Sequence[str], answers: np.ndarray) -> Search:
    """Return the pairs of prompts that may ask the same and have different answers.

    Args:
        prompts: Prompts of one task. A prompt occurs once for each of its answers.
        answers: Id of the answer of each prompt.
    """
    model = load_sentence_model()
    ids = model.tokenise(prompts[:MAX_COMPARED])
    compared = np.array([place for place, each in enumerate(ids) if len(each) <= MAX_TOKENS], np.int64)
    own_ids = [ids[place] for place in compared.tolist()]
    if len(compared) < MIN_COMPARED or len(set(answers[compared].tolist())) < 2:
        return Search([], len(prompts) - len(compared))
    vectors = word_vectors([each[1:-1] for each in own_ids], model.token_embeddings)
    places, likeness = nearest_neighbours(vectors, NEIGHBOURS)
    shortlist = _shortlist(answers[compared], places, likeness)
    read = shortlist.read
    sentences = np.zeros((len(compared), model.token_embeddings.shape[1]), np.float32)
    sentences[read] = model.encode([own_ids[place] for place in read.tolist()])
    wordings = {place: read_wording(prompts[compared[place]]) for place in read.tolist()}
    found = _Judge(answers[compared], places, sentences, wordings).judge(shortlist.suspects.tolist())
    candidates = [Candidate(int(compared[a]), int(compared[b]), each) for (a, b), each in found.items()]
    candidates.sort(key=lambda each: (-each.likeness, each.first, each.second))
    return Search(candidates, len(prompts) - len(compared))


class _Shortlist(NamedTuple):
    suspects: np.ndarray
    """Positions of prompts that are nearer, by their words, to another answer than to their own."""
    read: np.ndarray
    """Positions of the suspects and of the prompts near them, in order."""


def _shortlist(answers: np.ndarray, places: np.ndarray, likeness: np.ndarray) -> _Shortlist:
    same = answers[places] == answers[:, None]
    to_other = np.where(same, -1, likeness).max(1, initial=-1)
    to_own = np.where(same, likeness, -1).max(1, initial=-1)
    suspects = np.flatnonzero(to_other - to_own >= MIN_WORD_CONTRAST)
    by_contrast = np.argsort(-(to_other - np.maximum(to_own, 0))[suspects], kind="stable")
    read = np.zeros(len(answers), bool)
    kept, count = [], 0
    for suspect in suspects[by_contrast].tolist():
        near, own = places[suspect], same[suspect]
        wanted = np.concatenate(([suspect], near[~own][:READ_OTHERS], near[own][:READ_OWN]))
        count += int((~read[wanted]).sum())
        if count > MAX_READ:
            break
        read[wanted] = True
        kept.append(suspect)
    return _Shortlist(np.sort(np.array(kept, np.int64)), np.flatnonzero(read))


@dataclass(frozen=True)
class _Judge:
    answers: np.ndarray
    places: np.ndarray
    """Positions of the nearest prompts of each prompt, by their words."""
    sentences: np.ndarray
    """Vector of each prompt that was read."""
    wordings: dict[int, Wording]
    """Wording of each prompt that was read."""

    def judge(self, suspects: Sequence[int]) -> dict[tuple[int, int], float]:
        """Return the likeness of each pair to show."""
        views = {suspect: self._view(suspect) for suspect in suspects}
        shown = dict[tuple[int, int], float]()
        for suspect, view in views.items():
            partner = self._partner(suspect, view)
            if partner is None:
                continue
            other, likeness = partner
            back = views.get(other) or self._view(other)
            if self._is_odd(suspect, view, other, likeness) or (
                self._partner(other, back) == (suspect, likeness) and self._is_couple(suspect, view, other, back)
            ):
                shown[min(suspect, other), max(suspect, other)] = round(likeness, 2)
        return shown

    def _view(self, prompt: int) -> "_View":
        """Return the prompts near a prompt that were read, nearest first."""
        near = np.array([place for place in self.places[prompt].tolist() if place in self.wordings], np.int64)
        likeness = np.round(self.sentences[near] @ self.sentences[prompt], 4)
        order = np.lexsort((near, -likeness))
        return _View(near[order], likeness[order])

    def _partner(self, prompt: int, view: "_View") -> tuple[int, float] | None:
        """Return the nearest prompt with another answer that may ask the same, with its likeness."""
        for other, likeness in zip(view.near.tolist(), view.likeness.tolist(), strict=True):
            if likeness < MIN_LIKENESS:
                return None
            if self.answers[other] != self.answers[prompt] and may_ask_the_same(
                self.wordings[prompt], self.wordings[other]
            ):
                return other, likeness
        return None

    def _is_odd(self, prompt: int, view: "_View", other: int, likeness: float) -> bool:
        near = self.answers[view.near]
        own = view.likeness[near == self.answers[prompt]]
        if len(own):
            return bool(likeness - own[0] >= MIN_ODDNESS)
        return bool((near[:VOTERS] == self.answers[other]).sum() >= MIN_VOTES)

    def _is_couple(self, prompt: int, view: "_View", other: int, back: "_View") -> bool:
        if self._has_own_answer_near(prompt, view) and self._has_own_answer_near(other, back):
            return False
        around = sum(self._surroundings(each, prompt, other) for each in (view, back))
        likeness = view.likeness[view.near == other][0]
        return bool(likeness - SURROUNDINGS_WEIGHT * around >= MIN_DISTINCTNESS)

    def _has_own_answer_near(self, prompt: int, view: "_View") -> bool:
        return bool((self.answers[view.near] == self.answers[prompt]).any())

    def _surroundings(self, view: "_View", prompt: int, other: int) -> float:
        third = ~np.isin(self.answers[view.near], (self.answers[prompt], self.answers[other]))
        near = view.likeness[third][:SURROUNDING_PROMPTS]
        return float(near.mean()) if len(near) else 0.0


class _View(NamedTuple):
    near: np.ndarray
    likeness: np.ndarray
