"""What an administrator chooses while the hub runs."""

from collections.abc import Mapping
from dataclasses import dataclass

from fairway.client.call import API, Call, asking, changing
from fairway.client.errors import Unreadable
from fairway.client.fields import read


@dataclass(frozen=True, slots=True)
class Choice:
    """Harbor's ConfigItem: a truth, a number or a text; not `editable` where the operator has settled it."""

    value: object = None
    editable: bool = True


def get() -> Call[Mapping[str, Choice]]:
    """All choices by name; the hub keeps secrets to itself."""
    return asking(_choices, f"{API}/configurations")


def change(values: Mapping[str, bool | int | str]) -> Call[None]:
    """Choose some; the others stay."""
    return changing("PUT", f"{API}/configurations", dict(values))


def _choices(told: object) -> Mapping[str, Choice]:
    if not isinstance(told, dict):
        raise Unreadable("the hub's reply is no configuration")
    # Harbor lists what nobody has chosen as null.
    return {name: read(Choice, each) for name, each in told.items() if each is not None}
