"""Tags and repositories under the hands of real clients: list, delete, copy."""

import json
import time

import pytest

from fairway.frame.metrics import GATHER_SECONDS
from faults.slow import wait_for
from system.clients import ClientFailed, Person
from system.layouts import Layout
from system.wire import Wire

pytestmark = pytest.mark.system


def tags(person: Person, repo: str) -> list[str]:
    listed: list[str] = json.loads(person.skopeo("list-tags", f"docker://{person.ref(repo)}"))["Tags"]
    return listed


def test_tags_are_listed_in_order_over_many_pages(admin: Person, wire: Wire, hello: Layout) -> None:
    admin.push(hello.ref("hello"), "library/hello:1", "--all")
    digest = hello.tagged("hello")["digest"]
    names = [f"v{number}" for number in range(1200)]
    for start in range(0, len(names), 10):
        query = "&".join(f"tag={name}" for name in names[start : start + 10])
        stored = wire.ask(
            "PUT",
            f"/v2/library/hello/manifests/{digest}?{query}",
            hello.raw(digest),
            {"Content-Type": hello.tagged("hello")["mediaType"]},
        )
        assert stored.status == 201

    assert tags(admin, "library/hello") == sorted(["1", *names])


def test_skopeo_deletes_an_image_with_all_its_tags(admin: Person, hello: Layout) -> None:
    for name in ("library/hello:1", "library/hello:2"):
        admin.push(hello.ref("hello"), name)
    admin.push(hello.ref("hello"), "library/hello:all", "--all")

    admin.skopeo("delete", f"docker://{admin.ref('library/hello:all')}")  # deletes the digest the tag names

    assert tags(admin, "library/hello") == ["1", "2"]
    admin.skopeo("delete", f"docker://{admin.ref('library/hello:1')}")
    with pytest.raises(ClientFailed, match=r"manifest unknown|no manifest"):
        admin.pull("library/hello:2")


def test_what_an_index_names_cannot_be_deleted_from_under_it(admin: Person, hello: Layout) -> None:
    admin.push(hello.ref("hello"), "library/hello:all", "--all")
    admin.push(hello.ref("hello"), "library/hello:one")

    with pytest.raises(ClientFailed, match="412"):
        admin.skopeo("delete", f"docker://{admin.ref('library/hello:one')}")

    assert admin.pull("library/hello:all", "--all").manifest == hello.raw(hello.tagged("hello")["digest"])


def test_deleting_a_tag_leaves_the_others(admin: Person, wire: Wire, hello: Layout) -> None:
    for name in ("library/hello:1", "library/hello:2"):
        admin.push(hello.ref("hello"), name)

    assert wire.ask("DELETE", "/v2/library/hello/manifests/1").status == 202

    assert tags(admin, "library/hello") == ["2"]
    assert admin.pull("library/hello:2").blobs


def test_a_copy_into_another_project_sends_no_layer_again(admin: Person, wire: Wire, hello: Layout) -> None:
    wire.create_project("elsewhere")
    admin.push(hello.ref("hello"), "library/hello:1", "--all")
    before = blob_bytes_received(wire)

    admin.push(f"docker://{admin.ref('library/hello:1')}", "elsewhere/hello:1", "--all")

    assert admin.pull("elsewhere/hello:1", "--all").manifest == hello.raw(hello.tagged("hello")["digest"])
    # skopeo mounts layers and sends configurations again.
    images = [
        hello.parsed(image["digest"]) for image in hello.parsed(hello.tagged("hello")["digest"])["manifests"]
    ]
    sent = sum(image["config"]["size"] for image in images)
    wait_for(lambda: blob_bytes_received(wire) - before >= sent, "all workers have told what they received")
    assert blob_bytes_received(wire) - before == sent


def blob_bytes_received(wire: Wire) -> float:
    """What Prometheus is told, when all workers have added what they gathered: until it stays as it is."""
    before, now = -1.0, 0.0
    while now != before:
        time.sleep(2 * GATHER_SECONDS)
        page = wire.ask("GET", "/metrics").body.decode()
        lines = page.splitlines()
        values = [
            line.split()[-1] for line in lines if line.startswith('fairway_blob_bytes_total{direction="in"}')
        ]
        before, now = now, sum(map(float, values))
    return now
