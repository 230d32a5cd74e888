"""Groups of similar records, and the verdicts on them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from tasks.core.params.data import JACCARD_MARGIN, NearDuplicates
from tasks.stages.data.deduplicate import prompt_analysis
from tasks.stages.data.deduplicate.group_records import GroupRecord, SimilarPrompts
from tasks.stages.data.deduplicate.prompt_analysis import PromptColumns
from tasks.stages.data.deduplicate.record_columns import NO_DOCUMENT, RecordColumns
from tasks.stages.data.deduplicate.similarity.groups import connected_components
from tasks.stages.data.deduplicate.similarity.pairs import NearPairs, find_near_pairs
from tasks.stages.data.deduplicate.verdicts import Verdict, judge_group


@dataclass(frozen=True)
class Neighbours:
    records: RecordColumns
    preference_order: np.ndarray
    """Positions of the records that are compared, in order of preference."""
    near_pairs: NearPairs
    """Pairs of normalised prompts with a Jaccard similarity of at least `thresholds.jaccard - JACCARD_MARGIN`, and of
    short prompts that differ only in typos."""
    thresholds: NearDuplicates

    @property
    def near_identical_pairs(self) -> np.ndarray:
        return self.near_pairs.pairs[self.near_pairs.jaccards >= self.thresholds.jaccard]

    def judge_records(self, path: Path, edition_words: Sequence[str], winners: np.ndarray) -> list[Verdict]:
        """Return a verdict on each record that is removed, or that is kept although it contradicts a kept record.

        Args:
            path: Parquet file of the records.
            edition_words: Words of the owner that state an edition.
            winners: Position of the record that represents each record (`duplicates.kept_record_positions`).
        """
        groups = list(self._connected_groups(self.preference_order, self.near_pairs.pairs))
        wanted = np.zeros(len(self.records), bool)
        wanted[[record for group in groups for record in group.tolist()]] = True
        analysed = prompt_analysis.analyse_prompts(path, wanted, edition_words)
        both_ways = np.concatenate((self.near_pairs.pairs, self.near_pairs.pairs[:, ::-1]))
        by_form = np.argsort(both_ways[:, 0], kind="stable")
        starts = np.searchsorted(both_ways[by_form, 0], np.arange(len(self.records.normalised_prompts) + 1))
        jaccards = np.tile(self.near_pairs.jaccards, 2)[by_form]
        nearness = SimilarPrompts(
            starts, both_ways[by_form, 1], jaccards, self.thresholds, analysed.texts, analysed.word_uses,
            self.near_pairs.corrected,
        )  # fmt: skip
        duplicates = self._duplicates_in_other_documents(winners)
        verdicts = list[Verdict]()
        for group in groups:
            items = self._group_records(group, analysed)
            twins = {
                item.record: [self._as_twin(item, position) for position in duplicates[item.record]]
                for item in items
                if item.record in duplicates
            }
            verdicts += judge_group(items, nearness, twins)
        return verdicts

    def _duplicates_in_other_documents(self, winners: np.ndarray) -> dict[int, list[int]]:
        """Return the positions of the exact duplicates that are of another document, by the record that is kept."""
        document = self.records.document
        found = np.flatnonzero((document != NO_DOCUMENT) & (document != document[winners]))
        by_winner: dict[int, list[int]] = {}
        for position in found.tolist():
            by_winner.setdefault(int(winners[position]), []).append(position)
        return by_winner

    def _as_twin(self, item: GroupRecord, position: int) -> GroupRecord:
        of = self.records
        return item._replace(
            authority=int(of.authority[position]),
            retired=bool(of.is_retired[position]),
            effective=int(of.effective_day[position]),
            version=int(of.edition_rank[position]),
            document=int(of.document[position]),
            marked=bool(of.states_edition[position] or of.dates_are_editions[position]),
        )

    def near_identical_groups(self, order: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the groups of at least two near-identical records among the positions `order`.

        Positions within a group are in the same order as in `order`.
        """
        return self._connected_groups(order, self.near_identical_pairs)

    def _connected_groups(self, order: np.ndarray, pairs: np.ndarray) -> Iterator[np.ndarray]:
        forms = self.records.normalised_prompt[order]
        present = np.zeros(len(self.records.normalised_prompts), bool)
        present[forms[forms >= 0]] = True
        pairs = pairs[present[pairs].all(axis=1)]
        with_form = order[forms >= 0]
        group = connected_components(len(present), pairs)[self.records.normalised_prompt[with_form]]
        by_group = np.argsort(group, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(group[by_group])) + 1, len(group))
        for begin, end in pairwise([0, *ends.tolist()]):
            if end - begin > 1:
                yield with_form[by_group[begin:end]]

    def _group_records(self, group: np.ndarray, said: PromptColumns) -> list[GroupRecord]:
        of = self.records
        columns = {
            "record": group, "rank": np.arange(len(group)), "authority": of.authority[group],
            "retired": of.is_retired[group], "effective": of.effective_day[group], "version": of.edition_rank[group],
            "document": of.document[group], "side": of.fixed_partition[group], "task": of.task[group],
            "target": of.target[group], "answer": of.target_id_without_values[group],
            "form": of.normalised_prompt[group], "content": said.content[group], "signature": said.signature[group],
            "people": said.people[group], "marked": of.states_edition[group] | of.dates_are_editions[group],
            "titled": said.prompt_states_edition[group] | of.dates_are_editions[group],
            "aside": of.quarantines_contradictions[group], "synthetic": of.is_synthetic[group],
        }  # fmt: skip
        return [
            GroupRecord(*item) for item in zip(*(columns[name].tolist() for name in GroupRecord._fields), strict=True)
        ]


def find_neighbours(records: RecordColumns, order: np.ndarray, near: NearDuplicates) -> Neighbours:
    forms = records.normalised_prompt[order]
    forms = forms[forms >= 0]
    distinct, first = np.unique(forms, return_index=True)
    by_preference = distinct[np.argsort(first, kind="stable")]
    return Neighbours(
        records, order, find_near_pairs(records.normalised_prompts, by_preference, near.jaccard - JACCARD_MARGIN), near
    )
