"""Rows as tokens in files: all of them, as they were, and only where nothing of what they were made of has changed."""

from pathlib import Path

import numpy as np
import pytest

from tasks.core.errors import Refused
from tasks.core.files import read_json, write_json
from tasks.core.records.rendering import Example
from tasks.stages.train.rows import examples
from tests.stages.train.conftest import ORIGIN, put_rows, rendered


def test_files_hold_every_row(tiny: Path, tmp_path: Path) -> None:
    made = rendered(tiny, 5)
    read = examples.map_examples(put_rows(tmp_path / "rows", made))
    assert len(read) == 5
    for number, example in enumerate(made):
        assert read.row_tokens(number).tolist() == example.tokens
        assert read.target_starts[number] == example.target_start
    lengths = [len(example.tokens) for example in made]
    assert read.row_lengths().tolist() == lengths
    assert read.row_lengths([3, 0]).tolist() == [lengths[3], lengths[0]]
    assert read.target_counts([4, 2]).tolist() == [len("loans") + 1, len("accounts") + 1]
    assert [row.tolist() for row in map(examples.examples_in_memory(made).row_tokens, range(5))] == [
        it.tokens for it in made
    ]


@pytest.mark.parametrize(("vocabulary", "width"), [(1 << 16, 2), ((1 << 16) + 1, 4)])
def test_a_token_takes_two_bytes_where_that_is_enough(tmp_path: Path, vocabulary: int, width: int) -> None:
    with examples.ExampleWriter(tmp_path, vocabulary) as writer:
        writer.add(Example([vocabulary - 1, 0, 7], 1))
        writer.finish(ORIGIN)
    assert (tmp_path / "tokens.bin").stat().st_size == 3 * width
    assert examples.map_examples(tmp_path).row_tokens(0).tolist() == [vocabulary - 1, 0, 7]


def test_memory_that_is_given_back_is_read_again(tiny: Path, tmp_path: Path) -> None:
    read = examples.map_examples(put_rows(tmp_path / "rows", rendered(tiny, 3)))
    before = read.row_tokens(2).copy()
    read.release_memory()
    assert np.array_equal(read.row_tokens(2), before)


@pytest.mark.parametrize("name", examples.EXAMPLE_FILES)
def test_a_byte_that_is_changed_is_noticed(tiny: Path, tmp_path: Path, name: str) -> None:
    folder = put_rows(tmp_path / "rows", rendered(tiny, 3), [1])
    examples.verify_example_files(folder, ORIGIN)
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(Refused, match=f"{name} is not as stage tokenise wrote it"):
        examples.verify_example_files(folder, ORIGIN)


@pytest.mark.parametrize("part", sorted(examples.ORIGIN_WORDS))
def test_tokens_of_something_else_are_refused(tiny: Path, tmp_path: Path, part: str) -> None:
    folder = put_rows(tmp_path / "rows", rendered(tiny, 3))
    with pytest.raises(Refused, match=f"made of other {examples.ORIGIN_WORDS[part]} than this run has"):
        examples.verify_example_files(folder, ORIGIN.model_copy(update={part: "f" * 64}))


def test_an_index_that_names_no_files_verifies_nothing(tiny: Path, tmp_path: Path) -> None:
    folder = put_rows(tmp_path / "rows", rendered(tiny, 3))
    index = read_json(folder / examples.INDEX_FILE)
    write_json(folder / examples.INDEX_FILE, {**index, "files": {}})
    with pytest.raises(Refused, match=r"index.json is not as stage tokenise wrote it"):
        examples.verify_example_files(folder, ORIGIN)
