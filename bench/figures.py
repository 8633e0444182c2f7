"""Statistics: rounds in turn, medians, ratios pair by pair; and what a subject has found."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

Taken = TypeVar("Taken")


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    full: bool

    def of(self, quick: int, full: int) -> int:
        """So many in a quick run, and so many in a full one."""
        return full if self.full else quick


@dataclass(frozen=True)
class Ratio:
    """The median of ratios, each within one round, and the quartiles."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        return f"{shown(self.median)} ({shown(self.low)} to {shown(self.high)})"


@dataclass(frozen=True)
class Aim:
    """One line of the table of aims."""

    what: str
    bound: str
    figure: str
    reached: bool


@dataclass(frozen=True)
class Table:
    """One table, with a note below it."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Plot:
    """Bars, one below another."""

    name: str
    title: str
    unit: str
    bars: Sequence[tuple[str, float]]
    logarithmic: bool = False


@dataclass
class Section:
    """What a subject has found."""

    title: str
    text: str
    tables: list[Table] = field(default_factory=list)
    aims: list[Aim] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)


def in_turn(measures: dict[str, Callable[[], Taken]], rounds: int) -> dict[str, list[Taken]]:
    """Takes all measures in each round, another one first each time. The first round warms up."""
    names = list(measures)
    taken: dict[str, list[Taken]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for step in range(len(names)):
            name = names[(number + step) % len(names)]
            one = measures[name]()
            if number > 0:
                taken[name].append(one)
    return taken


def ratio(these: Sequence[float], those: Sequence[float]) -> Ratio:
    """The ratios of what was taken in the same rounds."""
    return spread([one / other for one, other in zip(these, those, strict=True)])


def difference(these: Sequence[float], those: Sequence[float]) -> float:
    """The median of the differences within the same rounds."""
    return statistics.median(one - other for one, other in zip(these, those, strict=True))


def spread(numbers: Sequence[float]) -> Ratio:
    """The median and the quartiles."""
    if len(numbers) < 2:
        return Ratio(numbers[0], numbers[0], numbers[0])
    low, median, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return Ratio(low, median, high)


def at_least(what: str, bound: float, found: Ratio) -> Aim:
    """An aim that is reached from `bound` on."""
    return Aim(what, f"at least {bound:g}", str(found), found.median >= bound)


def at_most(what: str, bound: float, found: Ratio, unit: str = "") -> Aim:
    """An aim that is reached up to `bound`."""
    return Aim(what, f"at most {bound:g}{unit}", f"{found}{unit}", found.median <= bound)


def exactly_one(what: str, counted: int, answered: int) -> Aim:
    """Everything that was answered was counted, once."""
    return Aim(what, "exactly 1", f"{counted} / {answered}", counted == answered > 0)


def shown(number: float) -> str:
    """A number with about three digits that count."""
    size = abs(number)
    for least, digits in ((100, 0), (10, 1), (1, 2)):
        if size >= least:
            return f"{number:,.{digits}f}"
    return f"{number:.3f}"


def table_as_text(table: Table) -> str:
    """For a terminal."""
    rows = [table.headings, *table.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.headings))]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, table.note] if table.note else lines)


def table_as_markdown(table: Table) -> str:
    """For RESULTS.md."""
    rows = [table.headings, ["---", *["---:"] * (len(table.headings) - 1)], *table.rows]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, "", table.note] if table.note else lines)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """The first column to the left, the others to the right."""
    first, *others = zip(row, widths, strict=True)
    return [first[0].ljust(first[1]), *[cell.rjust(width) for cell, width in others]]
