"""Detectors that the owner of a source brings: what they find, how it is merged and counted, and which are refused."""

import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tasks.core.errors import InputError, Unavailable
from tasks.core.files import path_digest, read_json, tree_manifest, write_json
from tasks.sources.owner_detectors import OwnerDetector
from tasks.stages.data.ingest import ingest
from tasks.stages.data.protect.detected_span import DetectedSpan
from tasks.stages.data.protect.owner_detectors import kinds, presidio_patterns
from tasks.stages.data.protect.owner_detectors.merging import add_finds
from tasks.stages.data.protect.owner_detectors.pinned_files import PinnedDetector
from tasks.stages.data.protect.owner_detectors.reading import find_values
from tasks.stages.data.protect.owner_detectors.token_windows import split_tokens
from tasks.stages.data.protect.recognisers.span import Span
from tests.stages.data import detector_models as models
from tests.stages.data.build import Run, params, source, table

MAKERS = {"presidio": models.presidio, "spacy": models.spacy_ruler, "transformers": models.classifier}
ESCAPED = '{"who": "ask qu\\u006frbel", "n": 1}'
SECRET = {"internal_only": "mask", "identity": "mask"}


def pinned(declaration: dict[str, Any]) -> PinnedDetector:
    detector = OwnerDetector.model_validate(declaration)
    return PinnedDetector(detector, Path(detector.path), "source src: detector it")


def found(declaration: dict[str, Any], text: str, language: str = "en") -> list[tuple[str, str]]:
    (spans,) = find_values(pinned(declaration), [text], language)
    return [(text[it.start : it.end], it.category) for it in spans]


def rows(*texts: str, language: str = "de") -> bytes:
    return table([{"text": text, "label": "yes", "lang": language} for text in texts])


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        ("presidio", "badge qxabc opens the blue ward, qxabc", [("qxabc", "identity"), ("blue ward", "internal_only")]),
        ("presidio", "a blue wardrobe", []),
        ("spacy", "frag zwirnbold Meyer in Hinterquell", [("zwirnbold Meyer", "name")]),
        ("transformers", "quorbel, ségolène vandrimal!", [(it, "name") for it in ("quorbel", "ségolène", "vandrimal")]),
        ("transformers", "se\u0301gole\u0300ne", [("se\u0301gole\u0300ne", "name")]),
        ("transformers", "quo\u00adrbel", [("quo\u00adrbel", "name")]),
        ("transformers", "\U0001f98afoxy", [("\U0001f98afoxy", "name")]),
        ("transformers", " \n ", []),
    ],
)  # fmt: skip
def test_each_kind_finds_its_values_at_the_right_characters(
    tmp_path: Path, kind: str, text: str, wanted: list[tuple[str, str]]
) -> None:
    assert found(MAKERS[kind](tmp_path) if kind != "transformers" else models.classifier(), text) == wanted


def test_a_presidio_recogniser_reads_the_languages_that_it_supports(tmp_path: Path) -> None:
    french = "  - {name: f, supported_entity: WARD, supported_language: fr, deny_list: [Aile Bleue]}\n"
    own = models.presidio(tmp_path, models.PRESIDIO + french)
    for language, wanted in (("fr", 1), ("fr-CA", 1), ("en", 0), ("und", 1), ("Français", 1)):
        assert len(found(own, "dans l'aile bleue", language)) == wanted
    unused = models.presidio(tmp_path, models.PRESIDIO + french.replace("deny", "enabled: false, deny"))
    assert found(unused, "aile bleue", "fr") == []


def test_a_value_is_found_once_wherever_it_lies_in_a_long_text(monkeypatch: pytest.MonkeyPatch) -> None:
    for length in (1, 15, 16, 40, 333):
        windows = list(split_tokens(length, 16))
        judged = [place for it in windows for place in range(it.first_judged, it.end_judged)]
        assert judged == list(range(length)) and all(it.end - it.start <= 16 for it in windows)
    text = " ".join(f"nothing {number} quorbel" for number in range(1_600))
    assert len(text) > 20_000
    assert found(models.classifier(), text) == [("quorbel", "name")] * 1_600
    one_by_one, together = (models.classifier(batch=size) for size in (1, 64))
    texts = [text[place : place + 90] for place in range(0, 3_000, 90)]
    assert find_values(pinned(one_by_one), texts, "") == find_values(pinned(together), texts, "")


