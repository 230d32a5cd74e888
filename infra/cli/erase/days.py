"""Days as arguments of commands."""

from datetime import date

from tasks.core.errors import InputError


def parse_day(option: str, text: str | None) -> date | None:
    """Return the day in an option; None if the option was not given.

    Raises:
        InputError: The text is not a day.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option} {text}: expected a day such as 2030-01-31") from None
