"""Changes of people.yaml: what is written, and that a file which would not be right stays as it was."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.core.errors import InputError, Refused
from tasks.policy import people, proposal
from tasks.trust import keys
from tasks.trust.validity import Key

NOW = datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)
"""A microsecond past a whole second."""


def line() -> str:
    return keys.make_public_line(keys.Ed25519PrivateKey.generate())


def held(folder: Path, who: str = "owner") -> list[Key]:
    found = people.load_people(folder).get(who)
    assert found
    return found.keys


def test_what_ended_before_keeps_its_end_when_another_key_follows(folder: Path) -> None:
    first, second, third = line(), line(), line()
    day = timedelta(days=1)
    assert proposal.propose_changes(folder, proposal.key_addition("owner", first, NOW))
    assert proposal.propose_changes(folder, proposal.key_addition("owner", second, NOW, replace=True))
    assert proposal.propose_changes(folder, proposal.key_addition("owner", third, NOW + day, replace=True))
    turned = datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)
    told = [(key.public_key, key.valid_after, key.valid_before) for key in held(folder)]
    assert told == [(first, None, turned), (second, turned, turned + day), (third, turned + day, None)]


def test_a_moment_begins_with_the_next_whole_second_so_that_what_was_signed_just_now_counts(folder: Path) -> None:
    first, second = line(), line()
    proposal.propose_changes(folder, proposal.key_addition("owner", first, NOW))
    proposal.propose_changes(folder, proposal.key_addition("owner", second, NOW, replace=True))
    before, after = held(folder)
    assert before.is_valid(NOW) and not after.is_valid(NOW)
    midnight = proposal.key_revocation("owner", before.fingerprint, datetime(2026, 2, 1, tzinfo=UTC), "lost")
    assert (
        proposal.propose_changes(folder, midnight)
        and "revoked_as_of: 2026-02-01," in (folder / "people.yaml").read_text()
    )


def test_the_key_of_init_is_written_down_where_another_takes_its_place(folder: Path) -> None:
    made, own = line(), line()
    proposal.propose_changes(folder, proposal.key_addition("owner", own, NOW, replace=True, init_key=made))
    assert [(key.public_key, bool(key.valid_before)) for key in held(folder)] == [(made, True), (own, False)]
    more = line()
    proposal.propose_changes(
        folder, proposal.key_addition("owner", more, NOW + timedelta(days=1), replace=True, init_key=made)
    )
    assert [key.public_key for key in held(folder)] == [made, own, more], "once"


def test_what_would_not_be_right_is_not_written_and_nothing_is_made_before(folder: Path) -> None:
    taken, text = line(), (folder / "people.yaml").read_bytes()
    made = []
    changes = proposal.key_addition("owner", taken, NOW), proposal.key_addition("lead", taken, NOW)
    with pytest.raises(InputError, match="each key stands here once"):
        proposal.propose_changes(folder, *changes, before_write=lambda: made.append("a key"))
    assert not made and (folder / "people.yaml").read_bytes() == text

    def fails() -> None:
        raise InputError("the disk is full")

    with pytest.raises(InputError, match="disk is full"):
        proposal.propose_changes(folder, changes[0], before_write=fails)
    assert (folder / "people.yaml").read_bytes() == text


def test_a_change_of_the_file_while_another_is_made_is_not_lost(folder: Path) -> None:
    def meanwhile() -> None:
        assert proposal.propose_changes(folder, proposal.person_addition("b", "B", ["requester"]))

    with pytest.raises(Refused, match=r"people\.yaml was changed while this command ran"):
        proposal.propose_changes(folder, proposal.person_addition("a", "A", ["requester"]), before_write=meanwhile)
    assert people.load_people(folder).get("b") and not people.load_people(folder).get("a")


def test_a_revocation_is_moved_forward_and_never_back(folder: Path) -> None:
    own = line()
    mark = keys.fingerprint(own)
    proposal.propose_changes(folder, proposal.key_addition("owner", own, NOW))
    assert proposal.propose_changes(folder, proposal.key_revocation("owner", mark, NOW, "lost"))
    with pytest.raises(Refused, match="later would make count again what is void"):
        proposal.propose_changes(folder, proposal.key_revocation("owner", mark, NOW + timedelta(days=1), "lost"))
    with pytest.raises(InputError, match=r"owner has no key SHA256:x in people\.yaml, which has SHA256"):
        proposal.propose_changes(folder, proposal.key_revocation("owner", "SHA256:x", NOW, "lost"))
    with pytest.raises(InputError, match=r"ada is nobody in people\.yaml"):
        proposal.propose_changes(folder, proposal.key_revocation("ada", mark, NOW, "lost"))
