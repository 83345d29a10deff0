"""The kinds of artifacts in the order they are asked, and those that other packages add.

A package adds one by an entry point in the group `fairway.processors`, which names a `Processor` or a class of one.  It is
asked before ours.  One that cannot be loaded, or fails later, is told in the log and passed over: what is pushed is stored
and shown all the same.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final, TypeVar

from fairway.core.oci.manifest import Manifest
from fairway.features.artifacts import rules
from fairway.features.artifacts.processors.chart import Chart
from fairway.features.artifacts.processors.cnab import Bundle
from fairway.features.artifacts.processors.image import Image, Index
from fairway.features.artifacts.processors.kind import Anything, Processor
from fairway.features.artifacts.processors.modelpack import ModelImage, ModelKit, ModelPack
from fairway.features.artifacts.processors.packed import Policy, Singularity
from fairway.features.artifacts.processors.runners import RunnerModel
from fairway.features.artifacts.processors.sbom import Sbom
from fairway.features.artifacts.processors.wasm import Module
from fairway.frame.log import get_logger

GROUP: Final = "fairway.processors"
LONGEST_TYPE: Final = 255

_log = get_logger(__name__)
T = TypeVar("T")

OURS: Final[Sequence[Processor]] = (
    Chart(),
    ModelPack(),
    ModelKit(),
    Sbom(),
    Bundle(),
    Module(),
    Policy(),
    Singularity(),
    RunnerModel(),
    ModelImage(),
    Image(),
    Index(),
)
ANYTHING: Final = Anything()


def load(found: Iterable[EntryPoint]) -> list[Processor]:
    """The processors of these entry points, without those that cannot be loaded."""
    loaded: list[Processor] = []
    for point in found:
        try:
            made = point.load()
            made = made() if isinstance(made, type) else made
            if not isinstance(made, Processor):
                raise TypeError(f"{made!r} is no Processor")
            loaded.append(made)
        except Exception as error:  # noqa: BLE001 - it is not ours, and must not keep the server from starting
            _log.warning("a processor of artifacts cannot be loaded", name=point.name, exc_info=error)
    return loaded


@cache
def processors() -> tuple[Processor, ...]:
    """All there are, in order; found once per process."""
    return (*load(entry_points(group=GROUP)), *OURS)


def processor_of(manifest: Manifest) -> Processor:
    """The first that claims a manifest, or the one for anything."""
    for each in processors():
        if safely(each, lambda each=each: each.claims(manifest), False):  # type: ignore[misc]
            return each
    return ANYTHING


def type_of(manifest: Manifest) -> str:
    """What lists call a manifest."""
    processor = processor_of(manifest)
    told: object = safely(processor, lambda: processor.type(manifest), "")
    return told[:LONGEST_TYPE] if isinstance(told, str) and told else rules.type_of(manifest)


def safely(processor: Processor, ask: Callable[[], T], instead: T) -> T:
    """What a processor answers, or something instead when it fails."""
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 - one kind's mistake is no reason to refuse a push or a list
        _log.warning("a processor of artifacts fails", name=type(processor).__name__, exc_info=error)
        return instead
