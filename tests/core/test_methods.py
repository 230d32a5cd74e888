"""A training method is known by the table or refused: it is never taken for another one."""

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from tasks.core.errors import InputError, Refused
from tasks.core.files import tree_digest, write_json
from tasks.core.layout import Layout
from tasks.core.params import methods
from tasks.core.params.methods import METHODS, MethodName
from tasks.core.params.training import Training
from tasks.core.params.training_methods.lora import LORA
from tasks.core.params.training_methods.method import ADAPTER, Method
from tasks.core.payload.manifest import Manifest
from tasks.registry.promote import base_models
from tasks.stages.evaluate import models
from tasks.stages.package import package

ROOT = Path(__file__).parents[2]
THIRD = Method(
    summary="a third kind", trained_part="a third kind of adapter of", adapter=LORA.adapter, approaches=("lora",)
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A base model, an adapter, and a champion of the third method."""
    layout = Layout(tmp_path)
    for folder in (layout.artefacts("base_model") / "model", layout.artefacts("train") / "adapter"):
        write_json(folder / "config.json", {})
    payload = layout.state / "releases" / "triage-1" / "payload"
    write_json(payload / "manifest.json", {"method": "third", "stages": {"base_model": base(layout)}})
    champion = {"release": "triage-1", "version": 1, "sha256": tree_digest(payload)}
    write_json(layout.champion_path, {**champion, "payload": payload.relative_to(layout.state).as_posix()})
    return layout


def base(layout: Layout) -> str:
    return tree_digest(layout.artefacts("base_model"))


def told(layout: Layout) -> Manifest:
    return Manifest.model_construct(method="third", stages={"base_model": base(layout)})


def test_a_method_that_may_be_asked_for_is_one_of_the_table() -> None:
    assert set(get_args(MethodName)) == METHODS.keys()


def test_no_other_code_compares_the_name_of_a_method() -> None:
    named = re.compile("|".join(f"[\"']{name}[\"']" for name in METHODS))
    files = [path for room in ("tasks", "flows", "infra") for path in (ROOT / room).rglob("*.py")]
    files = [path for path in files if path.parent.name != "training_methods"]  # each file names its approaches
    naming = {path.relative_to(ROOT / "tasks").as_posix() for path in files if named.search(path.read_text())}
    approaches, proposed = "core/params/use_case.py", "scaffold/parameters.py"
    default, advised = "core/params/training.py", "advice/rules.py"  # an approach is called as its method is
    assert naming == {
        "core/params/methods.py",
        approaches,
        proposed,
        default,
        advised,
    }


def test_a_method_that_is_not_in_the_table_is_refused_everywhere(layout: Layout) -> None:
    with pytest.raises(ValidationError, match="Input should be 'lora'"):
        Training.model_validate({"method": "third"})
    for use in (
        lambda: package.trained_weights_folder(layout, "third"),
        lambda: models.locate_model(layout, "champion"),
        lambda: base_models.copy_base_model(layout, told(layout)),
    ):
        with pytest.raises(Refused, match="training method 'third' is not one that this version"):
            use()


def test_a_method_of_the_table_is_handled_as_the_table_says(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "METHODS", {**METHODS, "third": THIRD})
    assert package.trained_weights_folder(layout, "third") == layout.artefacts("train") / "adapter"
    located = models.locate_model(layout, "champion")
    assert located is not None and located.form == ADAPTER
    assert base_models.copy_base_model(layout, told(layout)) == layout.base_model_folder(base(layout))
    assert methods.methods_for_approach("lora")[-1] == "third"
    assert methods.required_unused_settings("third") == METHODS["lora"].own_settings
    (layout.artefacts("train") / "adapter").rename(layout.artefacts("train") / "model")
    with pytest.raises(InputError, match=r"training\.method third leaves adapter in .*, found model"):
        package.trained_weights_folder(layout, "third")
