"""Where a console listens, and under which address people reach it."""

import os
import socket
from pathlib import Path

import pytest

from infra.console import server
from infra.console.accounts import Accounts
from infra.console.database import open_database
from tasks.core.errors import InputError, Refused, Unavailable


@pytest.mark.parametrize(
    "given",
    [
        "http://hallmark.example.com", "https://Hallmark.Example.com", "https://hallmark.example.com:443", "https://[::1",
        "https://a b", "https://a#x", "https://me@a", "https://a/b", "ftp://a", "https://",
    ],
)  # fmt: skip
def test_an_address_that_no_browser_sends_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("HALLMARK_CONSOLE_ORIGIN", given)
    with pytest.raises(InputError, match="HALLMARK_CONSOLE_ORIGIN: expected an address as browsers send it"):
        server.start(tmp_path, print)
    assert server.find(tmp_path) is None


@pytest.mark.attack(rights="visitor", stopped="behind a proxy the console takes no other port than the proxy's")
def test_behind_a_proxy_it_takes_no_other_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("HALLMARK_CONSOLE_PORT", str(taken.getsockname()[1]))
        monkeypatch.setenv("HALLMARK_CONSOLE_ORIGIN", "https://hallmark.example.com")
        Accounts(open_database(tmp_path / ".hallmark")).set_password("ada", "a long enough one")
        with pytest.raises(Unavailable, match="is in use, and a proxy serves it"):
            server.start(tmp_path, print)


@pytest.mark.attack(rights="visitor", stopped="a console that others reach does not start without a sign-in")
def test_others_reach_no_console_without_sign_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_CONSOLE_ORIGIN", "https://hallmark.example.com")
    with pytest.raises(Refused, match="others reach the console, and no sign-in is configured"):
        server.start(tmp_path, print)
    assert server.find(tmp_path) is None
    monkeypatch.setenv("HALLMARK_CONSOLE_PASSWORDS", "off")
    with pytest.raises(InputError, match="HALLMARK_CONSOLE_PASSWORDS=off, and no provider signs anybody in"):
        server.start(tmp_path, print)
    monkeypatch.setenv("HALLMARK_OIDC_ISSUER", "https://login.example.com")
    with pytest.raises(InputError, match="belong together; set HALLMARK_OIDC_CLIENT_ID too"):
        server.start(tmp_path, print)
    monkeypatch.setenv("HALLMARK_OIDC_CLIENT_ID", "hallmark")
    server._require_sign_in(tmp_path, "https://hallmark.example.com")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"origin": 1}', "\x00"])
def test_a_damaged_file_is_no_console(tmp_path: Path, content: str) -> None:
    server.console_folder(tmp_path).mkdir(parents=True)
    (server.console_folder(tmp_path) / "up.json").write_text(content)
    assert server.find(tmp_path) is None and not server.stop(tmp_path)


def test_it_comes_back_on_the_port_that_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HALLMARK_CONSOLE_PORT", raising=False)
    server.console_folder(tmp_path).mkdir(parents=True)
    assert server._preferred_port(tmp_path) == server.DEFAULT_PORT
    (server.console_folder(tmp_path) / "port").write_text("4711")
    assert server._preferred_port(tmp_path) == 4711
    monkeypatch.setitem(os.environ, "HALLMARK_CONSOLE_PORT", "4712")
    assert server._preferred_port(tmp_path) == 4712
