"""Properties that are made when they are first asked for."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


class made_once(Generic[Value]):  # noqa: N801 (it is used as `property` is)
    """A property that is made at first use, and is the same for all threads.

    `functools.cached_property` gives threads that ask at once each their own, since Python 3.12.
    Here each may make one too, and all get the first of them; so nobody waits for a lock, which a
    fork could copy while it is held.
    """

    def __init__(self, make: Callable[[Any], Value]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "made_once[Value]": ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object, owner: type) -> "made_once[Value] | Value":
        if instance is None:
            return self
        # What is in there already is found without asking here.
        made: Value = instance.__dict__.setdefault(self._name, self._make(instance))
        return made
