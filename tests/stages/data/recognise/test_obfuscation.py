"""What people and machines do to identifiers: the original's characters are found, in the original's offsets."""

import random
from itertools import pairwise

import pytest

from tasks.stages.data.protect.recognisers.fold import INVISIBLE_CHARACTERS, fold_text
from tasks.stages.data.protect.recognisers.span import Span, resolve_overlaps
from tests.stages.data.recognise.seen import seen


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("4\u200b111 1111 1111\u200d 1111", "4\u200b111 1111 1111\u200d 1111", "CREDIT_CARD"),
        ("４１１１ １１１１ １１１１ １１１１", "４１１１ １１１１ １１１１ １１１１", "CREDIT_CARD"),
        ("card 4111-1111-\n1111-1111", "4111-1111-\n1111-1111", "CREDIT_CARD"),
        ("IBAN DE89 3704 0044\n0532 0130 00", "DE89 3704 0044\n0532 0130 00", "IBAN_CODE"),
        ("Аnna.kurz@example.com", "Аnna.kurz@example.com", "EMAIL_ADDRESS"),
        ("\u202eanna@example.com\u202c", "anna@example.com", "EMAIL_ADDRESS"),
        ("اتصل بي على +44 20 7946 0018 من فضلك", "+44 20 7946 0018", "PHONE_NUMBER"),
        ("رقم البطاقة ٤١١١ ١١١١ ١١١١ ١١١١", "٤١١١ ١١١١ ١١١١ ١١١١", "CREDIT_CARD"),
        ("My name is Jose\u0301 Garci\u0301a", "Jose\u0301 Garci\u0301a", "PERSON"),
        ("https://x.com/u?email=jo.e%40x.com&lang=en", "jo.e%40x.com", "EMAIL_ADDRESS"),
        ("https://x.com/u?tel=+4930123456&x=1", "+4930123456", "PHONE_NUMBER"),
        ("http://192.0.2.77:8080/admin", "192.0.2.77", "IP_ADDRESS"),
        ('{"user": "ada@example.org", "id": 1}', "ada@example.org", "EMAIL_ADDRESS"),
        ("user = User(email='ada@example.org')", "ada@example.org", "EMAIL_ADDRESS"),
        ('<p>Mail <a href="mailto:ada@example.org">me</a></p>', "ada@example.org", "EMAIL_ADDRESS"),
        ("<script>var c='4111111111111111';</script>", "4111111111111111", "CREDIT_CARD"),
        ('=HYPERLINK("http://x.org","ada@example.org")', "ada@example.org", "EMAIL_ADDRESS"),
        ("soft\u00adhyphen ada@exam\u00adple.org", "ada@exam\u00adple.org", "EMAIL_ADDRESS"),
    ],
)
def test_a_disguised_identifier_is_found_where_it_stands(text: str, value: str, kind: str) -> None:
    assert (value, kind) in seen(text)


def test_offsets_come_back_through_any_invisible_characters() -> None:
    rng = random.Random(0)
    number = "4111 1111 1111 1111"
    for _ in range(200):
        text = "".join(c + rng.choice(["", "", "\u200b", "\u200d\u200b"]) for c in f"card {number} ok")
        (found,) = [found for found, kind in seen(text) if kind == "CREDIT_CARD"]
        assert "".join(c for c in found if c not in INVISIBLE_CHARACTERS) == number


def test_folding_keeps_every_visible_character_in_its_place() -> None:
    rng = random.Random(1)
    for _ in range(200):
        text = "".join(rng.choices("aАé１٣\u200b\u00ad—’ \n🙂漢", k=30))
        assert len(fold_text(text).text) == sum(c not in INVISIBLE_CHARACTERS for c in text)


def test_choosing_uncovers_no_character() -> None:
    rng = random.Random(1)
    for _ in range(200):
        starts = [rng.randrange(50) for _ in range(8)]
        spans = [Span(start, start + rng.randrange(1, 12), "K", rng.random()) for start in starts]
        kept = resolve_overlaps(spans)
        assert {i for s in spans for i in range(s.start, s.end)} == {i for s in kept for i in range(s.start, s.end)}
        assert all(a.end <= b.start for a, b in pairwise(kept))
