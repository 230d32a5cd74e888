"""A proxy that the environment names is no way to this machine itself."""

import os
import urllib.request

import httpx
import pytest

from infra import loopback, ports
from tests.answering import listening


def test_a_socks_proxy_keeps_nobody_from_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5h://127.0.0.1:9")  # nobody answers there
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")
    loopback.bypass_proxy()
    with listening("healthy") as (port, _), httpx.Client() as client:
        assert client.get(f"http://127.0.0.1:{port}/api/health").status_code == 200


def test_a_server_of_this_machine_is_asked_past_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "example.org")
    monkeypatch.setattr(urllib.request, "_opener", None)  # it would keep the proxies of its first use
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody answers there
    with listening("healthy") as (port, _):
        api = f"http://127.0.0.1:{port}/api"
        assert not ports.prefect_responds(api)
        for _ in range(2):
            loopback.bypass_proxy()
            assert ports.prefect_responds(api)
    assert os.environ["no_proxy"] == "example.org,127.0.0.1,localhost,::1", "each name once"
