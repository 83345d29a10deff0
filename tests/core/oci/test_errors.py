"""The error family: one base, a word for clients on every class, and no word the specification does not know by accident."""

from collections.abc import Iterator

import pytest

from fairway.core.oci import errors
from fairway.core.oci.errors import FairwayError

SPECIFIED = {
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "UNAUTHORIZED",
    "DENIED",
    "UNSUPPORTED",
    "TOOMANYREQUESTS",
}


def family() -> Iterator[type[FairwayError]]:
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, FairwayError):
            yield value


def test_every_word_of_the_specification_has_a_class() -> None:
    assert {error.code for error in family()} >= SPECIFIED


def test_every_class_says_its_own_word() -> None:
    assert [error for error in family() if error.code == "UNKNOWN"] == [FairwayError]


def test_an_error_keeps_what_the_reply_needs() -> None:
    error = errors.BlobUnknown("no such blob", detail={"digest": "sha256:…"})
    assert (str(error), error.message, error.detail) == (
        "no such blob",
        "no such blob",
        {"digest": "sha256:…"},
    )


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (errors.Unauthorized("who?", challenge='Bearer realm="x"'), {"challenge": 'Bearer realm="x"'}),
        (errors.TooManyRequests("slower", retry_after=7), {"retry_after": 7}),
        (errors.Unavailable("later", retry_after=3), {"retry_after": 3}),
        (errors.RangeInvalid("gap", location_id="u1", offset=10), {"location_id": "u1", "offset": 10}),
        (errors.RangeNotSatisfiable("beyond", size=2), {"size": 2}),
        (errors.MethodNotAllowed("use GET", allowed=("GET",)), {"allowed": ("GET",)}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_carries_the_facts_of_its_headers(error: FairwayError, facts: dict[str, object]) -> None:
    assert {name: getattr(error, name) for name in facts} == facts


def test_kinds_of_one_failure_are_caught_together() -> None:
    assert issubclass(errors.QuotaExceeded, errors.Denied)
    assert issubclass(errors.StorageFull, errors.Unavailable)
    assert issubclass(errors.InUse, errors.Unsupported)
