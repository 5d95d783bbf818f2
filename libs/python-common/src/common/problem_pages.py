"""A page at each problem's `type`: what it means, what to do. Says nothing of one occurrence."""

import re
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, render_template
from markupsafe import Markup, escape

from common import auth

# One text a problem, named as the last part of its type.
TEXTS = Path(__file__).parent / "problem_texts"
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def install(app: Flask) -> None:
    """Serve every problem's page, also those that only a neighbour answers: they are passed on."""
    known = {text.stem: text for text in TEXTS.glob("*.md")}
    pages = Blueprint("problem_pages", __name__, template_folder="templates")

    @pages.get("/problems/<name>")
    @auth.public
    def problem_page(name: str) -> Response:
        if name not in known:
            abort(404)
        title, text = known[name].read_text(encoding="utf-8").removeprefix("# ").split("\n", 1)
        page = render_template("problem.html", title=title, text=_marked_up(text))
        return Response(page, headers={"Content-Security-Policy": PAGE_POLICY})

    app.register_blueprint(pages)


def _marked_up(text: str) -> Markup:
    """Paragraphs, **bold** and `code`: the Markdown that the texts have, and no other."""
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text.strip())))
    html = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", html)
    return Markup("<p>" + html.replace("\n\n", "</p>\n<p>") + "</p>")  # noqa: S704  Escaped.
