"""What there is to know of one kind of artifact, and what holds for a kind that nobody knows.

A processor is pure: it is told the manifest and what the config says, and answers which pages there are and how each is
made.  What a layer holds is read by functions of modules that import little, in a child process with limits.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from fairway.core.oci.digest import Digest
from fairway.core.oci.manifest import Descriptor, Manifest
from fairway.features.artifacts import rules

JSON: Final = "application/json; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"
MARKDOWN: Final = "text/markdown; charset=utf-8"

Config: TypeAlias = Mapping[str, Any]
"""The JSON object that the config blob is; empty when there is none, or when it is too large or something else."""

_SKIPPED: Final = "io.goharbor.artifact.v1alpha1.skip-list"
_ICON: Final = "io.goharbor.artifact.v1alpha1.icon"


@dataclass(frozen=True, slots=True)
class FromManifest:
    """A page that the manifest alone makes."""

    content: bytes


@dataclass(frozen=True, slots=True)
class FromConfig:
    """A page that is made of the config."""

    make: Callable[[Config], bytes]


@dataclass(frozen=True, slots=True)
class WholeLayer:
    """A page that is a layer as it is."""

    layer: Descriptor


@dataclass(frozen=True, slots=True)
class InLayer:
    """A page that is found in a layer.

    `find` is a function of a module.  It gets the layer, to be read once, and `arguments` (what JSON gives back as it
    was), and answers with the page, with None when there is none, or with why it cannot be read.
    """

    layer: Descriptor
    find: Callable[..., bytes | str | None]
    arguments: tuple[Any, ...] = ()


Source: TypeAlias = FromManifest | FromConfig | WholeLayer | InLayer


@dataclass(frozen=True, slots=True)
class Addition:
    """A page about an artifact: its name in links, the type it is sent as, and what it is made of."""

    name: str
    content_type: str
    source: Source


class Processor(ABC):
    """One kind of artifact.  What is here is right for kinds that nobody knows: override what is known better."""

    @abstractmethod
    def claims(self, manifest: Manifest) -> bool:
        """Whether the manifest is of this kind."""

    def type(self, manifest: Manifest) -> str:
        """What lists call it: IMAGE, CHART, …"""
        return rules.type_of(manifest)

    def config(self, manifest: Manifest) -> Descriptor | Digest | None:
        """Where the config is: in the manifest, or in a child of an index, whose digest this is."""
        return manifest.config if self.type(manifest) != rules.UNKNOWN else None

    def attributes(self, manifest: Manifest, config: Config) -> Mapping[str, Any]:
        """What is shown beside the type: all that the config says, but what its annotation tells to leave out."""
        annotations = manifest.config.annotations if manifest.config is not None else {}
        skipped = set(annotations.get(_SKIPPED, "").split(","))
        return {name: value for name, value in config.items() if name not in skipped}

    def additions(self, manifest: Manifest) -> Sequence[Addition]:  # noqa: ARG002 - others look at it
        """The pages there are."""
        return ()

    def icon(self, manifest: Manifest) -> Descriptor | None:
        """The layer that is its icon, if it brings one."""
        return next((layer for layer in manifest.layers if _ICON in layer.annotations), None)


class Anything(Processor):
    """What no other processor claims."""

    def claims(self, manifest: Manifest) -> bool:
        """See `Processor`."""
        del manifest
        return True
