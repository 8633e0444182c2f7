"""Stops an app that has a class, a method or a bare instance where a dependency should be.

FastAPI takes any callable for a dependency. It would make an instance of a class for each request
and never ask it for a key, so one missing pair of brackets would make a route public.

Everything here raises while a route is defined. What FastAPI sees only in a finished route is in
`route_check.py`.
"""

from collections.abc import Callable
from inspect import signature
from types import MethodType
from typing import Any, NoReturn, TypeVar, cast

from fastapi import params

Function = TypeVar("Function", bound=Callable[..., Any])


class NotADependency(type, params.Depends):
    """The type of a class that is not a dependency. Its attribute `_instead` says what to write.

    FastAPI reads `__globals__` of every dependency when it collects the parameters. Classes have no
    such attribute, and neither `help` nor `inspect.signature` look for it in one.

    FastAPI takes the class itself for a `Depends`, because this type is one, and reads its
    `dependency`. Otherwise it would take the class for the default value of a query parameter.
    """

    _instead: str

    # Not those of the dataclass, which would read the properties below.
    __eq__ = type.__eq__
    __hash__ = type.__hash__

    @property
    def problem(cls) -> str:
        """What is wrong where the class is a dependency, and what to write."""
        return f"{cls.__name__} is a class and checks no key: {cls._instead}"

    @property
    def __globals__(cls) -> NoReturn:
        raise TypeError(cls.problem)

    @property
    def dependency(cls) -> NoReturn:
        """What FastAPI reads where a class stands in place of `Depends(...)`."""
        raise AttributeError(cls.problem)

    @property
    def __dataclass_fields__(cls) -> NoReturn:  # type: ignore[override]
        """Hides that `Depends` is a dataclass, of which Pydantic would read the fields."""
        raise AttributeError("__dataclass_fields__")


class NeedsDepends(params.Depends):
    """A dependency that FastAPI recognizes where the `Depends` around it was forgotten.

    FastAPI ignores other objects within `Annotated`, or takes them for the default value of a
    parameter in the query: the route would be public.
    """

    # FastAPI keeps dependencies as keys of dictionaries, and each is equal to itself alone. The
    # methods of a dataclass would read the property below.
    __eq__ = object.__eq__
    __hash__ = object.__hash__
    __repr__ = object.__repr__

    @property
    def dependency(self) -> NoReturn:
        """What FastAPI reads of `Depends(...)`."""
        raise AttributeError(
            f"an instance of {type(self).__name__} is not a dependency by itself: "
            "write `Depends(security)` in place of `security`"
        )


def not_a_dependency(function: Function) -> Function:
    """A method that would check no key if a route depended on it."""
    return cast("Function", _Method(function))


def is_method(call: object) -> bool:
    """Whether it is a method that would check no key, of an instance or of its class."""
    return isinstance(getattr(call, "__func__", call), _Method)


class _Method:
    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__

    def __get__(self, instance: object, owner: type) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._function(*arguments, **named)

    @property
    def __signature__(self) -> Any:
        # Not by `__wrapped__`, which FastAPI follows to the function within.
        return signature(self._function)

    @property
    def __globals__(self) -> NoReturn:
        """What FastAPI reads of every dependency, as it does of a class."""
        raise TypeError(
            f"the method {self.__name__} is not a dependency and checks no key of a request: "
            "write `Depends(security)`, with the instance"
        )
