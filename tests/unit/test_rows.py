"""Patch rows on modules made up here: what stands in for a replacement is one, until it is made."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from bluerock_hooks import _guard
from bluerock_hooks.hooks._rows import Patch, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def plain(value: int, *, more: int = 0) -> int:
    """A function."""
    return value + more


async def waits(value: int) -> int:
    return value


class Owner:
    def method(self, value: int) -> tuple[Owner, int]:
        return self, value


made: list[str] = []
calls: list[Any] = []


def wrap(original: Any) -> Callable[..., Any]:
    """A wrapper as the hooks have them, that says when it is made and called."""
    made.append(original.__name__)

    def call(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        return original(*args, **kwargs)

    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        return await original(*args, **kwargs)

    return coroutine if inspect.iscoroutinefunction(original) else call


@pytest.fixture
def module() -> Iterator[ModuleType]:
    """A module that has the three above."""
    made.clear()
    calls.clear()
    found = ModuleType("invented")
    sys.modules["invented"] = found
    for value in (plain, waits, type("Owner", (Owner,), dict(vars(Owner)))):
        setattr(found, value.__name__, value)
    found.max = max  # type: ignore[attr-defined]
    yield found
    del sys.modules["invented"]


def rows(module: ModuleType, *, wrap: Any = wrap, deferred: bool = True) -> Rows:
    names = ("plain", "waits", "Owner.method", "max")
    found = Rows([Patch("invented", name, wrap, sees="it", deferred=deferred) for name in names], lambda *_: None)
    found.imported(module)
    assert [outcome.state for outcome in found.outcomes] == ["applied"] * len(names)
    return found


def looks(function: Any) -> list[Any]:
    checks = (inspect.isfunction, inspect.iscoroutinefunction, inspect.isbuiltin, callable)
    return [str(inspect.signature(function)), function.__name__, function.__doc__, *(c(function) for c in checks)]


def test_what_stands_in_looks_as_the_original_and_makes_nothing(module: ModuleType) -> None:
    patches = rows(module)
    assert made == []
    for name, original in (("plain", plain), ("waits", waits)):
        assert looks(getattr(module, name)) == looks(original)
        assert getattr(module, name).__wrapped__ is original
    assert looks(module.Owner.method) == looks(Owner.method)
    assert pickle.dumps(module.max)
    patches.undo()
    assert (module.plain, module.waits, module.max) == (plain, waits, max)
    assert module.Owner.method is Owner.method


def test_the_first_call_makes_the_replacement_and_passes_it(module: ModuleType) -> None:
    rows(module)
    owner = module.Owner()
    assert module.plain(1, more=2) == 3
    assert owner.method(5) == (owner, 5)
    assert module.max(1, 2) == 2
    coroutine = module.waits(7)
    assert made == ["plain", "method", "max"]
    assert asyncio.run(coroutine) == 7
    assert calls == [(1,), (owner, 5), (1, 2), (7,)]
    module.plain(1)
    assert made == ["plain", "method", "max", "waits"]  # once each
    assert len(calls) == 5


def test_what_was_taken_by_name_before_is_seen_when_renewed_and_later(module: ModuleType) -> None:
    patches = rows(module)
    taken, bound = module.plain, module.Owner().method
    patches.renew()
    assert sorted(made) == ["max", "method", "plain", "waits"]
    assert module.plain is not taken
    patches.renew()
    assert len(made) == 4
    assert taken(1) == module.plain(1) == 1
    bound(1)
    assert len(calls) == 3
    patches.undo()
    assert module.plain is plain


def test_a_replacement_of_somebody_else_s_stays_when_ours_is_renewed(module: ModuleType) -> None:
    patches = rows(module)
    ours = module.plain

    def theirs(value: int) -> int:
        return int(ours(value))

    module.plain = theirs  # type: ignore[attr-defined]
    patches.renew()
    assert module.plain is theirs
    assert theirs(1) == 1
    assert calls == [(1,)]


@pytest.mark.swallows
@pytest.mark.parametrize("renew", [False, True])
def test_where_no_replacement_can_be_made_the_original_is_called(module: ModuleType, renew: bool) -> None:
    def broken(original: Any) -> Callable[..., Any]:
        raise ValueError("broken")

    before = _guard.caught
    patches = rows(module, wrap=broken)
    if renew:
        patches.renew()
    assert module.plain(1) == 1
    assert asyncio.run(module.waits(2)) == 2
    assert _guard.caught > before


def test_an_error_of_the_host_s_passes_what_stands_in(module: ModuleType) -> None:
    rows(module)
    with pytest.raises(TypeError, match="unexpected keyword argument 'wrong'"):
        module.plain(1, wrong=2)
    with pytest.raises(TypeError):
        asyncio.run(module.waits())


def test_modules_that_had_the_function_by_name_get_what_stands_in_and_then_the_replacement(module: ModuleType) -> None:
    other = ModuleType("invented.other")
    other.plain = plain  # type: ignore[attr-defined]
    sys.modules["invented.other"] = other
    try:
        patches = rows(module)
        patches.rebind()
        assert other.plain is module.plain is not plain
        patches.renew()
        assert other.plain(1) == 1
        assert calls == [(1,)]
        patches.undo()
        assert other.plain is module.plain is plain
    finally:
        del sys.modules["invented.other"]


def test_what_was_imported_by_name_gets_the_row_of_its_own_place(module: ModuleType) -> None:
    """As ``subprocess`` has ``_posixsubprocess.fork_exec``: once wrapped, by its own row; both are put back."""
    importer = ModuleType("importer")
    sys.modules["importer"] = importer
    try:
        places = [("invented", "max"), ("importer", "_max")]
        found = Rows([Patch(*place, wrap, sees="it") for place in places], lambda *_: None)
        found.imported(module)
        importer._max = module.max  # type: ignore[attr-defined]
        found.imported(importer)
        assert [outcome.state for outcome in found.outcomes] == ["applied", "applied"]
        assert importer._max is not module.max
        assert (importer._max(1, 2), len(calls)) == (2, 1)
        assert (module.max(1, 2), len(calls)) == (2, 2)
        assert importer._max.__wrapped__ is max
        found.undo()
        assert importer._max is module.max is max
    finally:
        del sys.modules["importer"]


def test_a_private_function_of_c_is_replaced_by_a_function(module: ModuleType) -> None:
    """Nobody holds it in a class or pickles it: a call of it has one step less."""
    module._max = max  # type: ignore[attr-defined]
    found = Rows([Patch("invented", "_max", wrap, sees="it")], lambda *_: None)
    found.imported(module)
    assert inspect.isfunction(module._max)
    assert (module._max(1, 2), module._max.__name__, module._max.__doc__) == (2, "max", max.__doc__)
    found.undo()
    assert module._max is max
