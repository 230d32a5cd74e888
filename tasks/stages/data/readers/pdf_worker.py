"""Process that reads PDF documents (`pdf_pages`), started at the first one.

A document at which it is stopped is an error of the source and no malformed row. Otherwise the numbers of later rows,
and the ids of their records, would depend on how fast the machine is.
"""

import multiprocessing
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Self

from tasks.core.errors import HallmarkError, InputError, ProcessDied
from tasks.stages.data.readers import pdf_pages
from tasks.stages.data.readers.documents import UnreadableDocument
from tasks.stages.data.readers.pdf_pages import End, Limits, Opening, Page

REMEDY = "divide it, save it anew, or take it out of the source"


class PdfWorker:
    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None

    def read(self, content: bytes, where: str) -> Iterator[Opening | Page]:
        """Yield an Opening and the pages of a document.

        Args:
            content: Bytes of the document.
            where: Source and document in error messages.

        Raises:
            InputError: The document takes too much time or memory.
            ProcessDied: The process ended for another reason.
            UnreadableDocument: The document cannot be read.
        """
        connection = self._connect()
        try:
            connection.send_bytes(content)
            while not isinstance(message := connection.recv(), End):
                yield message
        except (EOFError, ConnectionError):
            raise self._explain_end(where) from None
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

    def _explain_end(self, where: str) -> HallmarkError:
        process = self._process
        assert process is not None  # the connection is made with it
        process.join()
        if process.exitcode == -signal.SIGXCPU:
            return InputError(
                f"{where} takes more than {self._limits.page_seconds} seconds of a processor for a page, or "
                f"{self._limits.document_seconds:,} in all; {REMEDY}"
            )
        if process.exitcode == pdf_pages.OUT_OF_MEMORY:
            return InputError(f"{where} needs more than {self._limits.memory_bytes >> 20:,} MiB of memory; {REMEDY}")
        return ProcessDied(f"{where}: the process that read it ended with {process.exitcode}; try again")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._connection is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
