"""Who may join a cluster, and what is said to whoever may not: tokens, TLS, one that is away, one without room."""

import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tasks.core.errors import InputError, Unavailable
from tasks.stages.cluster import connection
from tasks.stages.cluster import head_check as head_of_ray
from tests.soaking import soak
from tests.stages.train.ray_head import TOKEN, free_port, join, started


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Ray's settings for TLS."""
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory, tls: dict[str, str]) -> Iterator[str]:
    """Address of a cluster that asks for TOKEN and has TLS."""
    with started(tmp_path_factory.mktemp("head"), **tls) as address:
        yield address


WITH_TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "asks for a token; set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "wrong"}, "refuses the token of RAY_AUTH_TOKEN; set that of"),
        ({"RAY_AUTH_MODE": "token"}, "there is no token; set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"),
        *soak(
            [
                ({"RAY_AUTH_TOKEN": TOKEN}, "asks for a token; set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"),
                (
                    {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": "/none"},
                    "RAY_AUTH_TOKEN_PATH: /none cannot be read",
                ),
            ]
        ),
    ],
    ids=["nothing", "wrong token", "no token", "no mode", "no file"],
)
def test_a_cluster_that_asks_for_a_token_says_what_to_set(
    head: str, tmp_path: Path, tls: dict[str, str], given: dict[str, str], words: str
) -> None:
    """Ray itself would try for 20 seconds. Who has the token is let in by the tests of TLS and of places."""
    told = join(tmp_path, RAY_ADDRESS=head, **connection.LOOPBACK_VARIABLES, **tls, **given)
    assert (told.returncode, words in told.stdout) == (2, True), told
    assert "does not answer" not in told.stdout and TOKEN not in told.stdout
    assert "Ray is asked" not in told.stderr


@pytest.mark.slow
def test_a_cluster_with_tls_says_what_is_missing_to_who_has_none(head: str, tmp_path: Path) -> None:
    without = join(tmp_path, RAY_ADDRESS=head, **connection.LOOPBACK_VARIABLES, **WITH_TOKEN)
    assert without.returncode == 3 and "RAY_USE_TLS is not set here: is it on the cluster?" in without.stdout


def certificate(folder: Path) -> dict[str, str]:
    """Ray's settings for TLS on loopback, with a certificate that vouches for itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ray")])
    places = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(hours=1), now + timedelta(days=1))
    made = made.add_extension(places, critical=False)
    (folder / "cert.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    pem = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *pem))
    files = {"RAY_TLS_SERVER_CERT": "cert.pem", "RAY_TLS_SERVER_KEY": "key.pem", "RAY_TLS_CA_CERT": "cert.pem"}
    return {"RAY_USE_TLS": "1"} | {name: str(folder / file) for name, file in files.items()}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {},
            "RAY_USE_TLS is set, and RAY_TLS_SERVER_CERT is not; set RAY_TLS_SERVER_CERT, RAY_TLS_SERVER_KEY, RAY_TLS",
        ),
        ({"RAY_TLS_SERVER_CERT": "/none"}, "RAY_TLS_SERVER_CERT: /none cannot be read (No such file or directory)"),
    ],
    ids=["none named", "none there"],
)
def test_tls_without_its_files_names_them(monkeypatch: pytest.MonkeyPatch, files: dict[str, str], words: str) -> None:
    for name in head_of_ray.TLS_FILE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"RAY_USE_TLS": "1"} | files).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=re.escape(words)):
        head_of_ray.require_head_reachable("127.0.0.1:1")


def test_a_cluster_that_is_open_to_others_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_USE_TLS"):
        monkeypatch.delenv(name, raising=False)
    assert "asks for no token" in (said := str(head_of_ray.security_warning("h:1"))) and "has no TLS" in said
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert "no token" not in (said := str(head_of_ray.security_warning("h:1"))) and "has no TLS" in said
    monkeypatch.setenv("RAY_USE_TLS", "1")
    assert head_of_ray.security_warning("h:1") is None


def test_a_cluster_that_is_away_is_told_as_such_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable, match=r"does not answer at RAY_ADDRESS=127.0.0.1:\d+ .*; start the cluster"):
        head_of_ray.require_head_reachable(f"127.0.0.1:{free_port()}")
    monkeypatch.setattr(head_of_ray, "TIMEOUT_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(Unavailable, match="DEADLINE_EXCEEDED"):
            head_of_ray.require_head_reachable(f"127.0.0.1:{silent.getsockname()[1]}")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "asks for a token"),
        ({"RAY_AUTH_TOKEN": TOKEN}, "asks for a token"),
        ({"RAY_AUTH_MODE": "token"}, "asks for a token"),
        (WITH_TOKEN, "refuses the token of RAY_AUTH_TOKEN;"),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": "/t"}, "refuses the token of RAY_AUTH_TOKEN_PATH;"),
    ],
)
def test_the_words_for_a_refused_token_name_what_is_set_and_hold_no_token(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], words: str
) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    error = head_of_ray.token_error("ray:6379")
    assert isinstance(error, InputError) and words in str(error) and TOKEN not in str(error)


@pytest.mark.parametrize(
    ("path", "words"), [(None, "there is no token"), ("/none", "RAY_AUTH_TOKEN_PATH: /none cannot be read")]
)
def test_a_token_that_cannot_be_shown_is_told(monkeypatch: pytest.MonkeyPatch, path: str | None, words: str) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    if path:
        monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", path)
    assert words in str(head_of_ray.missing_token_error())


PLACES = """
import ray
from pathlib import Path
from tasks.stages.train.job import Job
from tasks.stages.train.machines import worker_capacity
from tests.patience import wait_until
worker_capacity.ROOM_SETTLED_SECONDS = 1.0
def job(unfit=(), **settings):
    return Job(Training(threads=1, **settings), *[Path()] * 5, unfit_machines=unfit)
two = dict(workers=2, least_workers=1)
print("room for", worker_capacity.wait_for_workers(job(**two)), worker_capacity.wait_for_workers(job(workers=1)))
only = ray.nodes()[0]["NodeID"]
for unfit in ((), ("0" * 56,)):
    with worker_capacity.request_placement_groups(job(unfit, **two), [2, 1]) as asked:
        print("given", wait_until(asked.workers_placed, "a place"))
groups = worker_capacity.request_placement_groups
with groups(job((only, "0" * 56), **two), [1]) as unfit, groups(job(**two), [1]) as fit:
    print("given", wait_until(fit.workers_placed, "a place"), "and where none fits", unfit.workers_placed())
"""


@pytest.mark.slow
def test_a_training_begins_with_as_many_workers_as_have_room(head: str, tmp_path: Path, tls: dict[str, str]) -> None:
    """The head has one CPU. Two places that are wanted together are not given one by one. A machine that does not fit
    gives none."""
    told = join(tmp_path, PLACES, RAY_ADDRESS=head, **connection.LOOPBACK_VARIABLES, **tls, **WITH_TOKEN)
    assert (told.returncode, "Ray is asked" in told.stderr) == (0, True), told.stderr
    assert "room for 1 1\ngiven 1\ngiven 1\ngiven 1 and where none fits 0" in told.stdout
