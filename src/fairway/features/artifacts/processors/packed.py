"""Kinds of which only the type is known better than by the rule: policies of Open Policy Agent, Singularity images."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairway.core.oci.manifest import Manifest
from fairway.features.artifacts.processors.kind import Config, Processor

_POLICY: Final = "application/vnd.cncf.openpolicyagent."
_SIF: Final = "application/vnd.sylabs.sif."


def _named(manifest: Manifest, prefix: str) -> bool:
    config = manifest.config.media_type if manifest.config is not None else ""
    layers: Sequence[str] = [layer.media_type for layer in manifest.layers[:100]]
    return manifest.kind == "image" and any(
        each.startswith(prefix) for each in (config, manifest.artifact_type, *layers)
    )


class _ByPrefix(Processor):
    prefix: str
    shown: str

    def claims(self, manifest: Manifest) -> bool:
        """See `Processor`."""
        return _named(manifest, self.prefix)

    def type(self, manifest: Manifest) -> str:
        """See `Processor`."""
        del manifest
        return self.shown

    def attributes(self, manifest: Manifest, config: Config) -> Mapping[str, Any]:
        """See `Processor`.  The config of both is mostly empty: what the layers are says more."""
        types = list(dict.fromkeys(layer.media_type for layer in manifest.layers[:100]))
        return {**super().attributes(manifest, config), "manifest.layers.mediaTypes": types}


class Policy(_ByPrefix):
    """A bundle of Open Policy Agent, or what conftest pushes."""

    prefix, shown = _POLICY, "OPENPOLICYAGENT"


class Singularity(_ByPrefix):
    """An image of Singularity or Apptainer, in one file."""

    prefix, shown = _SIF, "SIF"
