"""What earlier versions wrote is read, verified, audited, admitted and gone on with by the code as it is."""

from collections.abc import Callable

import pytest

from tests.golden import past as golden
from tests.golden.past import Past

pytestmark = pytest.mark.parametrize("past", golden.VERSIONS, indirect=True)


@pytest.mark.parametrize("holds", golden.CHECKS, ids=lambda check: check.__name__)
def test_it_holds(past: Past, holds: Callable[[Past], None]) -> None:
    holds(past)
