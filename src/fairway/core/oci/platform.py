"""Platforms: which machine a child of an index is for (OCI image specification, image-index.md, "platform")."""

from dataclasses import dataclass
from typing import Self

# The variant that is meant when none is written (containerd and docker agree on these).
_DEFAULT_VARIANTS = {"arm64": "v8", "arm": "v7"}


@dataclass(frozen=True, slots=True)
class Platform:
    """An operating system on an architecture, in Go's words: `linux`, `amd64`."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The platform written `os/architecture[/variant]`.  Raises ValueError."""
        os, architecture, variant = (*text.split("/", 2), "", "")[:3]
        if not os or not architecture or "/" in variant or text.endswith("/"):
            raise ValueError(f"{text[:80]!r} is not a platform: write os/architecture[/variant]")
        return cls(os, architecture, variant)

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))

    def matches(self, wanted: "Platform") -> bool:
        """Whether content for this platform is what `wanted` asks for.

        A wanted variant or version of "" is content with any, except where an architecture has a default variant.
        Features the wish does not list are not looked at.
        """
        return (
            self.os == wanted.os
            and self.architecture == wanted.architecture
            and _variant(wanted) in ("", _variant(self))
            and wanted.os_version in ("", self.os_version)
            and set(wanted.os_features) <= set(self.os_features)
        )


def _variant(platform: Platform) -> str:
    return platform.variant or _DEFAULT_VARIANTS.get(platform.architecture, "")
