"""Settings of a spaCy pipeline that are loaded without running other code.

spaCy builds a pipeline from the functions that its config.cfg names. Any installed package can register such functions,
and some of spaCy's own read pickled weights (PyTorch). So only components that find entities are loaded, and only if
all functions they are made of are on a list of spaCy's own that read arrays and JSON.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.core.errors import DOCUMENT_ERRORS, InputError
from tasks.core.files import read_bounded
from tasks.core.json_text import parse_strict

CODE_SUFFIXES = (".py", ".pyc", ".so", ".dll", ".pkl", ".pickle", ".pt", ".pth", ".joblib")
ENTITY_FACTORIES = ("ner", "entity_ruler", "future_entity_ruler")
SHARED_FACTORIES = ("tok2vec",)
"""Components that find nothing themselves, and from which an entity recogniser may read."""
IGNORED_FACTORIES = (
    *("tagger", "parser", "senter", "sentencizer", "lemmatizer", "trainable_lemmatizer", "attribute_ruler"),
    *("morphologizer", "textcat", "textcat_multilabel", "merge_entities", "merge_noun_chunks", "merge_subtokens"),
)
"""Components without effect on entities, which are not loaded."""
ARCHITECTURES = frozenset(
    f"spacy.{name}.v{version}"
    for name in (
        *("TransitionBasedParser", "Tok2Vec", "Tok2VecListener", "HashEmbedCNN", "MultiHashEmbed", "CharacterEmbed"),
        *("MaxoutWindowEncoder", "MishWindowEncoder"),
    )
    for version in (1, 2)
)
PERMITTED_FUNCTIONS = ARCHITECTURES | {
    "spacy.Tokenizer.v1",
    "spacy.Vectors.v1",
    "spacy.ner_scorer.v1",
    "spacy.entity_ruler_scorer.v1",
    "spacy.overlapping_labeled_spans_scorer.v1",
    "spacy.levenshtein_compare.v1",
    "spacy.first_longest_spans_filter.v1",
    "spacy.prioritize_existing_ents_filter.v1",
    "spacy.prioritize_new_ents_filter.v1",
}
CALLBACKS = ("before_creation", "after_creation", "after_pipeline_creation")
LANGUAGE = re.compile(r"[a-z]{2,3}")
MAX_CONFIG_BYTES, MAX_META_BYTES = 256 << 10, 4 << 20
MAX_REFERENCES = 40
"""Maximum number of references `${…}` in config.cfg. Each can double the size of what is loaded."""


def read_permitted_components(folder: Path) -> tuple[list[str], list[str]]:
    """Return the components of a pipeline that are loaded, and those that are not.

    Raises:
        InputError: The folder is no pipeline, has code, or its config.cfg names functions that are not permitted.
    """
    if code := sorted(path.name for path in folder.rglob("*") if path.suffix.lower() in CODE_SUFFIXES):
        raise InputError(f"its folder has {code[0]}, which is code or pickled and is never loaded; save with `to_disk`")
    config = _read_config(folder)
    used, ignored, unknown = list[str](), list[str](), list[str]()
    for name, component in config["components"].items():
        factory = component.get("factory")
        if factory in (*ENTITY_FACTORIES, *SHARED_FACTORIES):
            used.append(name)
        else:
            (ignored if factory in IGNORED_FACTORIES else unknown).append(name)
    if unknown:
        raise InputError(
            f"its components {', '.join(unknown)} may run code or read pickled weights, so the pipeline is not loaded; "
            f"save one of {', '.join((*ENTITY_FACTORIES, *SHARED_FACTORIES))}"
        )
    if not any(config["components"][name]["factory"] in ENTITY_FACTORIES for name in used):
        raise InputError(f"it has no component that finds entities ({', '.join(ENTITY_FACTORIES)})")
    _require_permitted_functions(config, used)
    return used, ignored


def read_meta_labels(folder: Path) -> frozenset[str]:
    """Return the labels of the components that are loaded, as meta.json names them.

    Raises:
        InputError: The pipeline is not permitted, or meta.json is not valid.
    """
    used, _ = read_permitted_components(folder)
    try:
        labels = parse_strict(read_bounded(folder / "meta.json", MAX_META_BYTES).decode())["labels"]
        return frozenset(str(label) for name in used for label in labels.get(name, ()))
    except (OSError, *DOCUMENT_ERRORS):
        raise InputError("its meta.json has no valid `labels`; save it with `to_disk`") from None


def _read_config(folder: Path) -> Mapping[str, Any]:
    """Return config.cfg as spaCy itself reads it, with references replaced by what they refer to."""
    from confection import Config

    try:
        text = read_bounded(folder / "config.cfg", MAX_CONFIG_BYTES).decode()
        if text.count("${") > MAX_REFERENCES:
            raise ValueError
        config = Config().from_str(text, interpolate=True)
        pipeline, language = config["nlp"]["pipeline"], config["nlp"]["lang"]
        is_valid = bool(LANGUAGE.fullmatch(language)) and sorted(pipeline) == sorted(config["components"])
    except (OSError, *DOCUMENT_ERRORS):
        is_valid = False
    if not is_valid:
        raise InputError("it has no valid config.cfg; save the pipeline with `to_disk`")
    return config


def _require_permitted_functions(config: Mapping[str, Any], components: list[str]) -> None:
    if callbacks := [name for name in CALLBACKS if config["nlp"].get(name) is not None]:
        raise InputError(f"its config.cfg names a function for nlp.{callbacks[0]}, which would be run; set it to null")
    read = [config["nlp"], *(config["components"][name] for name in components)]
    if others := sorted({name for part in read for name in _functions(part)} - PERMITTED_FUNCTIONS):
        raise InputError(f"its config.cfg names the functions {', '.join(others)}, which are not known to be harmless")


def _functions(value: Any) -> Iterator[str]:
    """Yield the registered functions that spaCy calls to build a part of a pipeline."""
    if isinstance(value, Mapping):
        yield from (str(name) for key, name in value.items() if str(key).startswith("@"))
        for inner in value.values():
            yield from _functions(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _functions(inner)
