"""Names and ambiguous numbers count only together with something that is the person's alone."""

import pytest

from tasks.core.errors import Refused
from tasks.erase.attribution import Attribution, attribute

NAME, MAIL, PHONE, ACCOUNT, OTHER = "name:a", "email:a", "phone:a", "account:a", "email:b"
JOHN, NUMBER, ADDRESS = "John Smith", "20795600", "john@example.org"
BY_VALUE = {JOHN: [NAME, "email:x"], NUMBER: [PHONE, ACCOUNT], ADDRESS: [MAIL]}


def attributed(records: list[set[str]], *values: str, named: tuple[str, ...] = ()) -> Attribution:
    mentioned = {str(number): tokens for number, tokens in enumerate(records)}
    return attribute(mentioned, {value: BY_VALUE[value] for value in values}, named)


def test_a_number_of_one_category_is_one_persons() -> None:
    one = attributed([{PHONE}, {PHONE, OTHER}], NUMBER)
    assert one.records == {"0", "1"} and one.unique == {PHONE} and not one.excluded


def test_a_number_of_several_categories_is_refused_and_listed() -> None:
    with pytest.raises(Refused, match="2 records have this number, which is known as several kinds") as told:
        attributed([{PHONE}, {ACCOUNT}], NUMBER)
    assert f"[{PHONE}] in 1" in str(told.value) and f"[{ACCOUNT}] in 1" in str(told.value)


def test_a_number_that_an_own_record_mentions_is_theirs_and_the_other_is_not() -> None:
    one = attributed([{PHONE, MAIL}, {PHONE}, {ACCOUNT}], NUMBER, ADDRESS)
    assert one.records == {"0", "1"} and one.excluded == {ACCOUNT} and one.unattributed == 1
    named = attributed([{PHONE}, {ACCOUNT}], NUMBER, named=("0",))
    assert named.records == {"0"} and named.excluded == {ACCOUNT}


def test_a_name_with_values_that_no_record_brings_together_is_several_people() -> None:
    with pytest.raises(Refused, match="2 records name somebody of this name"):
        attributed([{NAME, MAIL}, {NAME, PHONE}], JOHN)
    assert attributed([{NAME, MAIL}, {NAME, PHONE}, {NAME, MAIL, PHONE}], JOHN).records == {"0", "1", "2"}
    with pytest.raises(Refused):
        attributed([{NAME, MAIL, OTHER}], JOHN)


def test_records_that_only_share_the_name_are_theirs_if_nobody_else_is_known() -> None:
    assert attributed([{NAME, MAIL}, {NAME}], JOHN, ADDRESS).records == {"0", "1"}
    other = attributed([{NAME, MAIL}, {NAME}, {NAME, OTHER}], JOHN, ADDRESS)
    assert other.records == {"0"} and NAME in other.excluded and other.unattributed == 2
