"""Where Fairway answers otherwise than docker-registry, by reason; the reasons stand in docs/concepts/compatibility.md."""

EXPLAINED: dict[str, tuple[str, ...]] = {
    "`Docker-Distribution-Api-Version` is sent where clients look for it: on `/v2/` and on errors": (
        "* / docker-distribution-api-version",
    ),
    "a manifest just pushed has its `ETag`": ("push * / etag",),
    "a manifest is sent as it is stored, whatever `Accept` says": ("get index, image wanted / *",),
    "a range outside the blob is 416 with the size and an error document": ("get bad part / *",),
    "tags are listed in ASCII order and by pages, as the specification says": (
        "tags / body",
        "tags, first page / body",
        "tags, first page / link",
        "tags, last page / body",
    ),
    "a page size that is no number is 400": ("tags, bad page / *",),
    "a repository exists from its first manifest, not from its first blob": (
        "catalog / body",
        "catalog, first page / link",
    ),
    "every error is JSON with a code, also for a bad name or method": ("bad name / *", "wrong method / *"),
    "an unknown upload is `BLOB_UPLOAD_UNKNOWN`": ("no such upload / code",),
    "a cancelled upload's id is not repeated": ("cancelled: cancel / docker-upload-uuid",),
    "a chunk that starts elsewhere than the upload ends is 416": ("bad chunk: too far / *",),
    "a manifest that cannot be read is 400 `MANIFEST_INVALID`": ("bad manifest / *",),
    "a tag can be deleted": ("delete tag / *",),
    "a blob that a manifest uses cannot be deleted: 405": ("delete used blob / *",),
}
"""Patterns of `step / what`, each of which must match something."""
