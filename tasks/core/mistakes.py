"""Everything that is wrong, told at once: whoever corrects one mistake a start needs as many starts as mistakes."""

from collections.abc import Iterator
from contextlib import contextmanager

from tasks.core.errors import HallmarkError, InputError, Refused


class Mistakes:
    """What went wrong so far. What follows from a mistake alone is for the caller not to look at."""

    def __init__(self) -> None:
        self.found: list[HallmarkError] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """A block whose error is kept, so that what comes behind it is looked at too."""
        try:
            yield
        except HallmarkError as error:
            self.found.append(error)

    def add(self, text: str) -> None:
        """A wrong input, in words."""
        self.found.append(InputError(text))

    def refuse(self) -> None:
        """Raises what was found: the one error as it was, of several all their texts under the kind that matters most.
        An input can be corrected at once, a refusal takes others, what is away comes back."""
        if len(self.found) == 1:
            raise self.found[0]
        if self.found:
            kinds = [type(error) for error in self.found]
            kind = next((each for each in (InputError, Refused) if any(issubclass(k, each) for k in kinds)), kinds[0])
            # Two files may be read for one mistake in a third.
            raise kind("\n".join(dict.fromkeys(line for error in self.found for line in str(error).splitlines())))
