"""The gateway answers as evaluated, refuses what it was not evaluated with, and logs no text."""

import asyncio
import json
import logging
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from infra.gateway import answering, chat_completions, chat_request
from infra.gateway.answering import ClientGone
from infra.gateway.completion import Completion
from tasks.core.errors import InputError
from tasks.serve.engine import Request
from tasks.stages.evaluate.decode import DecodingBatch
from tests.gateway.conftest import TOKEN, Served
from tests.patience import wait_until
from tests.registry.house import NAME

CHAT = "/v1/chat/completions"


def body(question: object, **more: Any) -> dict[str, Any]:
    return {"model": NAME, "messages": [{"role": "user", "content": question}], **more}


def events(response: httpx.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_every_evaluated_row_is_answered_as_it_was_evaluated(up: Served) -> None:
    with up.client() as client, ThreadPoolExecutor(6) as callers:
        found = list(callers.map(lambda row: client.post(CHAT, json=body(row["question"])).json(), up.rows))
    assert [each["choices"][0]["message"]["content"] for each in found] == [row["answer"] for row in up.rows]
    stopped = [each["choices"][0]["finish_reason"] == "stop" for each in found]
    assert stopped == [row["stopped"] for row in up.rows]
    for each, row in zip(found, up.rows, strict=True):
        assert each["usage"]["prompt_tokens"] == row["prompt_tokens"]
        assert each["usage"]["completion_tokens"] == row["answer_tokens"]


def test_an_answer_says_which_release_gave_it(up: Served) -> None:
    with up.client() as client:
        response = client.post(CHAT, json=body(up.rows[0]["question"]))
    admitted = up.gateway.follower.current.release.admitted
    assert response.json()["system_fingerprint"] == admitted.release_sha256
    assert response.headers["hallmark-release"] == admitted.label == f"{NAME}-1"
    assert (response.headers["hallmark-sequence"], response.headers["hallmark-arm"]) == ("1", "champion")
    assert 0 < response.json()["hallmark"]["confidence"] <= 1


def test_a_stream_has_the_same_answer_in_parts(up: Served) -> None:
    with up.client() as client:
        for row in up.rows[:3]:
            asked = body(row["question"], stream=True, stream_options={"include_usage": True})
            found = events(client.post(CHAT, json=asked))
            assert found[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
            said = [each["choices"][0]["delta"].get("content", "") for each in found if each["choices"]]
            assert "".join(said) == row["answer"] and len(said) > 3
            assert found[-2]["choices"][0]["finish_reason"] in ("stop", "length")
            assert found[-1]["usage"]["completion_tokens"] == row["answer_tokens"]


def test_a_client_may_ask_for_fewer_tokens(up: Served) -> None:
    with up.client() as client:
        found = client.post(CHAT, json=body("x", max_completion_tokens=2)).json()
    assert found["usage"]["completion_tokens"] == 2 and found["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("asked", "status", "code", "said"),
    [
        (b"\xff", 400, "invalid_value", "the body"),
        (b"{", 400, "invalid_value", "the body: Invalid JSON"),
        (b"[]", 400, "invalid_value", "the body"),
        ({"model": NAME, "messages": []}, 400, "invalid_value", "messages"),
        (body("x") | {"model": "other"}, 404, "model_not_found", f"expected {NAME}"),
        (body("x") | {"model": f"{NAME}/other"}, 404, "model_not_found", "there is no model"),
        (body("x", temperature=0.7), 400, "invalid_value", "temperature: the release answers by greedy decoding"),
        (body("x", n=2), 400, "invalid_value", "n: "),
        (body("x", stop=["\n"]), 400, "invalid_value", "stop"),
        (body("x", tools=[{}]), 400, "invalid_value", "tools"),
        (body("x", best_of=2), 400, "unsupported_parameter", "best_of: this parameter is not supported"),
        (body("x", max_tokens=0), 400, "invalid_value", "max_tokens"),
        (body([{"type": "image_url", "image_url": {"url": "x"}}]), 400, "invalid_value", "messages"),
        (body("x <|im_end|>"), 400, "invalid_value", "a special token of the tokenizer"),
        (body("x" * 5000), 400, "context_length_exceeded", "do not fit into the 4096 tokens"),
        (body("x" * 3000), 400, "context_length_exceeded", "takes at most 2048"),
        ({"model": NAME, "messages": [{"role": "system", "content": "be rude"}, {"role": "user", "content": "x"}]},
         400, "unsupported_value", "its own system prompt"),
        ({"model": NAME, "messages": [{"role": "assistant", "content": "x"}]},
         400, "invalid_value", "last one of `user`"),
        (body("x" * chat_request.MAX_BODY_BYTES), 413, "body_too_large", "at most 1048576 bytes"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_as_evaluated_is_refused(
    up: Served, asked: object, status: int, code: str, said: str
) -> None:
    with up.client() as client:
        response = client.post(CHAT, content=asked if isinstance(asked, bytes) else json.dumps(asked).encode())
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code) and said in error["message"]
    assert error.keys() == {"message", "type", "param", "code"}


def test_parameters_that_change_nothing_are_taken(up: Served) -> None:
    row = up.rows[0]
    parts = [{"type": "text", "text": row["question"]}]
    more = {"temperature": 0, "top_p": 1, "seed": 7, "user": "u", "n": 1, "stop": None, "metadata": {"a": "b"}}
    with up.client() as client:
        found = client.post(CHAT, json=body(parts, **more)).json()
    assert found["choices"][0]["message"]["content"] == row["answer"]


@pytest.mark.attack(rights="visitor", stopped="a request without a valid key is refused")
@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer x", "Basic hmk-x", "Bearer hmk-x", f"Bearer hmk-{'x' * 9000}"])
def test_who_has_no_key_gets_nothing(up: Served, sent: str) -> None:
    with httpx.Client(base_url=up.url, headers={"Authorization": sent}, trust_env=False) as client:
        for response in (client.post(CHAT, json=body("x")), client.get("/v1/models"), client.get(f"/v1/models/{NAME}")):
            assert response.status_code == 401 and response.json()["error"]["code"] == "invalid_api_key"
        assert client.get("/metrics").status_code == 401


@pytest.mark.attack(rights="disk", stopped="only digests of callers' keys are stored")
def test_keys_change_without_a_gap(up: Served) -> None:
    old = up.keys.add("rotating")
    new = up.keys.add("rotating", days=1)
    stored = (up.house.governance.state / "gateway" / "keys.json").read_text()
    assert old not in stored and new not in stored
    (first, second) = [key for key in up.keys.list_keys() if key.caller == "rotating"]
    assert first.expires is None and second.expires is not None
    with up.client(old) as before, up.client(new) as after:
        assert (before.get("/v1/models").status_code, after.get("/v1/models").status_code) == (200, 200)
        up.keys.revoke(first.id)
        assert (before.get("/v1/models").status_code, after.get("/v1/models").status_code) == (401, 200)
    with pytest.raises(InputError, match="there is no key"):
        up.keys.revoke(first.id)
    with pytest.raises(InputError, match="caller: expected up to 64"):
        up.keys.add("A B")


@pytest.mark.attack(rights="disk", stopped="keys that cannot be read open nothing, and hold nothing up")
@pytest.mark.parametrize("kind", ["pipe", "folder", "loop", "damaged"])
def test_keys_that_cannot_be_read_are_an_error_of_the_gateway(up: Served, kind: str) -> None:
    path = up.house.governance.state / "gateway" / "keys.json"
    aside = path.with_suffix(".aside")
    with up.client() as client:
        path.rename(aside)
        try:
            match kind:
                case "pipe":
                    os.mkfifo(path)
                case "folder":
                    path.mkdir()
                case "loop":
                    path.symlink_to(path.name)
                case _:
                    path.write_text("{")
            response = client.get("/v1/models")
        finally:
            path.rmdir() if kind == "folder" else path.unlink()
            aside.rename(path)
        assert response.status_code == 503 and "keys of callers cannot be read" in response.json()["error"]["message"]
        assert client.get("/v1/models").status_code == 200


def test_models_are_listed(up: Served) -> None:
    with up.client() as client:
        (listed,) = client.get("/v1/models").json()["data"]
        assert listed["id"] == NAME and client.get(f"/v1/models/{NAME}").json() == listed
        assert client.get("/v1/models/other").json()["error"]["code"] == "model_not_found"
        assert client.get("/other").json()["error"]["message"] == "there is no GET /other"
        assert client.get("/health").json()["release"] == f"{NAME}-1"


@pytest.mark.attack(rights="visitor", stopped="neither log nor metrics hold text of requests or answers")
def test_neither_log_nor_metrics_hold_a_text(up: Served, caplog: pytest.LogCaptureFixture) -> None:
    secret = "4242 4242 4242 4242"
    with up.client() as client, caplog.at_level(logging.DEBUG):
        answer = client.post(CHAT, json=body(secret)).json()["choices"][0]["message"]["content"]
        client.post(CHAT, json=body(f"{secret} <|im_end|>"))
        client.post(CHAT, json=body("x", user=secret, zzz=secret))
        client.headers["Authorization"] = f"Bearer {TOKEN.decode()}"
        metrics = client.get("/metrics").text
    own = [each.getMessage() for each in caplog.records if each.name == chat_completions.log.name]
    assert any("caller=helpdesk" in line and "outcome=answered" in line for line in own)
    assert answer and len([line for line in own if "outcome=bad_request" in line]) == 2
    assert secret not in caplog.text + metrics and answer not in "".join(own) + metrics
    assert 'hallmark_gateway_requests_total{outcome="answered"}' in metrics


@pytest.mark.parametrize("stream", [True, False])
def test_who_hangs_up_is_not_answered_on(up: Served, monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    key, steps = up.keys.add("leaving"), threading.Semaphore(0)
    step = DecodingBatch.step

    def slow(batch: DecodingBatch) -> None:
        steps.release()
        time.sleep(0.3)
        step(batch)

    monkeypatch.setattr(DecodingBatch, "step", slow)
    monkeypatch.setattr(answering, "HANG_UP_CHECK_SECONDS", 0.05)
    cancelled, answered = (up.gateway.metrics.requests.labels(name) for name in ("cancelled", "answered"))
    before = cancelled._value.get(), answered._value.get()
    content = json.dumps(body(up.rows[1]["question"], stream=stream)).encode()
    host, port = up.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:
        head = f"POST {CHAT} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(content)}"
        line.sendall(f"{head}\r\n\r\n".encode() + content)
        assert steps.acquire(timeout=60)
    engine = up.gateway.follower.current.engine
    wait_until(lambda: engine.running == 0 and not up.gateway.limits._in_progress["leaving"], "the request to end")
    assert (cancelled._value.get(), answered._value.get()) == (before[0] + 1, before[1])


def test_a_request_that_nobody_waits_for_leaves_the_batch(up: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    serving = up.gateway.follower.current
    completion = Completion(serving.release, NAME, 1)
    submitted: list[Request] = []
    monkeypatch.setattr(serving.engine, "submit", submitted.append)

    async def leave() -> None:
        async def gone() -> bool:
            return True

        async for _ in answering.generate(serving.engine, [1], 1, completion, gone):
            pass

    with pytest.raises(ClientGone):
        asyncio.run(leave())
    assert submitted[0].cancelled


def test_a_caller_with_too_many_requests_is_told_to_wait(up: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up.gateway.limits, "_max_parallel", 0)
    with up.client() as client:
        response = client.post(CHAT, json=body("x"))
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    assert response.json()["error"]["code"] == "rate_limit_exceeded"


def test_a_full_queue_says_429(up: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up.gateway.follower.current.engine, "_max_waiting", 0)
    with up.client() as client:
        response = client.post(CHAT, json=body("x"))
    assert (response.status_code, response.json()["error"]["code"]) == (429, "queue_full")
