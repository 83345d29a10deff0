"""A session written by hand: a push and a pull in the order in which clients do them, then calls that go wrong.

Recordings show what clients do when all goes well; here is what they seldom ask, and what only people with curl do.
"""

from faults.images import IMAGE, INDEX, digest_of, image, index
from system.replay import Step

CONFIG, LAYER = b'{"architecture":"amd64","os":"linux"}', bytes(range(256)) * 40
PUSHED = image(CONFIG, [LAYER])
LIST = index([PUSHED])
NOTHING = f"sha256:{0:064x}"
R = "/v2/library/app"


def blob(name: str, data: bytes, number: int) -> list[Step]:
    """A blob in one PATCH, with a look at how far it is."""
    upload, kind = f"{{upload {number}}}", [("Content-Type", "application/octet-stream")]
    return [
        Step(f"{name}: is it there", "HEAD", f"{R}/blobs/{digest_of(data)}"),
        Step(f"{name}: start", "POST", f"{R}/blobs/uploads/", upload=number),
        Step(f"{name}: stream", "PATCH", upload, data, kind, upload=number),
        Step(f"{name}: status", "GET", upload, upload=number),
        Step(f"{name}: close", "PUT", f"{upload}?digest={digest_of(data)}"),
        Step(f"{name}: is it there now", "HEAD", f"{R}/blobs/{digest_of(data)}"),
    ]


MANIFEST = f"{R}/manifests"
SESSION = [
    Step("ping", "GET", "/v2/"),
    *blob("config", CONFIG, 1),
    *blob("layer", LAYER, 2),
    Step("push manifest", "PUT", f"{MANIFEST}/v1", PUSHED.raw, [("Content-Type", IMAGE)]),
    Step("push index", "PUT", f"{MANIFEST}/list", LIST.raw, [("Content-Type", INDEX)]),
    Step("push again", "PUT", f"{MANIFEST}/v2", PUSHED.raw, [("Content-Type", IMAGE)]),
    Step("layer in another repository", "HEAD", f"/v2/library/other/blobs/{digest_of(LAYER)}"),
    Step("mount", "POST", f"/v2/library/copy/blobs/uploads/?mount={digest_of(LAYER)}&from=library/app"),
    Step("head by tag", "HEAD", f"{MANIFEST}/v1", headers=[("Accept", f"{IMAGE}, {INDEX}")]),
    Step("get by tag", "GET", f"{MANIFEST}/v1", headers=[("Accept", f"{IMAGE}, {INDEX}")]),
    Step("get by digest", "GET", f"{MANIFEST}/{PUSHED.digest}", headers=[("Accept", IMAGE)]),
    Step("get index", "GET", f"{MANIFEST}/list", headers=[("Accept", f"{IMAGE}, {INDEX}")]),
    Step("get index, image wanted", "GET", f"{MANIFEST}/list", headers=[("Accept", IMAGE)]),
    Step("get config", "GET", f"{R}/blobs/{digest_of(CONFIG)}"),
    Step("get part", "GET", f"{R}/blobs/{digest_of(LAYER)}", headers=[("Range", "bytes=10-19")]),
    Step("get bad part", "GET", f"{R}/blobs/{digest_of(LAYER)}", headers=[("Range", "bytes=99999-")]),
    Step("tags", "GET", f"{R}/tags/list"),
    Step("tags, first page", "GET", f"{R}/tags/list?n=1"),
    Step("tags, last page", "GET", f"{R}/tags/list?n=5&last=v1"),
    Step("tags, bad page", "GET", f"{R}/tags/list?n=-1"),
    Step("catalog", "GET", "/v2/_catalog"),
    Step("catalog, first page", "GET", "/v2/_catalog?n=1"),
    Step("no such tag", "GET", f"{MANIFEST}/none"),
    Step("no such tag, head", "HEAD", f"{MANIFEST}/none"),
    Step("no such manifest", "GET", f"{MANIFEST}/{NOTHING}"),
    Step("no such blob", "GET", f"{R}/blobs/{NOTHING}"),
    Step("no such blob, head", "HEAD", f"{R}/blobs/{NOTHING}"),
    Step("no such repository", "GET", "/v2/library/none/tags/list"),
    Step("bad name", "GET", "/v2/library/APP/tags/list"),
    Step("bad digest", "GET", f"{R}/blobs/sha256:abc"),
    Step("no such upload", "GET", f"{R}/blobs/uploads/00000000-0000-4000-8000-000000000000"),
    Step("wrong digest: start", "POST", f"{R}/blobs/uploads/", upload=3),
    Step("wrong digest: close", "PUT", "{upload 3}?digest=" + NOTHING, b"other bytes"),
    Step("cancelled: start", "POST", f"{R}/blobs/uploads/", upload=4),
    Step("cancelled: cancel", "DELETE", "{upload 4}"),
    Step("cancelled: status", "GET", "{upload 4}"),
    Step("bad chunk: start", "POST", f"{R}/blobs/uploads/", upload=5),
    Step("bad chunk: too far", "PATCH", "{upload 5}", b"0123", [("Content-Range", "100-103")]),
    Step("bad manifest", "PUT", f"{MANIFEST}/bad", b"{}", [("Content-Type", IMAGE)]),
    Step("missing layer", "PUT", f"{MANIFEST}/bad", image(CONFIG, [b"no"]).raw, [("Content-Type", IMAGE)]),
    Step("wrong manifest digest", "PUT", f"{MANIFEST}/{NOTHING}", PUSHED.raw, [("Content-Type", IMAGE)]),
    Step("wrong method", "POST", f"{MANIFEST}/v1"),
    Step("delete index", "DELETE", f"{MANIFEST}/{LIST.digest}"),
    Step("delete index again", "DELETE", f"{MANIFEST}/{LIST.digest}"),
    Step("delete tag", "DELETE", f"{MANIFEST}/v2"),
    Step("delete used blob", "DELETE", f"{R}/blobs/{digest_of(LAYER)}"),
    Step("delete manifest", "DELETE", f"{MANIFEST}/{PUSHED.digest}"),
    Step("get deleted", "GET", f"{MANIFEST}/{PUSHED.digest}"),
    Step("delete missing blob", "DELETE", f"{R}/blobs/{NOTHING}"),
]
