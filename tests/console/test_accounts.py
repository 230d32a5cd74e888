"""Passwords and sessions: what they open, for how long, and what locks them."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from infra.console import accounts as accounts_module
from infra.console.accounts import KNOWN, LOCK, MOST, TRIES, WRONG, Accounts
from infra.console.rates import Queue, TooMany
from infra.console.sessions import IDLE, LONGEST, Sessions
from infra.console.store import ACCOUNTS, SESSIONS, open_store
from tasks.core.errors import InputError, Refused

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
PASSWORD = "a long enough one"


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    made = Accounts(open_store(tmp_path))
    made.put("ada", PASSWORD)
    return made


def test_a_password_opens_its_own_account_alone(accounts: Accounts) -> None:
    accounts.require("ada", PASSWORD, NOW)
    for person, password in (("ada", PASSWORD + "!"), ("bea", PASSWORD), ("ada", ""), ("", ""), ("ada", "x" * 10_000)):
        with pytest.raises(Refused, match=WRONG):
            accounts.require(person, password, NOW)
    assert accounts.people() == ["ada"] and accounts.remove("ada") and not accounts.remove("ada")
    with pytest.raises(Refused, match=WRONG):
        accounts.require("ada", PASSWORD, NOW)


def test_no_password_is_kept(accounts: Accounts, tmp_path: Path) -> None:
    with open_store(tmp_path).connect() as connection:
        kept = connection.execute(select(ACCOUNTS.c.password)).scalar_one()
    assert PASSWORD not in kept and kept.startswith("$argon2id$")
    assert PASSWORD.encode() not in b"".join(path.read_bytes() for path in tmp_path.rglob("console.db*"))


def test_a_password_is_as_hard_to_guess_as_argon2_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9106, section 4, the second recommended option; the other tests here take quicker hashes."""
    monkeypatch.setattr(accounts_module, "PasswordHasher", PasswordHasher)
    real = Accounts(open_store(tmp_path))
    real.put("ada", PASSWORD)
    with open_store(tmp_path).connect() as connection:
        kept = connection.execute(select(ACCOUNTS.c.password)).scalar_one()
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    real.require("ada", PASSWORD, NOW)


@pytest.mark.parametrize("password", ["", "short", "x" * 257])
def test_a_password_has_a_length(accounts: Accounts, password: str) -> None:
    with pytest.raises(InputError, match="expected a password of 12 to 256 characters"):
        accounts.put("bea", password)


@pytest.mark.attack(rights="visitor", stopped="an account locks after five wrong passwords, for longer each time")
def test_wrong_passwords_lock_an_account(accounts: Accounts) -> None:
    for _ in range(TRIES):
        with pytest.raises(Refused, match=WRONG):
            accounts.require("ada", "wrong password", NOW)
    with pytest.raises(Refused, match=WRONG):
        accounts.require("ada", PASSWORD, NOW)
    later = NOW + LOCK + timedelta(seconds=1)
    with pytest.raises(Refused, match=WRONG):
        accounts.require("ada", "wrong again", later)
    with pytest.raises(Refused, match=WRONG):
        accounts.require("ada", PASSWORD, later + LOCK)
    accounts.require("ada", PASSWORD, later + MOST)
    for _ in range(TRIES - 1):
        with pytest.raises(Refused, match=WRONG):
            accounts.require("ada", "wrong password", later + MOST)
    accounts.require("ada", PASSWORD, later + MOST)


@pytest.mark.parametrize(("password", "opens"), [(PASSWORD, True), ("wrong password", False)])
def test_several_tries_at_once_are_judged_one_by_one(accounts: Accounts, password: str, opens: bool) -> None:
    """Eight right ones lock nobody out; eight wrong ones lock."""

    def attempt(_: int) -> bool:
        try:
            accounts.require("ada", password, NOW)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(attempt, range(8))) == [opens] * 8
    with nullcontext() if opens else pytest.raises(Refused, match=WRONG):
        accounts.require("ada", PASSWORD, NOW)


def test_who_is_signed_in_is_listed_until_it_is_over(tmp_path: Path) -> None:
    sessions = Sessions(open_store(tmp_path))
    sessions.begin("ada", NOW)
    used = sessions.begin("bea", NOW + timedelta(minutes=5))
    assert sessions.find(used, NOW + IDLE)
    assert [(each.person, each.began, each.seen) for each in sessions.open(NOW + IDLE)] == [
        ("ada", NOW, NOW), ("bea", NOW + timedelta(minutes=5), NOW + IDLE),
    ]  # fmt: skip
    assert [each.person for each in sessions.open(NOW + IDLE + timedelta(minutes=1))] == ["bea"]
    assert sessions.end_all("bea") == 1 and sessions.open(NOW + IDLE + timedelta(minutes=1)) == []
    token, now = sessions.begin("ada", NOW), NOW
    while now < NOW + LONGEST:
        assert sessions.find(token, now)
        now += IDLE
    assert [each.began for each in sessions.open(NOW + LONGEST)] == [NOW]
    assert sessions.open(NOW + LONGEST + timedelta(seconds=1)) == []


