"""Values as messages show them."""

import pytest

from tasks.core.formatting import format_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:s3cret@host/d", "postgresql://user:***@host/d"),
        ("http://user:s3cret@127.0.0.1:4200/api", "http://user:***@127.0.0.1:4200/api"),
        ("ray://u:s3cret@x:1", "ray://u:***@x:1"),
        ("u:s3cret@x:1", "u:***@x:1"),
        ("https://host/a?password=s3cret&user=u", "https://host/a?password=***&user=u"),
        ("https://host:80/a@b:c", "https://host:80/a@b:c"),
        ("git@host:path", "git@host:path"),
        ("s3://AKIA:wJalr/XUtn@bucket/x", "s3://AKIA:***@bucket/x"),
        ("http://u:p@ss@host/x", "http://u:***@host/x"),
        ("away for url 'http://u:p@host:80/api'", "away for url 'http://u:***@host:80/api'"),
        ("https://host/?access_token=s3cret&x=1", "https://host/?access_token=***&x=1"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert format_url(url) == shown
