"""What a personal access token covers of its owner's rights.  Pure.

A scope only narrows: `may` decides about the owner as they are now, and a token that does not cover a permission takes it
away.  So nothing here ever opens anything.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fairway.frame.access.catalogue import (
    ACCESSORY_LIST,
    ARTIFACT_ADDITION_READ,
    ARTIFACT_CREATE,
    ARTIFACT_DELETE,
    ARTIFACT_LIST,
    ARTIFACT_READ,
    LABEL_LIST,
    LABEL_READ,
    PROJECT_READ,
    REPOSITORY_CREATE,
    REPOSITORY_DELETE,
    REPOSITORY_LIST,
    REPOSITORY_PULL,
    REPOSITORY_PUSH,
    REPOSITORY_READ,
    ROBOT_UPDATE,
    TAG_CREATE,
    TAG_DELETE,
    TAG_LIST,
    Permission,
)


class Word(StrEnum):
    """What a token may be good for."""

    ALL = "all"
    READ = "read"
    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"


_LOOK: Final = frozenset(
    {
        PROJECT_READ,
        REPOSITORY_LIST,
        REPOSITORY_READ,
        ARTIFACT_LIST,
        ARTIFACT_READ,
        ACCESSORY_LIST,
        TAG_LIST,
        LABEL_LIST,
        LABEL_READ,
    }
)
_COVERED: Final = {
    Word.PULL: frozenset({REPOSITORY_PULL, ARTIFACT_ADDITION_READ}),
    Word.PUSH: frozenset({REPOSITORY_PUSH, REPOSITORY_CREATE, ARTIFACT_CREATE, TAG_CREATE}),
    Word.DELETE: frozenset({REPOSITORY_DELETE, ARTIFACT_DELETE, TAG_DELETE}),
}
_READING: Final = frozenset({"read", "list", "pull"})

# What a robot cannot be granted either: the secret of a robot would outlive the token that set it.
_NEVER: Final = frozenset({ROBOT_UPDATE})


@dataclass(frozen=True, slots=True)
class Scope:
    """What the token with the id `token` covers: `words` of it, in `projects` by id or with None everywhere.

    `until` is when it expires, in µs since the epoch; None for never.
    """

    token: int
    words: frozenset[Word] = frozenset()
    projects: frozenset[int] | None = frozenset()
    until: int | None = None

    @property
    def whole(self) -> bool:
        """Whether it stands for its owner everywhere."""
        return Word.ALL in self.words and self.projects is None

    @property
    def reads_all(self) -> bool:
        """Whether all that its owner sees can be seen with it."""
        return self.projects is None and not self.words.isdisjoint({Word.ALL, Word.READ})

    @property
    def only_reads(self) -> bool:
        """Whether nothing can be changed with it."""
        return self.words <= {Word.READ, Word.PULL}

    def covers(self, permission: Permission, project: int | None) -> bool:
        """Whether it leaves its owner `permission` in the project with this id, or with None on the whole server."""
        if permission in _NEVER or (self.projects is not None and project not in self.projects):
            return False
        if Word.ALL in self.words:
            return True
        if permission.action in _READING and Word.READ in self.words:
            return True
        in_words = any(permission in _COVERED.get(word, ()) for word in self.words)
        return project is not None and (in_words or (bool(self.words) and permission in _LOOK))


def words_of(text: Iterable[str]) -> frozenset[Word]:
    """Words as they are kept; who pushes looks before, so that `push` has `pull` in it.  Raises ValueError."""
    words = frozenset(Word(each) for each in text)
    return words | {Word.PULL} if Word.PUSH in words else words