def test_a_session_is_over_when_nobody_uses_it_and_after_a_day_of_work(tmp_path: Path) -> None:
    sessions = Sessions(open_store(tmp_path))
    token = sessions.begin("ada", NOW)
    found = sessions.find(token, NOW + IDLE)
    assert found is not None and found.person == "ada"
    assert sessions.find(token, NOW + 2 * IDLE) is not None, "it was used meanwhile"
    assert sessions.find(token, NOW + 3 * IDLE + timedelta(minutes=2)) is None
    token, now = sessions.begin("ada", NOW), NOW
    while now <= NOW + LONGEST:
        assert sessions.find(token, now) is not None
        now += IDLE
    assert sessions.find(token, now) is None
    with open_store(tmp_path).connect() as connection:
        kept = connection.execute(select(SESSIONS.c.token_sha256)).scalars().all()
    assert token not in kept


def test_sessions_end_one_by_one_and_all_of_a_person(tmp_path: Path) -> None:
    sessions = Sessions(open_store(tmp_path))
    first, second, other = (sessions.begin(who, NOW) for who in ("ada", "ada", "bea"))
    sessions.end(first)
    assert sessions.find(first, NOW) is None and sessions.find(second, NOW) is not None
    assert sessions.end_all("ada") == 1 and sessions.find(second, NOW) is None
    assert sessions.find(other, NOW) is not None and sessions.find("", NOW) is None
    one, two = sessions.find(other, NOW), Sessions(open_store(tmp_path)).begin("bea", NOW)
    assert one is not None and not sessions.find(two, NOW).owns(one.form_token), "a form is of one session"


@pytest.mark.attack(rights="visitor", stopped="nobody is locked out of a browser in which they have signed in before")
def test_a_known_browser_has_tries_of_its_own(accounts: Accounts) -> None:
    accounts.require("ada", PASSWORD, NOW)
    device = accounts.remember("ada", "", NOW)
    for _ in range(TRIES):
        with pytest.raises(Refused, match=WRONG):
            accounts.require("ada", "a stranger's try", NOW)
    with pytest.raises(Refused, match=WRONG):
        accounts.require("ada", PASSWORD, NOW)
    accounts.require("ada", PASSWORD, NOW, device)
    assert accounts.remember("ada", device, NOW) == device
    for _ in range(TRIES):
        with pytest.raises(Refused, match=WRONG):
            accounts.require("ada", "tried there", NOW, device)
    for _ in range(TRIES):
        with pytest.raises(Refused, match=WRONG):
            accounts.require("ada", "tried there", NOW)
    with pytest.raises(Refused, match=WRONG):
        accounts.require("ada", PASSWORD, NOW, device)


def test_a_browser_is_known_for_its_person_alone_and_until_the_password_changes(accounts: Accounts) -> None:
    accounts.put("bea", PASSWORD)
    device = accounts.remember("ada", "", NOW)
    assert accounts.knows("ada", device, NOW) and not accounts.knows("bea", device, NOW)
    assert not accounts.knows("ada", device, NOW + KNOWN + timedelta(seconds=1))
    accounts.put("ada", PASSWORD)
    assert not accounts.knows("ada", device, NOW)


@pytest.mark.attack(rights="visitor", stopped="a locked account is answered as slowly as any other")
@pytest.mark.parametrize("person", ["ada", "nobody", "locked"])
def test_every_try_takes_a_hash(accounts: Accounts, monkeypatch: pytest.MonkeyPatch, person: str) -> None:
    accounts.put("locked", PASSWORD)
    for _ in range(TRIES):
        with pytest.raises(Refused, match=WRONG):
            accounts.require("locked", "wrong password", NOW)
    hashed = []
    monkeypatch.setattr(accounts, "_fits", lambda kept, _: hashed.append(kept) or False)
    with pytest.raises(Refused, match=WRONG):
        accounts.require(person, "wrong password", NOW)
    assert len(hashed) == 1 and hashed[0].startswith("$argon2id$")


@pytest.mark.attack(rights="visitor", stopped="a sign-in that is under way does not survive a revoked password")
@pytest.mark.parametrize("meanwhile", ["revoked", "changed"])
def test_a_password_that_goes_meanwhile_opens_no_session(accounts: Accounts, tmp_path: Path, meanwhile: str) -> None:
    kept, sessions = accounts.require("ada", PASSWORD, NOW), Sessions(open_store(tmp_path))
    accounts.remove("ada") if meanwhile == "revoked" else accounts.put("ada", PASSWORD)
    with pytest.raises(Refused, match="taken away or changed meanwhile"):
        sessions.begin("ada", NOW, kept)
    assert sessions.open(NOW) == []


@pytest.mark.attack(rights="visitor", stopped="sign-ins wait for threads of their own, and only so many")
def test_sign_ins_take_no_thread_that_makes_pages() -> None:
    queue, go_on = Queue(together=2, waiting=3), Event()

    async def flood() -> list[object]:
        asked = [asyncio.create_task(queue.run(go_on.wait)) for _ in range(20)]
        await asyncio.sleep(0)
        go_on.set()
        return list(await asyncio.gather(*asked, return_exceptions=True))

    answers = asyncio.run(flood())
    assert answers.count(True) == 5 and sum(isinstance(each, TooMany) for each in answers) == 15
    assert asyncio.run(queue.run(lambda: 1)) == 1
