"""Container images, and what is packed as one: WebAssembly modules of the annotated sort, operator bundles, models."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairway.core.oci.manifest import Manifest
from fairway.core.oci.media_types import DOCKER_CONFIG, INDEX_TYPES, OCI_IMAGE_CONFIG
from fairway.features.artifacts.processors.kind import JSON, Addition, Config, FromConfig, Processor

CONFIGS: Final = frozenset({OCI_IMAGE_CONFIG, DOCKER_CONFIG})
_AUTHORS: Final = ("org.opencontainers.image.authors", "maintainer")
_BUNDLE: Final = "operators.operatorframework.io.bundle."


def image_attributes(config: Config) -> dict[str, Any]:
    """What is shown of an image: when and for what it was made, by whom, and how it runs."""
    runs = config.get("config")
    labels = runs.get("Labels") if isinstance(runs, dict) else None
    return {
        "created": config.get("created"),
        "architecture": config.get("architecture", ""),
        "os": config.get("os", ""),
        "author": _author(config, labels if isinstance(labels, dict) else {}),
        "config": runs if isinstance(runs, dict) else {},
        **{name: config[name] for name in ("variant", "os.version") if config.get(name)},
    }


def _author(config: Config, labels: Mapping[str, Any]) -> str:
    for said in (config.get("author"), *(labels.get(name) for name in _AUTHORS)):
        if isinstance(said, str) and said:
            return said
    return ""


def history(config: Config) -> bytes:
    """The steps that made an image, as JSON."""
    steps = config.get("history")
    return json.dumps(steps if isinstance(steps, list) else [], ensure_ascii=False).encode()


BUILD_HISTORY: Final = Addition("build_history", JSON, FromConfig(history))


class Image(Processor):
    """An image for one platform."""

    def claims(self, manifest: Manifest) -> bool:
        """See `Processor`."""
        return manifest.config is not None and manifest.config.media_type in CONFIGS

    def type(self, manifest: Manifest) -> str:
        """See `Processor`."""
        del manifest
        return "IMAGE"

    def attributes(self, manifest: Manifest, config: Config) -> Mapping[str, Any]:
        """An operator bundle says in labels what is in it; they are shown under a name of their own, too."""
        del manifest
        if not config:
            return {}
        found = image_attributes(config)
        labels = found["config"].get("Labels")
        bundle = {
            name.removeprefix(_BUNDLE): text
            for name, text in (labels.items() if isinstance(labels, dict) else ())
            if name.startswith(_BUNDLE) and isinstance(text, str)
        }
        return found | ({"operator_bundle": bundle} if bundle else {})

    def additions(self, manifest: Manifest) -> Sequence[Addition]:
        """See `Processor`."""
        del manifest
        return (BUILD_HISTORY,)


class Index(Processor):
    """An image for several platforms: all there is to say is in its references."""

    def claims(self, manifest: Manifest) -> bool:
        """See `Processor`."""
        return manifest.media_type in INDEX_TYPES

    def config(self, manifest: Manifest) -> None:
        """See `Processor`."""
        del manifest