@pytest.mark.parametrize(
    ("text", "ours", "finds", "wanted", "added"),
    [
        ("Anna Schmidt", [(0, 4, "name")], [(0, 12, "name")], [(0, 12, "name")], {"name": 1}),
        ("Anna Schmidt", [(0, 12, "name")], [(5, 12, "name")], [(0, 12, "name")], {}),
        ("Anna Schmidt", [(0, 12, "name")], [(5, 12, "address")], [(0, 12, "name")], {}),
        ("Anna, Berta", [(0, 4, "name"), (6, 11, "name")], [(0, 11, "name")], [(0, 4, "name"), (6, 11, "name")], {}),
        ("A 1 Weg 7", [(2, 3, "account")], [(0, 9, "address")],
         [(0, 1, "address"), (2, 3, "account"), (4, 9, "address")], {"address": 1}),
        ("Anna !", [(0, 4, "name")], [(0, 6, "name")], [(0, 4, "name")], {}),
        ("ab cd", [], [(0, 2, "name"), (3, 5, "name")], [(0, 2, "name"), (3, 5, "name")], {"name": 2}),
        ("abcdefgh", [(2, 6, "name")], [(0, 3, "name"), (5, 8, "name")], [(0, 8, "name")], {"name": 2}),
    ],
)  # fmt: skip
def test_finds_are_added_to_what_the_recognisers_found(
    text: str, ours: list[Any], finds: list[Any], wanted: list[Any], added: dict[str, int]
) -> None:
    merged = add_finds(text, [DetectedSpan(*it) for it in ours], [DetectedSpan(*it) for it in finds])
    assert [it[:3] for it in merged.spans] == wanted and dict(merged.added) == added


def test_finds_are_masked_counted_and_the_same_bytes_again(run: Run, tmp_path: Path) -> None:
    own = [models.presidio(tmp_path, languages=["en"]), models.spacy_ruler(tmp_path), models.classifier()]
    data = table(
        [
            {"text": "please call quorbel or zwirnbold Meyer", "label": ESCAPED, "lang": "de"},
            {"text": "Roter Flur, qxabc, said Anna Schmidt", "label": "quorbel", "lang": "de"},
            {"text": "badge qxabc, badge qx\u200babd", "label": "no", "lang": "en"},
        ]
    )
    mapped = {"mapping": {"prompt": "text", "response": "label", "language": "lang"}, "constants": {"task": "triage"}}
    result = run.ingest(data, detectors=own, protect=SECRET, **mapped)
    texts = [models.without_tokens(turn["content"]) for it in run.records_of("ingest") for turn in it["messages"]]
    assert texts == [
        "please call [name] or [name]", '{"who": "ask [name]", "n": 1}',
        "Roter Flur, qxabc, said [name]", "[name]",
        "badge [identity], badge [identity]", "no",
    ]  # fmt: skip
    (counts,) = result.sources
    told = {name: {it: (n.found, n.added) for it, n in own.items()} for name, own in counts.detected.items()}
    assert told == {
        "own-presidio": {"identity": (2, 2), "internal_only": (0, 0)},
        "own-spacy": {"name": (1, 1)},
        "own-transformers": {"name": (3, 3)},
    }
    assert run.result("ingest")["facts"]["added_by_detectors"]["value"] == 6
    assert len(run.records_of("ingest")[0]["subjects"]) == 2
    first = tree_manifest(run.layout.artefacts("ingest"))
    run.forget()
    ingest.run(params(), run.layout)
    assert tree_manifest(run.layout.artefacts("ingest")) == first
    assert not list(run.layout.state.rglob(".detectors-*"))


