"""Mapping of single messages to conversations: `mapping.conversation` in sources.yaml."""

from fnmatch import fnmatchcase
from typing import Annotated, Self

from pydantic import Field, model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import NonEmptyText


class ConversationMapping(FrozenModel):
    """Mapping of single messages to conversations. Each conversation is one row of the source.

    Map `thread` if each message is a row of the file. Map `comments` if each row of the file has a list of messages.
    """

    thread: NonEmptyText | None = None
    """Column with the id of the conversation that a message belongs to. Messages of a conversation can be anywhere in
    the file."""
    comments: NonEmptyText | None = None
    """Column with a list of messages, such as the comments of a ticket. Each is an object, and `author`, `text` and
    `time` are its keys. A key can be a path, for example `author.name`."""
    opening: NonEmptyText | None = None
    """Column with a user's text that comes before the `comments`, such as the description of a ticket."""
    author: NonEmptyText
    """Column or key with the author of a message."""
    text: NonEmptyText
    """Column or key with the text of a message."""
    time: NonEmptyText | None = None
    """Column or key with the time of a message, by which messages are ordered: ISO 8601 (UTC unless it says otherwise),
    seconds or milliseconds since 1970, or a time within a recording such as 00:01:02. Null: in the order of the
    file."""
    assistants: Annotated[list[NonEmptyText], Field(min_length=1)]
    """Authors who speak as the assistant, for example `[agent-7, "*@support.example"]`, without regard to case. `*`
    stands for any text. All other authors speak as the user."""

    @model_validator(mode="after")
    def _require_one_form(self) -> Self:
        if (self.thread is None) == (self.comments is None):
            raise ValueError(
                "map either `thread`, if each message is a row, or `comments`, if each row has a list of messages"
            )
        if self.opening is not None and self.comments is None:
            raise ValueError("`opening` goes with `comments`; with `thread`, the opening message is a row of its own")
        return self

    @property
    def turns_column(self) -> str:
        """Column of a joined row that has the messages of the conversation."""
        return self.comments or self.text

    def columns(self) -> set[str]:
        named = (self.comments, self.opening) if self.comments else (self.thread, self.author, self.text, self.time)
        return {name for name in named if name is not None}

    def is_assistant(self, author: str) -> bool:
        return any(fnmatchcase(author.casefold(), pattern.casefold()) for pattern in self.assistants)
