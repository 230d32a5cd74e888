"""A store of objects, S3 or one like it, reached with the usual AWS_* settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from types import SimpleNamespace
from typing import Any


@contextmanager
def reached(**settings: Any) -> Iterator[Any]:
    """The store as a file system of s3fs, whose connections end with the block. `settings` are botocore's.

    No listing or credential of before is used, and no other address that the store names is asked.
    """
    import s3fs
    from fsspec.asyn import sync

    settings = {**settings, "http_session_cls": _direct()}
    files = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False, config_kwargs=settings)
    try:
        yield files
    finally:
        # s3fs itself closes when it is collected, and gives up after a tenth of a second.
        client = getattr(files, "_s3creator", None)
        if client is not None:
            sync(files.loop, client.__aexit__, None, None, None)


@cache
def _direct() -> type:
    """aiobotocore's HTTP client, which follows redirects and has no setting for it, without them."""
    from aiobotocore.httpsession import AIOHTTPSession

    class Direct(AIOHTTPSession):
        async def _get_session(self, proxy_url: Any) -> Any:
            session = await super()._get_session(proxy_url)
            return SimpleNamespace(request=partial(session.request, allow_redirects=False))

    return Direct
