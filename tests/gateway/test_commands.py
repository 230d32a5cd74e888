"""`hallmark serve`: a process of its own that answers, is found and is stopped; and keys of callers."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from infra.gateway import server
from tasks.core.errors import InputError, Refused
from tests.gateway.test_gateway import CHAT, body
from tests.in_process import hallmark, hallmark_json
from tests.patience import wait_until
from tests.registry.conftest import copied
from tests.registry.house import NAME, House
from tests.registry.test_export import release


@pytest.fixture
def promoted(tmp_path: Path, founded_once: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv(server.PORT_VARIABLE, "0")
    house = copied(founded_once, tmp_path / "house")
    release(house)
    house.checkout()
    return house


def test_the_gateway_starts_answers_and_leaves_nothing(promoted: House) -> None:
    root = promoted.root
    assert hallmark_json(root, "serve", "status") == {"up": False}
    started = hallmark_json(root, "serve", "up")
    try:
        assert started["model"] == NAME and started["key"].startswith("hmk-")
        told = httpx.post(
            f"{started['url'].removesuffix('/v1')}{CHAT}",
            json=body("x"),
            headers={"Authorization": f"Bearer {started['key']}"},
            timeout=60,
            trust_env=False,
        ).json()
        assert told["hallmark"]["release"] == f"{NAME}-1"
        again = hallmark_json(root, "serve", "up")
        assert (again["url"], again["key"]) == (started["url"], None), "it is not started twice, no key is shown twice"
        assert f"serves {NAME}-1, ok" in hallmark(root, "serve", "status")
        with pytest.raises(InputError, match="the gateway serves triage"):
            server.start(root, "other", print)
    finally:
        assert hallmark(root, "serve", "down").strip() == "stopped"
    assert server.find(root) is None and hallmark_json(root, "serve", "status") == {"up": False}


def test_a_start_that_is_killed_leaves_a_gateway_that_is_found_and_stopped(promoted: House) -> None:
    root = promoted.root
    state = server.gateway_folder(root) / "up.json"
    starting = subprocess.Popen([sys.executable, "-m", "hallmark", "serve", "up", NAME], cwd=root)
    try:
        wait_until(state.exists, "the gateway's process to be started")
    finally:
        starting.kill()
        starting.wait()
    assert server.find(root) is not None
    again = server.start(root, NAME, print)
    assert again == server.find(root) and httpx.get(f"{again.origin}/health", trust_env=False).json()["status"] == "ok"
    assert server.stop(root) and not again.process.is_alive()


def test_what_is_not_admitted_is_not_served_and_the_command_says_why(promoted: House) -> None:
    with pytest.raises(Refused, match="no release of 'other' is promoted"):
        server.start(promoted.root, "other", print)
    assert server.find(promoted.root) is None


def test_keys_are_listed_without_their_text(promoted: House) -> None:
    given = hallmark(promoted.root, "serve", "add-key", "helpdesk", "--days", "90").split()[-1]
    (key,) = hallmark_json(promoted.root, "serve", "keys")
    assert key["caller"] == "helpdesk" and key.keys() == {"id", "caller", "created", "expires"}
    assert given not in hallmark(promoted.root, "serve", "keys")
    assert f"key {key['id']} of helpdesk" in hallmark(promoted.root, "serve", "revoke-key", key["id"])
    assert "no caller has a key" in hallmark(promoted.root, "serve", "keys")
    path = promoted.state / "gateway" / "keys.json"
    assert path.stat().st_mode & 0o077 == 0
    path.write_text("{")
    assert "remove it and give out new keys" in hallmark(promoted.root, "serve", "keys", code=2)
