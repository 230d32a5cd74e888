"""Process that reads PDF documents (`pdf_pages`). It is started at the first document, and again if it was stopped."""

import multiprocessing
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Self

from tasks.stages.data.readers import pdf_pages
from tasks.stages.data.readers.documents import UnreadableDocument
from tasks.stages.data.readers.pdf_pages import End, Limits, Opening, Page


class PdfWorker:
    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None

    def read(self, content: bytes) -> Iterator[Opening | Page]:
        """Yield an Opening and the pages of a document.

        Raises:
            UnreadableDocument: The document cannot be read, or takes too much time or memory.
        """
        connection = self._connect()
        try:
            connection.send_bytes(content)
            while not isinstance(message := connection.recv(), End):
                yield message
        except (EOFError, ConnectionError):
            raise UnreadableDocument(self._explain_end()) from None
        if message.problem:
            raise UnreadableDocument(message.problem)

    def _connect(self) -> Connection:
        if self._connection is None:
            context = multiprocessing.get_context("spawn")
            self._connection, theirs = context.Pipe()
            self._process = context.Process(target=pdf_pages.serve_documents, args=(theirs, self._limits), daemon=True)
            self._process.start()
            theirs.close()
        return self._connection

    def _explain_end(self) -> str:
        process = self._process
        assert process is not None  # the connection is made with it
        process.join()
        self._close()
        if process.exitcode == -signal.SIGXCPU:
            return (
                f"takes more than {self._limits.page_seconds} seconds of a processor for a page, or "
                f"{self._limits.document_seconds:,} in all; divide it, or save it anew"
            )
        if process.exitcode == pdf_pages.OUT_OF_MEMORY:
            return f"needs more than {self._limits.memory_bytes >> 20:,} MiB of memory; divide it, or save it anew"
        return f"cannot be read: the process that read it ended with {process.exitcode}"

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if process is not None:
            process.kill()
            process.join()
        self._close()
