"""WebAssembly modules, in all three ways they are packed."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairway.core.oci.manifest import Manifest
from fairway.features.artifacts.processors.image import BUILD_HISTORY, CONFIGS, image_attributes
from fairway.features.artifacts.processors.kind import Addition, Config, Processor

_CONFIGS: Final = (
    "application/vnd.wasm.config.v0+json",  # of the CNCF's own layout
    "application/vnd.wasm.config.v1+json",  # of wasm-to-oci
)
_ANNOTATED: Final = (("module.wasm.image/variant", "compat"), ("run.oci.handler", "wasm"))
_TITLE: Final = "org.opencontainers.image.title"


class Module(Processor):
    """A module: in a layer of its own, or within an image that says by annotation that it is one."""

    def claims(self, manifest: Manifest) -> bool:
        """See `Processor`."""
        if manifest.config is None:
            return False
        return manifest.config.media_type in _CONFIGS or self._as_image(manifest)

    def type(self, manifest: Manifest) -> str:
        """See `Processor`."""
        del manifest
        return "WASM"

    def attributes(self, manifest: Manifest, config: Config) -> Mapping[str, Any]:
        """See `Processor`."""
        assert manifest.config is not None
        found: dict[str, Any] = {"manifest.config.mediaType": manifest.config.media_type}
        if self._as_image(manifest):
            return found | image_attributes(config)
        for layer in manifest.layers[:1]:
            found["manifest.layers.mediaType"] = layer.media_type
            found[_TITLE] = layer.annotations.get(_TITLE, "")
        return {**config, **found}

    def additions(self, manifest: Manifest) -> Sequence[Addition]:
        """See `Processor`."""
        return (BUILD_HISTORY,) if self._as_image(manifest) else ()

    @staticmethod
    def _as_image(manifest: Manifest) -> bool:
        said = any(manifest.annotations.get(name) == value for name, value in _ANNOTATED)
        return said and manifest.config is not None and manifest.config.media_type in CONFIGS
