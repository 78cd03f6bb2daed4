"""Pictures of numbers, drawn here: SVG with presentation attributes alone, since nothing inline may style it.

Each has a sentence for those who do not see it; what it shows is in a table beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from borg_api.page.show.times import size
from borg_api.page.show.words import State

STRIP = 30
"""So many runs are in a strip."""
_BAR, _GAP, _HIGH = 6, 3, 20
_TALL = {"good": 20, "warn": 20, "bad": 20, "busy": 12, "idle": 6}
_WIDTH, _HEIGHT, _BASE = 720, 180, 150
_LEFT = 8


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a time."""

    at: datetime
    value: int


def draw_strip(states: Sequence[State]) -> Markup:
    """Return a bar for each run, oldest first: full for good, notched for warnings, crossed for failed, else low."""
    shown = states[-STRIP:]
    if not shown:
        return Markup('<span class="none">no runs yet</span>')
    bars = Markup("".join(_bar(number, state) for number, state in enumerate(shown)))  # noqa: S704 # nosec B704 - see _bar
    width = len(shown) * (_BAR + _GAP) - _GAP
    said = _tell(shown)
    return Markup(
        '<svg class="strip" role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}">'
        "<title>{}</title>{}</svg>"
    ).format(said, width, _HIGH, width, _HIGH, said, bars)


def _bar(number: int, state: State) -> str:
    """Return one bar. All that is in it is ours, and there are thousands: no escaping."""
    x, high = number * (_BAR + _GAP), _TALL[state.tone]
    bar = f'<rect class="{state.tone}" x="{x}" y="{_HIGH - high}" width="{_BAR}" height="{high}" rx="1"/>'
    if state.tone == "warn":
        bar += f'<rect class="notch" x="{x}" y="5" width="{_BAR}" height="3"/>'
    if state.tone == "bad":
        bar += f'<path class="notch" d="M{x} 7l{_BAR} 6M{x + _BAR} 7l-{_BAR} 6"/>'
    return bar


def _tell(states: Sequence[State]) -> str:
    counted: dict[str, int] = {}
    for state in states:
        counted[state.word.lower()] = counted.get(state.word.lower(), 0) + 1
    parts = ", ".join(f"{number} {word}" for word, number in counted.items())
    return f"Last {len(states)} runs: {parts}; the newest: {states[-1].word.lower()}"


def draw_space(points: Sequence[Point], said: str) -> Markup:
    """Return the line of bytes over time; nothing for fewer than two points. `said`: what it shows."""
    if len(points) < 2:  # noqa: PLR2004
        return Markup("")
    first, last = points[0].at.timestamp(), points[-1].at.timestamp()
    most = max(point.value for point in points) or 1
    across = max(last - first, 1)

    def place(point: Point) -> str:
        x = _LEFT + (_WIDTH - 2 * _LEFT) * (point.at.timestamp() - first) / across
        return f"{x:.1f} {_BASE - (_BASE - 24) * point.value / most:.1f}"

    line = " L".join(place(point) for point in points)
    end = place(points[-1]).split(" ")
    return Markup(
        '<svg class="space" role="img" aria-label="{said}" viewBox="0 0 {w} {h}" preserveAspectRatio="none">'
        '<path class="grid" d="M{l} 24H{r}M{l} 87H{r}M{l} {b}H{r}"/>'
        '<path class="area" d="M{l} {b} L{line} L{x} {b}Z"/><path class="line" d="M{line}"/>'
        '<circle class="dot" cx="{x}" cy="{y}" r="4"/></svg>'
        '<p class="axis"><span>{begin}</span><span>at most {most}</span><span>{end}</span></p>'
    ).format(
        said=said,
        w=_WIDTH,
        h=_HEIGHT - 24,
        l=_LEFT,
        r=_WIDTH - _LEFT,
        b=_BASE,
        line=line,
        x=end[0],
        y=end[1],
        begin=f"{points[0].at:%Y-%m-%d}",
        most=size(most),
        end=f"{points[-1].at:%Y-%m-%d}",
    )
