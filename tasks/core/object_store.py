"""Access to an object store, S3 or a compatible one, with the usual AWS_* environment variables."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from types import SimpleNamespace
from typing import Any


@contextmanager
def opened(**settings: Any) -> Iterator[Any]:
    """Open the object store as a file system of s3fs, whose connections are closed at the end of the block.

    Listings and credentials are not cached between calls, and redirects are not followed.

    Args:
        **settings: Arguments of botocore's `Config`.
    """
    import s3fs
    from fsspec.asyn import sync

    settings = {**settings, "http_session_cls": _session_without_redirects()}
    files = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False, config_kwargs=settings)
    try:
        yield files
    finally:
        # s3fs closes its client when it is garbage-collected, and gives up after a tenth of a second.
        client = getattr(files, "_s3creator", None)
        if client is not None:
            sync(files.loop, client.__aexit__, None, None, None)


@cache
def _session_without_redirects() -> type:
    """Return a subclass of aiobotocore's HTTP client that does not follow redirects, which has no setting for that."""
    from aiobotocore.httpsession import AIOHTTPSession

    class Direct(AIOHTTPSession):
        async def _get_session(self, proxy_url: Any) -> Any:
            session = await super()._get_session(proxy_url)
            return SimpleNamespace(request=partial(session.request, allow_redirects=False))

    return Direct
