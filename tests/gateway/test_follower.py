"""A newer promotion is followed while requests go on; what is not admitted replaces nothing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from infra.gateway.app import application
from infra.gateway.caller_keys import CallerKeys
from infra.gateway.gateway import Gateway
from infra.http.connections import uvicorn_config
from tasks.core.errors import Refused
from tasks.registry.admit import admission
from tasks.serve import follower
from tasks.serve.engine import Engine, EngineClosed, Request
from tasks.serve.follower import ReleaseFollower, Serving
from tests.console.servers import free_port, served
from tests.gateway.conftest import TOKEN, Served
from tests.gateway.test_gateway import CHAT, body
from tests.registry.conftest import copied
from tests.registry.house import NAME, writable
from tests.registry.test_export import release


@pytest.fixture
def following(tmp_path: Path, founded_once: Path) -> Iterator[Served]:
    house = copied(founded_once, tmp_path / "house")
    rows = release(house)
    followed = ReleaseFollower(house.root, NAME, "test")
    keys, port = CallerKeys(house.state / "gateway"), free_port()
    gateway = Gateway(NAME, followed, keys, TOKEN)
    with served(uvicorn_config(application(gateway), port, behind_proxy=False)):
        yield Served(house, gateway, keys, f"http://127.0.0.1:{port}", rows)
    followed.stop()


def entries(up: Served) -> int:
    return len(
        up.house.ledger.rows_about(admission.ADMITTED, NAME) + up.house.ledger.rows_about(admission.REFUSED, NAME)
    )


def test_a_promotion_is_followed_and_no_request_fails(following: Served) -> None:
    done = Event()

    def ask_on(client: Any) -> list[tuple[int, str, str]]:
        found = []
        while not done.is_set():
            response = client.post(CHAT, json=body(following.rows[0]["question"], max_tokens=3))
            found.append(
                (response.status_code, response.headers["hallmark-release"], response.json()["system_fingerprint"])
            )
        return found

    with following.client() as client, ThreadPoolExecutor(4) as callers:
        asked = [callers.submit(ask_on, client) for _ in range(4)]
        try:
            followed = following.gateway.follower
            followed.check()
            assert followed.current.release.admitted.label == f"{NAME}-1"
            release(following.house, run="run-2")
            followed.check()
            client.post(CHAT, json=body("one more"))
        finally:
            done.set()
        found = [each for future in asked for each in future.result()]
    assert {status for status, _, _ in found} == {200}
    assert {label for _, label, _ in found} == {f"{NAME}-1", f"{NAME}-2"}
    assert len({digest for _, _, digest in found}) == 2, "each answer names the release that gave it"
    assert followed.current.release.admitted.sequence == 2 and followed.problem == ""


@pytest.mark.attack(
    rights="disk", stopped="a release that is not admitted replaces nothing, and what is loaded answers on"
)
def test_a_changed_release_replaces_nothing(following: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    followed = following.gateway.follower
    release(following.house, run="run-2")
    (weights,) = writable(following.house.bundle(f"{NAME}-2") / "payload" / "model").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    followed.check()
    assert followed.current.release.admitted.label == f"{NAME}-1" and "triage-2" in followed.problem
    before = entries(following)
    followed.check()
    assert entries(following) == before, "it is not tried again at once"
    monkeypatch.setattr(follower, "RETRY_SECONDS", 0)
    followed._retry_at = 0
    followed.check()
    assert entries(following) == before + 1
    with following.client() as client:
        answer = client.post(CHAT, json=body(following.rows[0]["question"])).json()
    assert answer["choices"][0]["message"]["content"] == following.rows[0]["answer"]


@pytest.mark.attack(rights="disk", stopped="weights are read into memory, and the files are verified again afterwards")
def test_files_that_change_under_the_gateway_change_no_answer(following: Served) -> None:
    admitted = following.gateway.follower.current.release.admitted
    for folder in (admitted.model, admitted.base):
        assert folder is not None
        for weights in writable(folder).glob("*.safetensors"):
            with weights.open("r+b") as file:
                file.seek(-4096, 2)
                file.write(b"\x7f" * 4096)
    with following.client() as client:
        found = [client.post(CHAT, json=body(row["question"])).json() for row in following.rows]
    assert [each["choices"][0]["message"]["content"] for each in found] == [row["answer"] for row in following.rows]
    with pytest.raises(Refused):
        admission.admit(following.house.ledger, following.house.governance, NAME)


def test_a_request_that_meets_the_change_is_answered_by_the_new_release(
    following: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed = following.gateway.follower
    old = followed.current
    new = Serving(old.release, Engine(old.release.create_decoder))

    def closed(_: Request) -> None:
        followed.current = new
        raise EngineClosed("closed")

    monkeypatch.setattr(old.engine, "submit", closed)
    with following.client() as client:
        answer = client.post(CHAT, json=body(following.rows[0]["question"]))
        assert answer.json()["choices"][0]["message"]["content"] == following.rows[0]["answer"]
        followed.current = old
        monkeypatch.setattr(old.engine, "submit", new.engine.submit)
        new.engine.close()
        stopping = client.post(CHAT, json=body("x"))
    assert (stopping.status_code, stopping.json()["error"]["code"]) == (503, "stopping")


def test_while_the_ledger_is_away_the_release_answers_on(following: Served) -> None:
    followed, database = following.gateway.follower, following.house.state / "ledger.db"
    database.rename(database.with_suffix(".away"))
    database.mkdir()
    try:
        followed.check()
        assert followed.problem
        with following.client() as client:
            assert client.post(CHAT, json=body("x")).status_code == 200
            assert client.get("/health").json()["following"] is False
    finally:
        database.rmdir()
        database.with_suffix(".away").rename(database)
    followed.check()
    assert followed.problem == ""
