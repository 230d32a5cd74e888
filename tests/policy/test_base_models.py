"""Where base models may lie, as policy says."""

from pathlib import Path

import pytest

from tasks.core.errors import Refused
from tasks.core.params.base_model import BaseModelParams
from tasks.policy.policy import BaseModels


def require(policy: BaseModels, checkout: Path, folder: str | Path) -> None:
    policy.require_allowed(BaseModelParams(folder=str(folder), sha256="0" * 64, licence="MIT"), checkout)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "checkout" / "models").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "checkout" / "leads-out").symlink_to(tmp_path / "elsewhere")
    return tmp_path / "checkout"


@pytest.mark.attack(rights="commit", stopped="a base model lies in the checkout, or where policy says")
@pytest.mark.parametrize("folder", ["../elsewhere", "leads-out", "/etc/ssl/private", ".git", "models/.keys", ".", ".."])
def test_a_base_model_elsewhere_is_refused(checkout: Path, folder: str) -> None:
    with pytest.raises(Refused, match=r"^base_model\.folder: .*under base_models\.folders \(none\)"):
        require(BaseModels(), checkout, folder)


def test_one_in_the_checkout_or_where_policy_says_is_not(checkout: Path, tmp_path: Path) -> None:
    require(BaseModels(), checkout, "models")
    listed = BaseModels(folders=[str(tmp_path / "elsewhere")])
    for folder in ("leads-out", "../elsewhere", tmp_path / "elsewhere" / "small"):
        require(listed, checkout, folder)
