"""Options of a Postgres URL, as libpq has them: TLS, which a real server speaks, and the time to wait for it."""

import datetime
import gc
import ipaddress
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import text

from tasks.core.databases import database
from tasks.core.databases.addresses import require_encrypted_connections
from tasks.core.errors import InputError, Unavailable
from tests.governed import postgres
from tests.governed.postgres import sql


def asked(url: str, question: str = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") -> object:
    engine = database.postgres_engine(database.parse_postgres_url(url, "URL"), "none", 0)
    with engine.connect().execution_options(takes_turn=False) as connection:
        return connection.execute(text(question)).scalar()


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server that speaks TLS as 127.0.0.1, and the file with its certificate."""
    folder = tmp_path_factory.mktemp("tls")
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "db")])
    now = datetime.datetime.now(datetime.UTC)
    alternatives = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "server.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with postgres.cluster() as cluster:
        for kept, content in (("server.crt", (folder / "server.crt").read_bytes()), ("server.key", secret)):
            path = cluster.folder / "data" / kept
            path.write_bytes(content)
            path.chmod(0o600)
            shutil.chown(path, (cluster.folder / "data").stat().st_uid)
        with (cluster.folder / "data" / "postgresql.auto.conf").open("a") as settings:
            settings.write("ssl = on\n")
        sql(cluster.url, "SELECT pg_reload_conf()")
        yield cluster.url, folder / "server.crt"


@pytest.mark.slow
def test_what_a_server_is_asked_about_tls(secured: tuple[str, Path], tmp_path: Path) -> None:
    url, certificate = secured
    elsewhere = url.replace("127.0.0.1", "localhost")
    assert asked(f"{url}?sslmode=disable") is False
    assert asked(f"{url}?sslmode=require&connect_timeout=20") is True
    assert asked(f"{url}?sslmode=verify-full&sslrootcert={certificate}") is True
    assert asked(f"{elsewhere}?sslmode=verify-ca&sslrootcert={certificate}") is True
    for wrong in (f"{url}?sslmode=verify-full", f"{elsewhere}?sslmode=verify-full&sslrootcert={certificate}"):
        with (
            pytest.raises(Unavailable, match="the ledger cannot be used"),
            database.translate_database_errors("the ledger"),
        ):
            asked(wrong)
    assert asked(f"{url}?application_name=hallmark", "SHOW application_name") == "hallmark"


@pytest.mark.slow
def test_the_time_to_connect_is_none_for_a_statement(secured: tuple[str, Path]) -> None:
    assert asked(f"{secured[0]}?connect_timeout=1", "SELECT 7 FROM pg_sleep(1.5)") == 7


BACKEND = "SELECT pg_backend_pid()"


@pytest.mark.slow
def test_a_connection_stays_open_and_is_replaced_when_the_server_has_closed_it(
    postgres: str, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"{postgres}?application_name=pooled"
    first = asked(url, BACKEND)
    assert asked(url, BACKEND) == first
    sql(postgres, f"SELECT pg_terminate_backend({first})")
    second = asked(url, BACKEND)
    assert not caplog.records, "nobody is told, since nothing was lost"
    assert second != first and asked(url, BACKEND) == second
    assert asked(postgres, BACKEND) != second
    left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pooled'"
    assert asked(postgres, left) == 0, "a process keeps connections to the database that it uses, not to earlier ones"


@pytest.mark.slow
def test_a_server_that_answers_no_more_on_an_idle_connection_is_told(
    secured: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "ANSWER_SECONDS", 1)
    url = f"{secured[0]}?application_name=frozen&sslmode=disable"
    backend = asked(url, BACKEND)
    assert isinstance(backend, int)
    os.kill(backend, signal.SIGSTOP)
    try:
        assert asked(url, BACKEND) != backend, "another connection takes its place"
    finally:
        os.kill(backend, signal.SIGCONT)


@pytest.mark.slow
def test_a_child_process_has_connections_of_its_own(postgres: str) -> None:
    first = asked(postgres, BACKEND)
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            os.write(writing, str(asked(postgres, BACKEND)).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(reading, 100)) != first == asked(postgres, BACKEND)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pg8000 leaves the socket open
def test_a_server_that_says_nothing_is_waited_for_as_long_as_the_url_says() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(Unavailable, match="the ledger cannot be used"),
        database.translate_database_errors("the ledger"),
    ):
        asked(f"postgresql://u:p@127.0.0.1:{silent.getsockname()[1]}/d?connect_timeout=1")
    gc.collect()  # here, where the warning is expected


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (
            "sslmode=maybe",
            "URL: sslmode: expected one of disable, prefer, .* verify-full, got 'maybe'",
        ),
        ("connect_timeout=soon", "URL: connect_timeout: expected a whole number of seconds, got 'soon'"),
        ("password=s3cret&user=u", "URL: unknown option password; expected one of sslmode, "),
        ("sslrootcert=/ca.pem", "URL: sslrootcert has no effect with sslmode prefer"),
        ("sslmode=verify-ca", "URL: sslmode verify-ca needs sslrootcert=FILE"),
        ("sslmode=require&sslrootcert=system", "URL: sslmode require needs sslrootcert=FILE"),
        ("sslmode=verify-ca&sslrootcert=/not/there.pem", r"cannot be read \(No such file or directory\)"),
    ],
)
def test_an_option_that_is_none_is_told_in_words(query: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        database.parse_postgres_url(f"postgresql://127.0.0.1/d?{query}", "URL")
    assert "s3cret" not in str(caught.value)


FAR = "postgresql://u:s3cret@db.example.invalid/ledger"


@pytest.mark.parametrize("variable", ["HALLMARK_LEDGER_URL", "HALLMARK_VAULT_URL"])
@pytest.mark.parametrize(
    "url", [FAR, f"{FAR}?sslmode=prefer", f"{FAR}?sslmode=disable", FAR.replace("db.", "192.0.2.7/d")]
)
def test_plain_text_to_another_machine_is_told(variable: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, url)
    with pytest.raises(InputError, match=f"{variable}: outside environment local, .*sslmode=verify-full") as caught:
        require_encrypted_connections()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"{FAR}?sslmode=require",
        f"{FAR}?sslmode=verify-full",
        "postgresql://u:p@127.0.0.1/d",
        "postgresql://u:p@localhost:5433/d",
        "postgresql://u:p@[::1]/d",
        "postgresql:///d?unix_sock=/run/postgresql/.s.PGSQL.5432",
    ],
)
def test_what_is_encrypted_or_stays_on_this_machine_is_allowed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_LEDGER_URL", url)
    require_encrypted_connections()
