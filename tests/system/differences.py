"""Where Fairway answers otherwise than docker-registry, by reason; the reasons stand in docs/concepts/compatibility.md."""

EXPLAINED: dict[str, dict[str, str]] = {
    "`Docker-Distribution-Api-Version` is sent where clients look for it: on `/v2/` and on errors": {
        "*": "docker-distribution-api-version",
    },
    "a manifest just pushed has its `ETag`": {
        "push manifest": "etag",
        "push index": "etag",
        "push again": "etag",
        "*: PUT manifest by tag": "etag",
        "*: PUT manifest by digest": "etag",
    },
    "a manifest is sent as it is stored, whatever `Accept` says": {
        "get index, image wanted": "status code body content-type docker-content-digest etag",
    },
    "a blob is there for all repositories of its project": {
        "layer in another repository": "status content-length content-type docker-content-digest etag",
    },
    "a blob is mounted without a source, too, if its project has it": {
        "regctl-untag 3: POST uploads?mount": "status docker-content-digest docker-upload-uuid location range",
        # regctl fills the upload that only docker-registry has begun.
        "regctl-untag 4: PUT upload?digest": "status code content-type docker-content-digest location",
    },
    "a range outside the blob is 416 with the size and an error document": {
        "get bad part": "code body content-range content-type",
    },
    "tags are listed by pages, as the specification says": {
        "tags, first page": "body link",
        "tags, last page": "body",
    },
    "a page size that is no number is 400": {"tags, bad page": "status code body"},
    "a repository exists from its first manifest, not from its first blob": {
        "catalog": "body",
        "catalog, first page": "link",
    },
    "what refers to an image is listed by the API for it, and a push that refers to one says so in `OCI-Subject`": {
        "oras-attach 5: PUT manifest by digest": "oci-subject",
        "oras-discover 2: GET referrers": "status code body content-type",
        "regctl-attach 7: PUT manifest by digest": "oci-subject",
        "regctl-list 3: GET referrers": "status code body content-type",
    },
    "every error is JSON with a code, also for a bad name or method": {
        "bad name": "status code content-type",
        "wrong method": "code content-type allow",
    },
    "an unknown upload is `BLOB_UPLOAD_UNKNOWN`": {"no such upload": "code"},
    "a cancelled upload's id is not repeated": {"cancelled: cancel": "docker-upload-uuid"},
    "a chunk that starts elsewhere than the upload ends is 416": {
        "bad chunk: too far": "status code content-type range",
    },
    "a manifest that cannot be read is 400 `MANIFEST_INVALID`": {"bad manifest": "status code"},
    "a tag can be deleted": {
        "delete tag": "status code content-type",
        "regctl-untag 1: DELETE manifest by tag": "status code content-type",
        # After docker-registry's refusal regctl moves the tag to something it then deletes by digest.
        "regctl-untag 2: HEAD manifest by tag": "status content-length content-type docker-content-digest etag",
    },
    "a blob that a manifest uses cannot be deleted: 405": {"delete used blob": "status code content-type"},
}
"""For each reason the steps, as a pattern, and what is different there; each must be so at least once."""
