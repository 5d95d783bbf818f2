"""From a fact to a subject, a text and an HTML page, in one of the languages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from common.money import Money
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context, select_autoescape
from jinja2.runtime import Context

from notification.domain import formats
from notification.domain.messages import Kind
from notification.domain.preferences import Language


@dataclass(frozen=True, slots=True)
class Rendered:
    subject: str
    text: str
    html: str


@pass_context
def _money(context: Context, value: Money) -> str:
    return formats.money(value, context["language"])


@pass_context
def _day(context: Context, value: date) -> str:
    return formats.day(value, context["language"])


def _environment() -> Environment:
    """Names of products and people are not ours: what goes into HTML is escaped."""
    environment = Environment(
        loader=PackageLoader("notification"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"money": _money, "day": _day}
    return environment


_templates = _environment()


def render(kind: Kind, language: Language, values: Mapping[str, object], today: date) -> Rendered:
    """The subject is a block of the text's template, so that nobody translates one alone."""
    known = {**values, "language": language, "today": today}
    plain = _templates.get_template(f"{language}/{kind}.txt")
    words = "".join(plain.blocks["subject"](plain.new_context(known)))
    subject = " ".join(words.split())
    html = _templates.get_template(f"{language}/{kind}.html")
    return Rendered(subject, plain.render(known), html.render(known, subject=subject))
