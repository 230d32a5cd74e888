"""Passwords and sessions: what they open, for how long, and what locks them."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Semaphore
from time import sleep

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from infra.console import accounts as accounts_module
from infra.console.accounts import (
    DEVICE_LIFETIME,
    FIRST_LOCKOUT,
    MAX_FAILED_ATTEMPTS,
    MAX_LOCKOUT,
    REFUSED_PASSWORD_MESSAGE,
    Accounts,
)
from infra.console.database import ACCOUNTS, SESSIONS, open_database
from infra.console.sessions import IDLE_TIMEOUT, MAX_SESSION_DURATION, Sessions
from infra.http.rate_limits import SignInQueue, TooManyRequests
from tasks.core.errors import InputError, Refused

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
PASSWORD = "a long enough one"


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    made = Accounts(open_database(tmp_path))
    made.set_password("ada", PASSWORD)
    return made


def test_a_password_opens_its_own_account_alone(accounts: Accounts) -> None:
    accounts.verify_password("ada", PASSWORD, NOW)
    for person, password in (("ada", PASSWORD + "!"), ("bea", PASSWORD), ("ada", ""), ("", ""), ("ada", "x" * 10_000)):
        with pytest.raises(Refused, match=REFUSED_PASSWORD_MESSAGE):
            accounts.verify_password(person, password, NOW)
    assert (
        accounts.people_with_password() == ["ada"]
        and accounts.delete_password("ada")
        and not accounts.delete_password("ada")
    )
    with pytest.raises(Refused, match=REFUSED_PASSWORD_MESSAGE):
        accounts.verify_password("ada", PASSWORD, NOW)


def test_no_password_is_kept(accounts: Accounts, tmp_path: Path) -> None:
    with open_database(tmp_path).connect() as connection:
        kept = connection.execute(select(ACCOUNTS.c.password)).scalar_one()
    assert PASSWORD not in kept and kept.startswith("$argon2id$")
    assert PASSWORD.encode() not in b"".join(path.read_bytes() for path in tmp_path.rglob("console.db*"))


def test_a_password_is_as_hard_to_guess_as_argon2_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9106, section 4, the second recommended option; the other tests here take quicker hashes."""
    monkeypatch.setattr(accounts_module, "PasswordHasher", PasswordHasher)
    real = Accounts(open_database(tmp_path))
    real.set_password("ada", PASSWORD)
    with open_database(tmp_path).connect() as connection:
        kept = connection.execute(select(ACCOUNTS.c.password)).scalar_one()
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    real.verify_password("ada", PASSWORD, NOW)


@pytest.mark.parametrize("password", ["", "short", "x" * 257])
def test_a_password_has_a_length(accounts: Accounts, password: str) -> None:
    with pytest.raises(InputError, match="expected a password of 12 to 256 characters"):
        accounts.set_password("bea", password)


@pytest.mark.attack(rights="visitor", stopped="an account locks after five wrong passwords, for longer each time")
def test_wrong_passwords_lock_an_account(accounts: Accounts) -> None:
    for _ in range(MAX_FAILED_ATTEMPTS):
        with pytest.raises(Refused, match=REFUSED_PASSWORD_MESSAGE):
            accounts.verify_password("ada", "wrong password", NOW)
    with pytest.raises(Refused, match=REFUSED_PASSWORD_MESSAGE):
        accounts.verify_password("ada", PASSWORD, NOW)
    later = NOW + FIRST_LOCKOUT + timedelta(seconds=1)
    with pytest.raises(Refused, match=REFUSED_PASSWORD_MESSAGE):
        accounts.verify_password("ada", "wrong again", later)
    with pytest.raises(Refused, match=REFUSED_PASSWORD_MESSAGE):
        accounts.verify_password("ada", PASSWORD, later + FIRST_LOCKOUT)
    accounts.verify_password("ada", PASSWORD, later + MAX_LOCKOUT)
    for _ in range(MAX_FAILED_ATTEMPTS - 1):
        with pytest.raises(Refused, match=REFUSED_PASSWORD_MESSAGE):
            accounts.verify_password("ada", "wrong password", later + MAX_LOCKOUT)
    accounts.verify_password("ada", PASSWORD, later + MAX_LOCKOUT)


