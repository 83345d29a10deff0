"""The one family of errors that we raise on purpose.

A class says what went wrong and carries the word clients see (`code`, from the error table of the OCI distribution
specification where it has one).  Status numbers are not here: `core/wire/status.py` maps classes to numbers.

    FairwayError
    ├── about content      BlobUnknown, ManifestUnknown, NameUnknown, ManifestBlobUnknown, InUse …
    ├── about the request  NameInvalid, DigestInvalid, TagInvalid, ManifestInvalid, RangeInvalid,
    │                      BadRequest ─ PatternInvalid …
    ├── about the caller   Unauthorized, Denied ─ QuotaExceeded, TooManyRequests
    └── about ourselves    Unavailable ─ StorageFull, StorageReadOnly

Messages reach clients: they name what was asked and what to do next, never a secret, a path on disk or SQL.
"""


class FairwayError(Exception):
    """Base of the family.  `detail` must be JSON-serialisable; it is sent to the client as it is."""

    code = "UNKNOWN"

    def __init__(self, message: str, *, detail: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class BlobUnknown(FairwayError):
    """No such blob in this repository."""

    code = "BLOB_UNKNOWN"


class BlobUploadInvalid(FairwayError):
    """An upload that cannot go on: two writers at once, or a state we cannot continue from."""

    code = "BLOB_UPLOAD_INVALID"


class BlobUploadUnknown(FairwayError):
    """No such upload for this caller in this repository."""

    code = "BLOB_UPLOAD_UNKNOWN"


class DigestInvalid(FairwayError):
    """A digest that is malformed, of an algorithm we do not take, or not that of the bytes received."""

    code = "DIGEST_INVALID"


class ManifestBlobUnknown(FairwayError):
    """A manifest names a blob or child manifest that is not in its repository."""

    code = "MANIFEST_BLOB_UNKNOWN"


class ManifestInvalid(FairwayError):
    """Bytes that are not one unambiguous image manifest or index."""

    code = "MANIFEST_INVALID"


class ManifestTooLarge(FairwayError):
    """A manifest over the size limit."""

    code = "MANIFEST_INVALID"


class MediaTypeUnsupported(FairwayError):
    """A manifest sent with a Content-Type that is no manifest type."""

    code = "MANIFEST_INVALID"


class ManifestUnknown(FairwayError):
    """No manifest under this tag or digest."""

    code = "MANIFEST_UNKNOWN"


class NameInvalid(FairwayError):
    """A repository name outside the grammar."""

    code = "NAME_INVALID"


class NameUnknown(FairwayError):
    """No such repository, as far as this caller may know."""

    code = "NAME_UNKNOWN"


class TagInvalid(FairwayError):
    """A tag outside the grammar."""

    code = "TAG_INVALID"


class SizeInvalid(FairwayError):
    """A length that does not agree with what was sent."""

    code = "SIZE_INVALID"


class RangeInvalid(FairwayError):
    """A chunk that does not start where the upload ends.

    `location_id` is the upload's id and `offset` the bytes stored, so that the reply can say where to go on.
    """

    code = "BLOB_UPLOAD_INVALID"

    def __init__(
        self, message: str, *, location_id: str | None = None, offset: int = 0, detail: object = None
    ) -> None:
        super().__init__(message, detail=detail)
        self.location_id = location_id
        self.offset = offset


class RangeNotSatisfiable(FairwayError):
    """A `Range` no part of which lies inside the `size` bytes there are (RFC 9110 §15.5.17)."""

    code = "RANGE_INVALID"

    def __init__(self, message: str, *, size: int, detail: object = None) -> None:
        super().__init__(message, detail=detail)
        self.size = size


class Unauthorized(FairwayError):
    """We do not know who is asking.  `challenge` is the `WWW-Authenticate` value to answer with, or ""."""

    code = "UNAUTHORIZED"

    def __init__(self, message: str, *, challenge: str = "", detail: object = None) -> None:
        super().__init__(message, detail=detail)
        self.challenge = challenge


class Denied(FairwayError):
    """We know who is asking, and they may not."""

    code = "DENIED"


class QuotaExceeded(Denied):
    """The project has no room for this."""


class Unsupported(FairwayError):
    """Something this registry, or this place, does not do."""

    code = "UNSUPPORTED"


class InUse(Unsupported):
    """A blob that a manifest still needs."""


class TooManyRequests(FairwayError):
    """The caller goes too fast.  `retry_after` is in whole seconds."""

    code = "TOOMANYREQUESTS"

    def __init__(self, message: str, *, retry_after: int = 1, detail: object = None) -> None:
        super().__init__(message, detail=detail)
        self.retry_after = retry_after


class Unavailable(FairwayError):
    """We, or a place we depend on, cannot answer now.  `retry_after` is in whole seconds."""

    code = "UNAVAILABLE"

    def __init__(self, message: str, *, retry_after: int = 5, detail: object = None) -> None:
        super().__init__(message, detail=detail)
        self.retry_after = retry_after


class StorageFull(Unavailable):
    """There is no room left for the bytes."""


class StorageReadOnly(Unavailable):
    """The storage gives bytes and takes none."""


class BadRequest(FairwayError):
    """A request that is wrong in a way no other class names."""

    code = "BAD_REQUEST"


class PatternInvalid(BadRequest):
    """A pattern for names that does not follow the syntax of its kind."""


class BodyTooLarge(FairwayError):
    """A request body over the limit of its route."""

    code = "REQUEST_ENTITY_TOO_LARGE"


class PreconditionFailed(FairwayError):
    """What the request made a condition of does not hold."""

    code = "PRECONDITION"


class RouteUnknown(FairwayError):
    """A path that leads nowhere."""

    code = "NOT_FOUND"


class MethodNotAllowed(FairwayError):
    """A path that exists, asked with another method.  `allowed` is what the `Allow` header must list."""

    code = "METHOD_NOT_ALLOWED"

    def __init__(self, message: str, *, allowed: tuple[str, ...] = (), detail: object = None) -> None:
        super().__init__(message, detail=detail)
        self.allowed = allowed
