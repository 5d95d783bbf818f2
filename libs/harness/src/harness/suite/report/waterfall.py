"""Bars as a waterfall in HTML, for every page that shows one. No script; nothing loaded."""

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.suite.report.recording import Bar

# A bar that is too short to be seen is drawn this wide, in percent.
WIDTH_MIN = 0.4
# A colour a service, the same all over the page; names beyond these share them in turn.
PALETTE = 9
SERVICES = (
    "shopper", "auth", "cart", "catalog", "inventory", "order", "payment", "notification",
    "payment-provider",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A bar with where it is drawn, in percent of the whole flow."""

    bar: Bar
    left: float
    width: float


@dataclass(frozen=True)
class Mark:
    """A moment of a flow that is drawn as a line through its bars: when, and what then was."""

    at_ms: float
    label: str


def seconds(value: float) -> str:
    return f"{value:.1f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def colour(service: str) -> int:
    """The number of the service's colour, from 0."""
    known = SERVICES.index(service) if service in SERVICES else sum(service.encode())
    return known % PALETTE


TEMPLATES = Environment(
    loader=PackageLoader("harness.suite.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters["seconds"] = seconds
TEMPLATES.globals["colour"] = colour


def draw(bars: Sequence[Bar], marks: Sequence[Mark] = ()) -> Markup:
    """An `<ol class="waterfall">`; a page that has one also has `style()`.

    marks: those that are not within the flow are left out.
    """
    whole = span_ms(bars) or 1.0
    lines = [(100 * mark.at_ms / whole, mark) for mark in marks if 0 <= mark.at_ms <= whole]
    html = TEMPLATES.get_template("waterfall.html.j2").render(rows=rows(bars), lines=lines)
    return Markup(html)  # noqa: S704  Escaped by the template.


def style() -> Markup:
    """Needs `--bad`, `--quiet` and `--shade` of the page around it."""
    return Markup(TEMPLATES.get_template("waterfall.css").render())  # noqa: S704  Our own file.


def rows(bars: Sequence[Bar]) -> list[Row]:
    whole = span_ms(bars) or 1.0
    return [
        Row(
            bar,
            100 * bar.start_ms / whole,
            max(WIDTH_MIN, 100 * min(bar.duration_ms, whole - bar.start_ms) / whole),
        )
        for bar in bars
    ]


def span_ms(bars: Sequence[Bar]) -> float:
    """From the first span to the end of the last."""
    return max((bar.start_ms + bar.duration_ms for bar in bars), default=0.0)
