"""A guard that opens nothing lets nothing through."""

import inspect
from typing import Any

import pytest

from fairway.core.content.protocols import Registry
from fairway.core.content.refusing import Refusing
from fairway.core.oci.errors import Denied

METHODS = sorted(name for name, _ in inspect.getmembers(Registry, inspect.isfunction) if name[0] != "_")


def test_the_methods_are_found() -> None:
    assert {"manifest", "put_blob", "append", "ping", "repositories"} <= set(METHODS)
    assert len(METHODS) == 19


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_of_the_protocol_is_refused(method: str) -> None:
    parameters = inspect.signature(getattr(Registry, method)).parameters.values()
    anything: Any = object()
    positional = [anything for p in parameters if p.kind is not p.KEYWORD_ONLY and p.name != "self"]
    named = {p.name: anything for p in parameters if p.kind is p.KEYWORD_ONLY}
    with pytest.raises(Denied):
        await getattr(Refusing(), method)(*positional, **named)


@pytest.mark.parametrize("method", METHODS)
def test_it_takes_what_the_protocol_says(method: str) -> None:
    assert inspect.signature(getattr(Refusing, method)) == inspect.signature(getattr(Registry, method))
