"""Models as the tools that run them push them: Docker's model runner, and Ollama."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairway.core.oci.manifest import Manifest
from fairway.features.artifacts.processors.kind import TEXT, Addition, Config, Processor, WholeLayer

_DOCKER: Final = "application/vnd.docker.ai."
_OLLAMA: Final = "application/vnd.ollama.image."
_LICENSES: Final = (f"{_DOCKER}license", f"{_OLLAMA}license")


class RunnerModel(Processor):
    """A model whose layers are plain files; Ollama's has the config of an image, which says little."""

    def claims(self, manifest: Manifest) -> bool:
        """See `Processor`."""
        if manifest.config is None:
            return False
        of_docker = manifest.config.media_type.startswith(f"{_DOCKER}model.config.")
        return of_docker or any(layer.media_type == f"{_OLLAMA}model" for layer in manifest.layers)

    def type(self, manifest: Manifest) -> str:
        """See `Processor`."""
        del manifest
        return "MODEL"

    def attributes(self, manifest: Manifest, config: Config) -> Mapping[str, Any]:
        """All but the list of layers, which the manifest has."""
        return {
            name: value for name, value in super().attributes(manifest, config).items() if name != "rootfs"
        }

    def additions(self, manifest: Manifest) -> Sequence[Addition]:
        """See `Processor`."""
        found = next((layer for layer in manifest.layers if layer.media_type in _LICENSES), None)
        return () if found is None else (Addition("license", TEXT, WholeLayer(found)),)
