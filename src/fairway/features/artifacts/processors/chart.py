"""Helm charts."""

import json
from collections.abc import Sequence
from typing import Final

from fairway.core.oci.manifest import Manifest
from fairway.features.artifacts.processors import archives
from fairway.features.artifacts.processors.kind import (
    JSON,
    MARKDOWN,
    TEXT,
    Addition,
    Config,
    FromConfig,
    InLayer,
    Processor,
)

CONFIG: Final = "application/vnd.cncf.helm.config.v1+json"
_CONTENT: Final = (
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
    "application/tar+gzip",  # before helm 3.7
)


def dependencies(config: Config) -> bytes:
    """The charts that a chart needs, as JSON.  Helm writes them into the config, for charts of both versions."""
    listed = config.get("dependencies")
    return json.dumps(listed if isinstance(listed, list) else [], ensure_ascii=False).encode()


class Chart(Processor):
    """A chart: the config is its `Chart.yaml` as JSON, the layer its archive, which has all in one folder."""

    def claims(self, manifest: Manifest) -> bool:
        """See `Processor`."""
        return manifest.config is not None and manifest.config.media_type == CONFIG

    def type(self, manifest: Manifest) -> str:
        """See `Processor`."""
        del manifest
        return "CHART"

    def additions(self, manifest: Manifest) -> Sequence[Addition]:
        """See `Processor`."""
        found = [Addition("dependencies", JSON, FromConfig(dependencies))]
        for layer in manifest.layers:
            if layer.media_type in _CONTENT:
                # Clients expect both pages of every chart: one that it has not is empty.
                values, readme = (
                    InLayer(layer, archives.file_in_tar, ([name], 1, True))
                    for name in ("values.yaml", "readme.md")
                )
                found += [Addition("values.yaml", TEXT, values), Addition("readme.md", MARKDOWN, readme)]
                break
        return found
