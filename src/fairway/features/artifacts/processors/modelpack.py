"""Models of machine learning: the CNCF's ModelPack format, KitOps' ModelKits, and images that carry a model.

They all name a path for each layer by annotation, which makes the list of files.  The path is shown and compared, never
opened.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fairway.core.oci.manifest import Descriptor, Manifest
from fairway.features.artifacts.processors import archives
from fairway.features.artifacts.processors.image import BUILD_HISTORY, CONFIGS, image_attributes
from fairway.features.artifacts.processors.kind import (
    JSON,
    MARKDOWN,
    TEXT,
    Addition,
    Config,
    FromManifest,
    InLayer,
    Processor,
    WholeLayer,
)

MODELPACK: Final = frozenset(
    {"application/vnd.cncf.model.manifest.v1+json", "application/vnd.cncf.model.config.v1+json"}
)
MODELKIT: Final = "application/vnd.kitops.modelkit.config.v1+json"
_MODEL_LAYER: Final = "application/x-mlmodel"  # of the kind that Kubeflow's model registry takes
_PATHS: Final = ("org.cncf.model.filepath", "org.cnai.model.filepath", "org.opencontainers.image.title")
_DOCS: Final = (
    "application/vnd.cncf.model.doc.v1.",
    "application/vnd.cnai.model.doc.v1.",
    "application/vnd.kitops.modelkit.docs.v1.",
)
_READMES: Final = ("readme", "readme.md")
_LICENSES: Final = ("license", "license.txt", "license.md")
_DEEPEST: Final = 32
_LISTED: Final = 10_000


def path_of(layer: Descriptor) -> str:
    """The path that a layer says it is of; empty when it says none."""
    return next((layer.annotations[name] for name in _PATHS if layer.annotations.get(name)), "")


def files(manifest: Manifest) -> bytes:
    """The files and folders of a model as JSON: name, type, size, children; folders first."""
    root: dict[str, Any] = {}
    for layer in manifest.layers[:_LISTED]:
        parts = [part for part in path_of(layer).split("/") if part not in ("", ".", "..")]
        if parts and len(parts) <= _DEEPEST:
            _put(root, parts, layer.size, folder=path_of(layer).endswith("/"))
    return json.dumps(_listed(root), ensure_ascii=False).encode()


def _put(at: dict[str, Any], parts: Sequence[str], size: int, *, folder: bool) -> None:
    """Note a path; of two that cannot both be, the first."""
    for part in parts[:-1]:
        below: object = at.setdefault(part, {})
        if not isinstance(below, dict):
            return
        at = below
    at.setdefault(parts[-1], {} if folder else size)


def _listed(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    folders = [(name, what) for name, what in found.items() if isinstance(what, dict)]
    plain = [(name, what) for name, what in found.items() if not isinstance(what, dict)]
    return [
        {"name": name, "type": "directory", "children": _listed(inside)} for name, inside in sorted(folders)
    ] + [{"name": name, "type": "file", "size": size} for name, size in sorted(plain)]


def _pages(manifest: Manifest) -> Iterator[Addition]:
    for name, content_type, called in (("readme.md", MARKDOWN, _READMES), ("license", TEXT, _LICENSES)):
        for layer in manifest.layers:
            base = path_of(layer).rstrip("/").rpartition("/")[2].lower()
            if layer.media_type.startswith(_DOCS) and base in called:
                yield Addition(name, content_type, _content(layer, called))
                break


def _content(layer: Descriptor, called: Sequence[str]) -> WholeLayer | InLayer:
    if layer.media_type.endswith(".raw"):
        return WholeLayer(layer)
    folders = len([part for part in path_of(layer).split("/") if part not in ("", ".", "..")]) - 1
    return InLayer(layer, archives.file_in_tar, (list(called), folders, True))


class ModelPack(Processor):
    """A model in the CNCF's format."""

    def claims(self, manifest: Manifest) -> bool:
        """See `Processor`."""
        config = manifest.config.media_type if manifest.config is not None else ""
        return manifest.kind == "image" and not MODELPACK.isdisjoint((manifest.artifact_type, config))

    def type(self, manifest: Manifest) -> str:
        """See `Processor`."""
        del manifest
        return "CNAI"

    def additions(self, manifest: Manifest) -> Sequence[Addition]:
        """See `Processor`."""
        return (*_pages(manifest), Addition("files", JSON, FromManifest(files(manifest))))


class ModelKit(ModelPack):
    """A ModelKit of KitOps, whose config is the Kitfile as JSON."""

    def claims(self, manifest: Manifest) -> bool:
        """See `Processor`."""
        return manifest.config is not None and manifest.config.media_type == MODELKIT

    def type(self, manifest: Manifest) -> str:
        """See `Processor`."""
        del manifest
        return "MODELKIT"


class ModelImage(ModelPack):
    """A model beside its metadata in what is otherwise an image, as OMLMD packs it for Kubeflow."""

    def claims(self, manifest: Manifest) -> bool:
        """See `Processor`."""
        as_image = manifest.config is not None and manifest.config.media_type in CONFIGS
        return as_image and any(layer.media_type == _MODEL_LAYER for layer in manifest.layers)

    def type(self, manifest: Manifest) -> str:
        """See `Processor`."""
        del manifest
        return "MODEL"

    def attributes(self, manifest: Manifest, config: Config) -> Mapping[str, Any]:
        """See `Processor`."""
        del manifest
        return image_attributes(config) if config else {}

    def additions(self, manifest: Manifest) -> Sequence[Addition]:
        """See `Processor`."""
        return (BUILD_HISTORY, *super().additions(manifest))
