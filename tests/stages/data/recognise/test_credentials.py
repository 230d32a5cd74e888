import pytest

from tasks.stages.data.protect.recognisers import engine
from tasks.stages.data.protect.recognisers.span import Span
from tests.stages.data.recognise.keys import Text, figures, made
from tests.stages.data.recognise.seen import kinds, seen

TOKEN = "a1B2c3D4e5F6" * 3
"""Joined to its provider's beginning only here, so that no scanner of this repository takes it for a key."""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("key AKIA" + "IOSFODNN7ABCDEFG", "AKIA" + "IOSFODNN7ABCDEFG"),
        ("use ghp_" + TOKEN, "ghp_" + TOKEN),
        ("glpat-" + "x7Kq2mPz9LwR4tYvB3nD", "glpat-" + "x7Kq2mPz9LwR4tYvB3nD"),
        ("postgres://admin:s3cr3t!@db.host/x", "admin:s3cr3t!"),
        ("Mein Passwort ist Sommer2024!", "Sommer2024!"),
        ("the password is hunter2.", "hunter2"),
        ("api_key=9f8d7c6b5a4e3d2c1b0a", "9f8d7c6b5a4e3d2c1b0a"),
        ("curl -u ada:Tr0ub4dor https://x.org", "ada:Tr0ub4dor"),
        ("Authorization: Bearer abc123def456ghi789jkl", "abc123def456ghi789jkl"),
        ("use gsk_" + TOKEN + " then", "gsk_" + TOKEN),
        ("sshpass -p Tr0ub4dor ssh a@b", "Tr0ub4dor"),
        ("the password for the shop was Sommer2024! last week", "Sommer2024!"),
        ("PIN 4711", ""),
        ("my pin is 4711", "4711"),
        ("dbPassword: hunter2xY", "hunter2xY"),
        ("appKey: ab12cd34", "ab12cd34"),
        ('"githubToken": "' + TOKEN + '"', TOKEN),
        (f"<xToken>{TOKEN}</xToken>", TOKEN),
        ("The X secret we use: " + TOKEN, TOKEN),
        ("Token for the billing service: " + TOKEN, TOKEN),
        ("glpat-" + "x7Kq2mPz9LwR4tYvB3nD.01.120abcd9x now", "glpat-" + "x7Kq2mPz9LwR4tYvB3nD.01.120abcd9x"),
        ("FLWPUBK" + "_TEST-0123abcd456789ab-X", "FLWPUBK" + "_TEST-0123abcd456789ab-X"),
        ("pscale_pw_" + TOKEN, "pscale_pw_" + TOKEN),
        ("pnu_" + TOKEN, "pnu_" + TOKEN),
        ("s." + TOKEN[:24], "s." + TOKEN[:24]),
    ],
)
def test_a_secret_is_found(text: str, value: str) -> None:
    found = [found for found, kind in seen(text) if kind == "CREDENTIAL"]
    assert found == [value] if value else not found


def test_a_private_key_is_found_to_its_end_or_as_far_as_it_goes() -> None:
    begin, end = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
    body = "\nMIIEow1bAAKCAQEA7Vh2\nAQEA\n"
    assert seen(f"key:\n{begin}{body}{end}\nbye")[0] == (begin + body + end, "CREDENTIAL")
    assert seen(f"{begin}{body}")[0][0].startswith(begin + "\nMIIE")


@pytest.mark.parametrize(
    "text",
    [
        "I forgot my password, please reset it",
        "password: ********",
        "set api_key=YOUR_API_KEY first",
        "key=${SECRET_KEY}",
        "commit 9f8d7c6b5a4e3d2c1b0a9f8d7c6b5a4e3d2c1b0a",
        "request 550e8400-e29b-41d4-a716-446655440000 failed",
        "request req_9f8d7c6b5a4e3d2c1b0a9f8d7c6b5a4e3d2c1b0a failed",
        "integrity sha384-oqVuAfXRKap7fdgcCY5uykM6R9GqQ8KuxyRxnjQlK2aD3xyZ",
        "load_test_environmentsetup",
        "password: [PASSWORD]",
        "The key question is whether tokens expire",
        "https://example.com/very/long/path/without/secrets",
        "AKIA" + "IOSFODNN7EXAMPLE",
        "The secret to good coffee is: patience",
        "Token for X: see-the-wiki-page",
        "monkey: banana2000",
        "appKey: settings and userToken: expired",
        "see details.AbcdefghijKlmnopqrstuvwx",
    ],
)
def test_talk_of_secrets_placeholders_and_digests_are_none(text: str) -> None:
    assert "CREDENTIAL" not in kinds(text)


@pytest.mark.parametrize("held_out", [False, True])
def test_keys_of_the_usual_providers_are_found_in_sentences_and_little_else(held_out: bool) -> None:
    texts = made(held_out, each=2, seed=5)
    found = [[(f.start, f.end) for f in spans or () if f.kind == "CREDENTIAL"] for spans in read(texts)]
    score = figures(texts, found)
    assert score.keys >= 100 and score.marked >= 90
    assert score.f1 >= 0.95 and score.precision >= 0.95, (score.missed, score.wrong)


def read(texts: list[Text]) -> list[list[Span] | None]:
    return engine.find_spans([text.text for text in texts], language_model=False)