@pytest.mark.parametrize(("password", "opens"), [(PASSWORD, True), ("wrong password", False)])
def test_several_tries_at_once_are_judged_one_by_one(accounts: Accounts, password: str, opens: bool) -> None:
    """Eight right ones lock nobody out; eight wrong ones lock."""

    def attempt(_: int) -> bool:
        try:
            accounts.verify_password("ada", password, NOW)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(attempt, range(8))) == [opens] * 8
    with nullcontext() if opens else pytest.raises(Refused, match=REFUSED_PASSWORD_MESSAGE):
        accounts.verify_password("ada", PASSWORD, NOW)


@pytest.mark.attack(
    rights="visitor", stopped="two sign-ins at once take as long for an unknown name as for a known one"
)
@pytest.mark.parametrize("person", ["ada", "nobody"])
def test_tries_at_one_name_run_one_at_a_time(accounts: Accounts, monkeypatch: pytest.MonkeyPatch, person: str) -> None:
    turns, alone_each = Semaphore(1), list[bool]()

    def matches(*_: object) -> bool:
        alone_each.append(alone := turns.acquire(blocking=False))
        sleep(0.01)
        if alone:
            turns.release()
        return False

    monkeypatch.setattr(accounts, "_matches", matches)
    with ThreadPoolExecutor(4) as pool:
        for attempt in [pool.submit(accounts.verify_password, person, "wrong password", NOW) for _ in range(4)]:
            with pytest.raises(Refused, match=REFUSED_PASSWORD_MESSAGE):
                attempt.result()
    assert alone_each == [True] * 4


def test_who_is_signed_in_is_listed_until_it_is_over(tmp_path: Path) -> None:
    sessions = Sessions(open_database(tmp_path))
    sessions.begin_session("ada", NOW)
    used = sessions.begin_session("bea", NOW + timedelta(minutes=5))
    assert sessions.find_session(used, NOW + IDLE_TIMEOUT)
    assert [(each.person, each.began, each.seen) for each in sessions.list_open(NOW + IDLE_TIMEOUT)] == [
        ("ada", NOW, NOW), ("bea", NOW + timedelta(minutes=5), NOW + IDLE_TIMEOUT),
    ]  # fmt: skip
    assert [each.person for each in sessions.list_open(NOW + IDLE_TIMEOUT + timedelta(minutes=1))] == ["bea"]
    assert sessions.end_sessions_of("bea") == 1 and sessions.list_open(NOW + IDLE_TIMEOUT + timedelta(minutes=1)) == []
    token, now = sessions.begin_session("ada", NOW), NOW
    while now < NOW + MAX_SESSION_DURATION:
        assert sessions.find_session(token, now)
        now += IDLE_TIMEOUT
    assert [each.began for each in sessions.list_open(NOW + MAX_SESSION_DURATION)] == [NOW]
    assert sessions.list_open(NOW + MAX_SESSION_DURATION + timedelta(seconds=1)) == []


def test_a_session_is_over_when_nobody_uses_it_and_after_a_day_of_work(tmp_path: Path) -> None:
    sessions = Sessions(open_database(tmp_path))
    token = sessions.begin_session("ada", NOW)
    found = sessions.find_session(token, NOW + IDLE_TIMEOUT)
    assert found is not None and found.person == "ada"
    assert sessions.find_session(token, NOW + 2 * IDLE_TIMEOUT) is not None, "it was used meanwhile"
    assert sessions.find_session(token, NOW + 3 * IDLE_TIMEOUT + timedelta(minutes=2)) is None
    token, now = sessions.begin_session("ada", NOW), NOW
    while now <= NOW + MAX_SESSION_DURATION:
        assert sessions.find_session(token, now) is not None
        now += IDLE_TIMEOUT
    assert sessions.find_session(token, now) is None
    with open_database(tmp_path).connect() as connection:
        kept = connection.execute(select(SESSIONS.c.token_sha256)).scalars().all()
    assert token not in kept


def test_sessions_end_one_by_one_and_all_of_a_person(tmp_path: Path) -> None:
    sessions = Sessions(open_database(tmp_path))
    first, second, other = (sessions.begin_session(who, NOW) for who in ("ada", "ada", "bea"))
    sessions.end_session(first)
    assert sessions.find_session(first, NOW) is None and sessions.find_session(second, NOW) is not None
    assert sessions.end_sessions_of("ada") == 1 and sessions.find_session(second, NOW) is None
    assert sessions.find_session(other, NOW) is not None and sessions.find_session("", NOW) is None
    one, two = sessions.find_session(other, NOW), Sessions(open_database(tmp_path)).begin_session("bea", NOW)
    assert one is not None and not sessions.find_session(two, NOW).owns_form_token(one.form_token), (
        "a form is of one session"
    )


