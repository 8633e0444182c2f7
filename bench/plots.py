"""Bars as SVG, for light and for dark pages."""

import math
from html import escape
from pathlib import Path

from figures import Plot, shown

WIDTH, LEFT, RIGHT = 760, 260, 90
TOP, STEP, BAR = 44, 28, 18
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.other { fill: #8c959f }
.ours { fill: #0969da }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .other { fill: #6e7681 }
  .ours { fill: #4493f8 }
}
"""
# What is not ours, by its beginning.
OTHERS = ("plain", "one ", "fastapi_simple_security 1", "keyshield")


def write(plot: Plot, folder: Path) -> Path:
    """Writes `<name>.svg`."""
    path = folder / f"{plot.name}.svg"
    path.write_text(drawn(plot))
    return path


def drawn(plot: Plot) -> str:
    """The text of the picture."""
    height = TOP + STEP * len(plot.bars) + 12
    title = plot.title + (" (logarithmic)" if plot.logarithmic else "")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<text class="title" x="8" y="24">{escape(title)}</text>',
    ]
    for number, (name, value) in enumerate(plot.bars):
        y = TOP + STEP * number
        kind = "other" if name.startswith(OTHERS) else "ours"
        length = _length(value, plot)
        parts += [
            f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>',
            f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>',
            f'<text x="{LEFT + length + 6:.1f}" y="{y + 14}">{_label(value, plot)}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def _length(value: float, plot: Plot) -> float:
    values = [each for _, each in plot.bars]
    longest = WIDTH - LEFT - RIGHT
    if not plot.logarithmic:
        return max(value, 0.0) / max(*values, 1e-9) * longest
    # One power of ten below the smallest, so that it has a bar too.
    least = math.log10(max(min(values), 1e-3)) - 1
    most = math.log10(max(values))
    return (math.log10(max(value, 1e-3)) - least) / (most - least) * longest


def _label(value: float, plot: Plot) -> str:
    return escape(f"{shown(value)} {plot.unit}".rstrip())
