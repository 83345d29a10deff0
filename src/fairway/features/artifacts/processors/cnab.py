"""Bundles of cloud-native applications (CNAB), which are indexes."""

from typing import Final

from fairway.core.oci.digest import Digest
from fairway.core.oci.manifest import Manifest
from fairway.features.artifacts.processors.kind import Processor

BUNDLE: Final = "application/vnd.cnab.manifest.v1"
_TYPE: Final = "org.opencontainers.artifactType"
_PART: Final = "io.cnab.manifest.type"


class Bundle(Processor):
    """A bundle: one child is annotated as the one whose config is `bundle.json`."""

    def claims(self, manifest: Manifest) -> bool:
        """See `Processor`."""
        said = (manifest.artifact_type, manifest.annotations.get(_TYPE))
        return manifest.kind == "index" and BUNDLE in said

    def type(self, manifest: Manifest) -> str:
        """See `Processor`."""
        del manifest
        return "CNAB"

    def config(self, manifest: Manifest) -> Digest | None:
        """See `Processor`."""
        return next(
            (child.digest for child in manifest.manifests if child.annotations.get(_PART) == "config"), None
        )
