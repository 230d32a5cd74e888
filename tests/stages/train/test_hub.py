"""A base model from a hub: the very files that are pinned, nothing that can run code, and again without the hub."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.core.errors import InputError, Unavailable
from tasks.core.files import tree_digest
from tasks.core.layout import Layout
from tasks.core.params.base_model import BaseModelParams
from tasks.stages.train.base import origins
from tests.stages.train.hub import COMMIT, Hub, serving

UNWANTED = ("pytorch_model.bin", "model.onnx", "modeling_tiny.py", "training_args.bin", "README.md")
WRONG = "0" * 64


@pytest.fixture
def hub(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Serves the tiny model, with files beside it that nobody should load."""
    from huggingface_hub import constants

    folder = Path(shutil.copytree(tiny, tmp_path / "repository"))
    for name in UNWANTED:
        (folder / name).write_bytes(b"would run when it is loaded")
    with serving("people/tiny", folder) as found:
        # What HF_ENDPOINT sets; it is read when the library is imported.
        monkeypatch.setattr(constants, "ENDPOINT", found.url)
        files = f"{found.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        yield found


def base(sha256: str, revision: str = COMMIT) -> BaseModelParams:
    return BaseModelParams(hub="people/tiny", revision=revision, sha256=sha256, licence="Apache-2.0")


def test_the_pinned_files_arrive_and_nothing_that_can_run_code(hub: Hub, tiny: Path, tmp_path: Path) -> None:
    kept = origins.fetch_base_model(base(tree_digest(tiny)), Layout(tmp_path))
    assert tree_digest(kept) == tree_digest(tiny)
    assert kept == tmp_path / ".hallmark" / "models" / tree_digest(tiny)
    assert sorted(hub.fetched) == sorted(path.name for path in tiny.iterdir())


def test_a_second_run_asks_no_hub(hub: Hub, tiny: Path, tmp_path: Path) -> None:
    origins.fetch_base_model(base(tree_digest(tiny)), Layout(tmp_path))
    hub.fetched.clear()
    origins.fetch_base_model(base(tree_digest(tiny)), Layout(tmp_path))
    assert hub.fetched == []


def test_another_digest_is_told_and_nothing_kept(hub: Hub, tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"expected {WRONG}, found {tree_digest(tiny)}"):
        origins.fetch_base_model(base(WRONG), Layout(tmp_path))
    assert list((tmp_path / ".hallmark" / "models").iterdir()) == []


def test_weights_that_a_hub_exchanged_are_refused(hub: Hub, tiny: Path, tmp_path: Path) -> None:
    hub.files["model.safetensors"] = hub.files["model.safetensors"][:-1] + b"\x01"
    with pytest.raises(InputError, match=r"base_model\.sha256: expected"):
        origins.fetch_base_model(base(tree_digest(tiny)), Layout(tmp_path))


def test_a_commit_that_is_not_there(hub: Hub, tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"(?s)cannot download people/tiny@0000.* check the id, the commit"):
        origins.fetch_base_model(base(tree_digest(tiny), revision="0" * 40), Layout(tmp_path))


def test_a_file_that_is_listed_and_not_there(hub: Hub, tiny: Path, tmp_path: Path) -> None:
    answer = hub.answer
    hub.answer = lambda path: None if path.endswith("tokenizer.json") else answer(path)  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match="cannot download people/tiny"):
        origins.fetch_base_model(base(tree_digest(tiny)), Layout(tmp_path))
    assert list((tmp_path / ".hallmark" / "models").iterdir()) == []
