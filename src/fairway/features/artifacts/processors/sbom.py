"""Bills of materials, as Harbor's scanners leave them beside an image."""

from collections.abc import Sequence
from typing import Final

from fairway.core.oci.manifest import Manifest
from fairway.features.artifacts.processors.kind import Addition, Processor, WholeLayer

SBOM: Final = "application/vnd.goharbor.harbor.sbom.v1"


class Sbom(Processor):
    """A bill of materials: its one layer is the document."""

    def claims(self, manifest: Manifest) -> bool:
        """See `Processor`."""
        config = manifest.config.media_type if manifest.config is not None else ""
        return manifest.kind == "image" and SBOM in (manifest.artifact_type, config)

    def type(self, manifest: Manifest) -> str:
        """See `Processor`."""
        del manifest
        return "SBOM"

    def additions(self, manifest: Manifest) -> Sequence[Addition]:
        """See `Processor`."""
        return [Addition("sbom", SBOM, WholeLayer(layer)) for layer in manifest.layers[:1]]
