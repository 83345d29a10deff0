"""Which kind a manifest is of, kinds that other packages bring, and what any config or manifest comes to."""

import json
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.oci.manifest import Manifest
from fairway.core.oci.media_types import OCI_EMPTY, OCI_IMAGE_CONFIG
from fairway.features.artifacts import facts, rules
from fairway.features.artifacts.processors import table
from fairway.features.artifacts.processors.kind import (
    JSON,
    Addition,
    Config,
    FromConfig,
    FromManifest,
    Processor,
)
from features.artifacts.kinds import MODEL, a_chart, an_image, artifact, at, blob, config, index_of
from stories.world import World

ROCKET = "application/vnd.acme.rocket.config.v1+json"


class Rocket(Processor):
    """What a package could bring."""

    def claims(self, manifest: Manifest) -> bool:
        return manifest.config is not None and manifest.config.media_type == ROCKET

    def type(self, manifest: Manifest) -> str:
        return "SPACESHIP"

    def attributes(self, manifest: Manifest, config: Config) -> dict[str, Any]:
        return {"thrust": config["thrust"]}

    def additions(self, manifest: Manifest) -> list[Addition]:
        return [
            Addition("stages", JSON, FromManifest(b"[1]")),
            Addition("fuel", JSON, FromConfig(lambda config: config["fuel"].encode())),
        ]


class Broken(Processor):
    """What one could bring as well."""

    def claims(self, manifest: Manifest) -> bool:
        raise RuntimeError("broken")


def broken(*_: object) -> Any:
    raise RuntimeError("broken")


class HalfBroken(Rocket):
    """It claims, and can do nothing more."""

    type = config = attributes = additions = icon = broken


NOT_ONE = object()
HERE = "features.artifacts.processors.test_table"


def points(*names: str) -> list[EntryPoint]:
    return [EntryPoint(name, f"{HERE}:{name}", table.GROUP) for name in names]


def test_what_cannot_be_loaded_is_passed_over() -> None:
    absent = [EntryPoint("x", "no.such.module:X", table.GROUP)]
    loaded = table.load([*absent, *points("NOT_ONE", "missing", "test_what_cannot_be_loaded_is_passed_over")])
    assert loaded == []
    [rocket] = table.load([*absent, *points("Rocket")])
    assert type(rocket).__name__ == "Rocket"


def test_it_is_told_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    table.load(points("missing"))
    assert "a processor of artifacts cannot be loaded" in capsys.readouterr().out


@pytest.fixture
def with_processors(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(*more: Processor) -> None:
        monkeypatch.setattr(table, "processors", lambda: (*more, *table.OURS))

    return use


async def test_a_kind_from_elsewhere(world: World, with_processors: Any) -> None:
    with_processors(Broken(), Rocket())
    await world.project("team")
    made = artifact(config(ROCKET, {"thrust": 9, "fuel": "[2]"}), blob(b"x", "text/plain"))
    assert (await world.admin.push("team/app:v1", made)).status == 201
    at_it = "/api/v2.0/projects/team/repositories/app/artifacts/v1"
    found = (await world.admin("GET", at_it)).json
    assert (found["type"], found["extra_attrs"]) == ("SPACESHIP", {"thrust": 9})
    assert sorted(found["addition_links"]) == ["fuel", "stages"]
    assert (await world.admin("GET", f"{at_it}/additions/fuel")).json == [2]
    assert (await world.admin("GET", f"{at_it}/additions/stages")).json == [1]


async def test_one_that_fails_refuses_no_push_and_no_list(world: World, with_processors: Any) -> None:
    with_processors(HalfBroken())
    await world.project("team")
    made = artifact(config(ROCKET, {"thrust": 9}), blob(b"x", "text/plain"))
    assert (await world.admin.push("team/app:v1", made)).status == 201
    [found] = (await world.admin("GET", "/api/v2.0/projects/team/repositories/app/artifacts")).json
    assert (found["type"], found["extra_attrs"], found["addition_links"]) == ("ROCKET", {}, {})


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (an_image(), "IMAGE"),
        (a_chart(), "CHART"),
        (index_of((an_image(), {})), "IMAGE"),
        (artifact(config(OCI_EMPTY, {}), artifactType=f"{MODEL}.manifest.v1+json"), "CNAI"),
        (artifact(config(OCI_EMPTY, {}), artifactType=ROCKET), "ROCKET"),
        (artifact(config(OCI_EMPTY, {})), rules.UNKNOWN),
        (artifact(config("application/json", {})), rules.UNKNOWN),
        (an_image(annotations={"module.wasm.image/variant": "other"}), "IMAGE"),
        (artifact(config(ROCKET, {}), annotations={"run.oci.handler": "wasm"}), "ROCKET"),
    ],
)
def test_types(made: Any, expected: str) -> None:
    assert table.type_of(made.manifest) == expected


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NAMES = ("config", "Labels", "history", "author", "created", "os", "dependencies", "architecture")
configs = st.dictionaries(st.sampled_from(NAMES) | st.text(), values, max_size=6)
nested = st.builds(lambda inner, more: {**more, "config": inner}, configs, configs)
MEDIA_TYPES = [
    OCI_IMAGE_CONFIG,
    "application/vnd.cncf.helm.config.v1+json",
    "application/vnd.wasm.config.v1+json",
    "application/vnd.goharbor.harbor.sbom.v1",
    "application/vnd.kitops.modelkit.config.v1+json",
    f"{MODEL}.config.v1+json",
    ROCKET,
]


@given(st.sampled_from(MEDIA_TYPES), configs | nested)
def test_any_config_gives_attributes_and_pages(media_type: str, body: dict[str, Any]) -> None:
    made = artifact(config(media_type, {}), blob(b"x", "text/plain")).manifest
    processor = table.processor_of(made)
    shown = processor.attributes(made, body)
    assert len(facts._shown(shown).encode("utf-16")) <= 2 * facts.LARGEST_SHOWN
    json.loads(facts._shown(shown))
    for addition in processor.additions(made):
        if isinstance(addition.source, FromConfig):
            json.loads(addition.source.make(body))


@given(st.lists(st.text(max_size=40) | st.from_regex(r"(\.\.|a|b|/|\.){0,8}", fullmatch=True), max_size=8))
def test_any_paths_give_a_list_of_files(paths: list[str]) -> None:
    layers = [blob(b"x", f"{MODEL}.weight.v1.raw", **at(path)) for path in paths]
    made = artifact(config(f"{MODEL}.config.v1+json", {}), *layers).manifest
    for addition in table.processor_of(made).additions(made):
        if isinstance(addition.source, FromManifest):
            pending = json.loads(addition.source.content)
            while pending:
                each = pending.pop()
                assert each["name"] not in ("", ".", "..")
                assert "/" not in each["name"]
                pending += each.get("children", [])


def is_finite(value: Any) -> bool:
    """Whether JSON can say it: a number such as 1e999 is read as one that is beyond all bounds."""
    try:
        facts._text(value)
    except ValueError:
        return False
    return True


def test_a_number_beyond_all_bounds_is_not_shown() -> None:
    assert facts._shown({"size": json.loads("1e999")}) == "{}"


@given(values.filter(lambda value: isinstance(value, dict) and is_finite(value)), st.integers(0, 200))
def test_what_is_shown_fits(members: dict[str, Any], room: int) -> None:
    kept = facts.fitting(members, room)
    assert not kept or len(facts._text(kept)) <= room
    assert list(kept) == [name for name in members if name in kept]
    assert facts.fitting(members, 10_000_000) == members
