"""A machine with other versions is named before it trains."""

import pytest

from tasks.core.errors import InputError
from tasks.stages.cluster import versions


def test_a_machine_with_another_version_is_named() -> None:
    here = versions.of_here()
    here.require_here()
    other = here.model_copy(update={"libraries": {**here.libraries, "torch": "1.0"}})
    with pytest.raises(
        InputError, match=rf"has torch {here.libraries['torch'].replace('+', '.')} in place of 1.0; every"
    ):
        other.require_here()
    with pytest.raises(InputError, match=r"has Python 3.* in place of 2.7"):
        here.model_copy(update={"python": "2.7"}).require_here()