@pytest.mark.attack(rights="visitor", stopped="nobody is locked out of a browser in which they have signed in before")
def test_a_known_browser_has_tries_of_its_own(accounts: Accounts) -> None:
    accounts.verify_password("ada", PASSWORD, NOW)
    device = accounts.remember_device("ada", "", NOW)
    for _ in range(MAX_FAILED_ATTEMPTS):
        with pytest.raises(Refused, match=REFUSED_PASSWORD_MESSAGE):
            accounts.verify_password("ada", "a stranger's try", NOW)
    with pytest.raises(Refused, match=REFUSED_PASSWORD_MESSAGE):
        accounts.verify_password("ada", PASSWORD, NOW)
    accounts.verify_password("ada", PASSWORD, NOW, device)
    assert accounts.remember_device("ada", device, NOW) == device
    for _ in range(MAX_FAILED_ATTEMPTS):
        with pytest.raises(Refused, match=REFUSED_PASSWORD_MESSAGE):
            accounts.verify_password("ada", "tried there", NOW, device)
    for _ in range(MAX_FAILED_ATTEMPTS):
        with pytest.raises(Refused, match=REFUSED_PASSWORD_MESSAGE):
            accounts.verify_password("ada", "tried there", NOW)
    with pytest.raises(Refused, match=REFUSED_PASSWORD_MESSAGE):
        accounts.verify_password("ada", PASSWORD, NOW, device)


def test_a_browser_is_known_for_its_person_alone_and_until_the_password_changes(accounts: Accounts) -> None:
    accounts.set_password("bea", PASSWORD)
    device = accounts.remember_device("ada", "", NOW)
    assert accounts.is_known_device("ada", device, NOW) and not accounts.is_known_device("bea", device, NOW)
    assert not accounts.is_known_device("ada", device, NOW + DEVICE_LIFETIME + timedelta(seconds=1))
    accounts.set_password("ada", PASSWORD)
    assert not accounts.is_known_device("ada", device, NOW)


@pytest.mark.attack(rights="visitor", stopped="a locked account is answered as slowly as any other")
@pytest.mark.parametrize("person", ["ada", "nobody", "locked"])
def test_every_try_takes_a_hash(accounts: Accounts, monkeypatch: pytest.MonkeyPatch, person: str) -> None:
    accounts.set_password("locked", PASSWORD)
    for _ in range(MAX_FAILED_ATTEMPTS):
        with pytest.raises(Refused, match=REFUSED_PASSWORD_MESSAGE):
            accounts.verify_password("locked", "wrong password", NOW)
    hashed = []
    monkeypatch.setattr(accounts, "_matches", lambda kept, _: hashed.append(kept) or False)
    with pytest.raises(Refused, match=REFUSED_PASSWORD_MESSAGE):
        accounts.verify_password(person, "wrong password", NOW)
    assert len(hashed) == 1 and hashed[0].startswith("$argon2id$")


@pytest.mark.attack(rights="visitor", stopped="a sign-in that is under way does not survive a revoked password")
@pytest.mark.parametrize("meanwhile", ["revoked", "changed"])
def test_a_password_that_goes_meanwhile_opens_no_session(accounts: Accounts, tmp_path: Path, meanwhile: str) -> None:
    kept, sessions = accounts.verify_password("ada", PASSWORD, NOW), Sessions(open_database(tmp_path))
    accounts.delete_password("ada") if meanwhile == "revoked" else accounts.set_password("ada", PASSWORD)
    with pytest.raises(Refused, match="taken away or changed meanwhile"):
        sessions.begin_session("ada", NOW, kept)
    assert sessions.list_open(NOW) == []


@pytest.mark.attack(rights="visitor", stopped="sign-ins wait for threads of their own, and only so many")
def test_sign_ins_take_no_thread_that_makes_pages() -> None:
    queue, go_on = SignInQueue(max_parallel=2, max_waiting=3), Event()

    async def flood() -> list[object]:
        asked = [asyncio.create_task(queue.run(go_on.wait)) for _ in range(20)]
        await asyncio.sleep(0)
        go_on.set()
        return list(await asyncio.gather(*asked, return_exceptions=True))

    answers = asyncio.run(flood())
    assert answers.count(True) == 5 and sum(isinstance(each, TooManyRequests) for each in answers) == 15
    assert asyncio.run(queue.run(lambda: 1)) == 1