def test_another_threshold_or_model_is_another_result(run: Run, tmp_path: Path) -> None:
    text = "qxabc waits in Roter Flur"
    for fields, wanted in (
        ({}, "qxabc waits in [internal_only]"),
        ({"threshold": 0.1}, "[identity] waits in [internal_only]"),
        ({"threshold": 0.1, "thresholds": {"internal_only": 1.0, "identity": 0.3}}, "qxabc waits in [internal_only]"),
    ):
        run.ingest(rows(text), detectors=[models.presidio(tmp_path, **fields)], protect=SECRET)
        assert run.records_of("ingest")[0]["messages"][0]["content"] == wanted
    before = read_json(run.layout.sources_path)
    other = models.presidio(tmp_path, models.PRESIDIO.replace("Roter Flur", "waits"))
    run.ingest(rows(text), detectors=[other], protect=SECRET)
    assert run.records_of("ingest")[0]["messages"][0]["content"] == "qxabc [internal_only] in Roter Flur"
    assert read_json(run.layout.sources_path) != before
    assert "detectors" not in source("a.csv").model_dump(mode="json"), "as earlier versions wrote it"
    assert pickle.loads(pickle.dumps(pinned(other))) == pinned(other), "processes of the pool get it"


def replaced(path: Path, *pairs: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def config_changed(old: str, new: str) -> Callable[[Path], None]:
    return lambda folder: replaced(folder / "config.cfg", (old, new))


def without_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    save_file({name: it for name, it in weights.items() if name != "classifier.weight"}, folder / "model.safetensors")


def without_numbers(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    save_file({name: it / 0 for name, it in weights.items()}, folder / "model.safetensors")


PRESIDIO_REFUSALS = [
    ("predefined", lambda it: it.write_text("recognizers: [CreditCardRecognizer]"), "Python code of Presidio"),
    ("typed", lambda it: it.write_text("recognizers: [{name: A, type: predefined}]"), "'A' is Python code"),
    ("pattern", lambda it: replaced(it, ("[a-z]{3}", "[a-z")), "'badge/letters' is not valid"),
    ("keys", lambda it: replaced(it, ("deny_list:", "allow_list:")), "allow_list"),
    ("labels", lambda it: replaced(it, ("WARD", "FLOOR")), "gives the labels FLOOR, which `labels` does not map"),
    ("misspelt", lambda it: replaced(it, ("    supported_entity: WARD", "    supported_entity: BADGE")), "maps WARD"),
]
CLASSIFIER_REFUSALS = [
    ("pickled", lambda it: (it / "pytorch_model.bin").write_bytes(b""), "pytorch_model.bin, which may be pickled"),
    ("code", lambda it: (it / "modeling.py").write_text("raise SystemExit(9)"), "modeling.py"),
    ("own code", lambda it: models.edit_json(it / "config.json", auto_map={"AutoModel": "m.M"}), "code of its own"),
    ("quantised", lambda it: models.edit_json(it / "config.json", quantization_config={"a": 1}), "quantised"),
    ("labels", lambda it: models.edit_json(it / "config.json", id2label={"0": "O", "1": "B-X"}), "labels X"),
    ("no labels", lambda it: models.edit_json(it / "config.json", id2label=None), "no valid `id2label`"),
    ("no weights", lambda it: (it / "model.safetensors").unlink(), r"lacks \*.safetensors"),
    ("slow", lambda it: (it / "tokenizer.json").unlink(), "lacks tokenizer.json"),
    ("adapter", lambda it: (it / "adapter_config.json").write_text("{}"), "adapter without its base model"),
    ("link", lambda it: (it / "x.json").symlink_to("config.json"), "symbolic link"),
    ("weight missing", without_weight, "1 of its weights are missing"),
    ("damaged", lambda it: (it / "model.safetensors").write_bytes(b"\xff" * 99), "cannot be loaded"),
    ("nonsense", without_numbers, "other than a number"),
]
SPACY_REFUSALS = [
    ("code", lambda it: (it / "hooks.py").write_text("raise SystemExit(9)"), "hooks.py"),
    ("factory", config_changed('factory = "entity_ruler"', 'factory = "llm"'), "entity_ruler may run code"),
    ("function", config_changed("spacy.Tokenizer.v1", "evil.Tokenizer.v1"), "the functions evil.Tokenizer.v1, which"),
    ("inline", config_changed('ent_id_sep = "||"', 'ent_id_sep = {"@misc":"evil.v1"}'), "the functions evil.v1, which"),
    ("reference", config_changed('ent_id_sep = "||"', "ent_id_sep = ${training.logger}"), "functions spacy.Console"),
    ("callback", config_changed("after_creation = null", 'after_creation = {"@callbacks":"x"}'), "nlp.after_creation"),
    ("language", config_changed('lang = "de"', 'lang = "..os"'), "no valid config.cfg"),
    ("labels", lambda it: replaced(it / "meta.json", ('"GPE"', '"LOC"')), "labels LOC"),
    ("hidden label", lambda it: replaced(it / "entity_ruler/patterns.jsonl", ("GPE", "LOC")), "labels LOC"),
    ("damaged", lambda it: (it / "vocab/strings.json").write_text("{"), "cannot be loaded"),
    ("tags", lambda it: replaced(it / "entity_ruler/patterns.jsonl", ("IS_TITLE\":true", "POS\":\"X\"")), r"\[E155\]"),
]  # fmt: skip
REFUSALS = {"presidio": PRESIDIO_REFUSALS, "transformers": CLASSIFIER_REFUSALS, "spacy": SPACY_REFUSALS}
CODE = {"predefined", "typed", "pickled", "code", "own code", "factory", "function", "inline", "reference", "callback"}
"""Cases in which a detector brings code, or something that would be unpickled."""
ATTACK = pytest.mark.attack(
    rights="commit", stopped="a detector is data: nothing of its folder is executed or unpickled"
)
CASES = [
    pytest.param(kind, *case[1:], id=f"{kind} {case[0]}", marks=[ATTACK] if case[0] in CODE else [])
    for kind, some in REFUSALS.items()
    for case in some
]


@pytest.mark.parametrize(("kind", "spoil", "message"), CASES)
def test_files_that_are_not_of_a_kind_are_refused_and_nothing_is_written(
    run: Run, tmp_path: Path, kind: str, spoil: Callable[[Path], object], message: str
) -> None:
    declaration = models.classifier() if kind == "transformers" else MAKERS[kind](tmp_path)
    place = Path(declaration["path"])
    if kind == "transformers":
        place = Path(shutil.copytree(place, tmp_path / "copy"))
    spoil(place)
    sha256 = declaration["sha256"] if message == "symbolic link" else path_digest(place)
    with pytest.raises(InputError, match=message) as refused:
        run.ingest(rows("quorbel"), detectors=[declaration | {"path": str(place), "sha256": sha256}])
    assert refused.value.exit_code == 2 and f"source src: detector own-{kind}: " in str(refused.value)
    assert not run.layout.artefacts("ingest").exists() and not list(run.layout.state.rglob(".detectors-*"))


def test_files_that_are_missing_or_have_changed_are_refused(run: Run, tmp_path: Path) -> None:
    own = models.presidio(tmp_path)
    for changes, message in (
        ({"path": "nowhere.yaml"}, "there is no nowhere.yaml"),
        ({"sha256": "1" * 64}, f"has SHA-256 {own['sha256']}, expected 1111"),
        ({"path": str(tmp_path)}, "is a file, and"),
        ({"path": "/etc/passwd"}, "where no data is"),
        ({"path": str(run.layout.state / "vault.db")}, "there is no"),
    ):
        with pytest.raises(InputError, match=message):
            run.ingest(rows("x"), detectors=[own | changes])
    run.pin(rows("badge qxabc"), detectors=[own])
    Path(own["path"]).write_text(models.PRESIDIO + "\n")
    with pytest.raises(InputError, match="restore the files"):
        ingest.run(params(), run.layout)
    assert not run.layout.artefacts("ingest").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": {"PER": None}}, "would find nothing"),
        ({"labels": {"PER": "person"}}, "labels"),
        ({"thresholds": {"phone": 0.4}}, "`thresholds` names phone"),
        ({"kind": "spacy", "threshold": 0.4}, "gives no scores"),
        ({"kind": "presidio", "device": "gpu"}, "runs on the CPU alone"),
        ({"kind": "pickle"}, "kind"),
        ({"threshold": 1.5}, "less than or equal"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    plain = {"name": "it", "kind": "transformers", "path": "m", "sha256": "0" * 64, "labels": {"PER": "name"}}
    with pytest.raises(ValueError, match=message):
        source("a.csv", detectors=[plain | changes])
    with pytest.raises(ValueError, match="twice: it"):
        source("a.csv", detectors=[plain, plain])


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ((5, 900, "name"), "characters 5 to 900 of a text of 14"),
        ((-1, 3, "name"), "-1 to 3"),
        ((3, 3, "name"), "3 to 3"),
    ],
)
def test_offsets_that_are_not_in_the_text_stop_the_run(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, span: tuple[int, int, str], message: str
) -> None:
    class Nonsense:
        def find_spans(self, texts: list[str], language: str) -> list[list[Span]]:
            return [[Span(*span, 1.0)] for _ in texts]

    kind = kinds.Kind(presidio_patterns.read_labels, lambda path, detector: Nonsense())
    monkeypatch.setattr(kinds, "KINDS", {**kinds.KINDS, "presidio": kind})
    own = models.presidio(tmp_path, batch=900 + span[1] % 7)
    with pytest.raises(InputError, match=message):
        run.ingest(rows("fourteen chars"), detectors=[own])
    assert not run.layout.artefacts("ingest").exists()


def test_a_pattern_that_would_take_hours_stops_the_run(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presidio_patterns, "SECONDS_PER_PATTERN", 0.05)
    slow = models.PRESIDIO.replace("qx[a-z]{3}", "(?:x|xx)+[yz]")
    with pytest.raises(InputError, match="pattern 'badge/letters' takes more than"):
        run.ingest(rows("x" * 60), detectors=[models.presidio(tmp_path, slow)])


def test_what_a_machine_lacks_is_said(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable, match="own-transformers: it runs on a GPU"):
        run.ingest(rows("quorbel"), detectors=[models.classifier(device="gpu")])
    folder = tmp_path / "gliner"
    folder.mkdir()
    write_json(folder / "gliner_config.json", {})
    own = models.declared("gliner", folder, {"person": "name"})
    with pytest.raises(Unavailable, match="needs the package gliner"):
        run.ingest(rows("quorbel"), detectors=[own])
    assert not run.layout.artefacts("ingest").exists()


def test_a_gliner_model_is_asked_for_the_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is not installed here: a stand-in answers as its documentation says. No real model was tried."""

    class Model:
        asked: list[Any] = []

        @classmethod
        def from_pretrained(cls, path: str, **how: Any) -> "Model":
            return cls()

        def to(self, device: str) -> "Model":
            return self

        def eval(self) -> "Model":
            return self

        def batch_predict_entities(self, texts: list[str], labels: list[str], threshold: float) -> list[Any]:
            self.asked.append((len(texts), labels, threshold))
            at = [text.find("quorbel") for text in texts]
            return [[{"start": it, "end": it + 7, "label": "person", "score": 0.8}] if it >= 0 else [] for it in at]

    stand_in = ModuleType("gliner")
    stand_in.GLiNER = Model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gliner", stand_in)
    monkeypatch.setattr(kinds.gliner_model, "find_spec", lambda name: stand_in)
    folder = tmp_path / "gliner"
    folder.mkdir()
    for name in ("gliner_config.json", "tokenizer.json", "model.safetensors"):
        write_json(folder / name, {})
    own = models.declared("gliner", folder, {"person": "name", "town": None}, batch=2, threshold=0.7)
    kinds.check_files(pinned(own))
    text = "word " * 300 + "quorbel said"
    assert found(own, text) == [("quorbel", "name")]
    assert Model.asked == [(2, ["person", "town"], 0.7), (1, ["person", "town"], 0.7)]
    assert found(own | {"threshold": 0.9}, text) == []
