"""The one place in core that knows HTTP status numbers: every error of the family has one.

`frame/web/errors.py` adds what only the frame and the features know.
"""

from fairway.core.oci import errors
from fairway.core.oci.errors import FairwayError

STATUS: dict[type[FairwayError], int] = {
    FairwayError: 500,
    errors.BlobUnknown: 404,
    errors.BlobUploadInvalid: 400,
    errors.BlobUploadUnknown: 404,
    errors.DigestInvalid: 400,
    errors.ManifestBlobUnknown: 400,
    errors.ManifestInvalid: 400,
    errors.ManifestTooLarge: 413,
    errors.MediaTypeUnsupported: 415,
    errors.ManifestUnknown: 404,
    errors.NameInvalid: 400,
    errors.NameUnknown: 404,
    errors.TagInvalid: 400,
    errors.SizeInvalid: 400,
    errors.RangeInvalid: 416,
    errors.RangeNotSatisfiable: 416,
    errors.Unauthorized: 401,
    errors.Denied: 403,
    errors.Unsupported: 405,
    errors.TooManyRequests: 429,
    errors.Unavailable: 503,
    errors.BadRequest: 400,
    errors.BodyTooLarge: 413,
    errors.PreconditionFailed: 412,
    errors.RouteUnknown: 404,
    errors.MethodNotAllowed: 405,
}


def status_of(error: FairwayError) -> int:
    """The status of an error: that of its class, or of the nearest of its bases that has one."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
