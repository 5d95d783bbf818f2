"""Pages for people: the latest traces, one trace as a waterfall, the metrics. No script."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from itertools import islice

from harness.traces.causality import Trace
from jinja2 import Environment, PackageLoader, StrictUndefined

from simulators.trace_store.answer import HTML, Answer
from simulators.trace_store.metrics import Metrics
from simulators.trace_store.otlp_json import Json, traces_json
from simulators.trace_store.search import Malformed, Search, fields, read, satisfies
from simulators.trace_store.store import Store
from simulators.trace_store.waterfall import Summary, draw, summarize

# One screen; each is decoded for the list, about 2 ms a checkout.
RECENT = 50
# The latest of so many traces are looked through: a good second at worst, and no index to keep.
SEARCHED_MAX = 5_000

# Attributes come from outside. Nothing in a page may run, load or be framed, whatever they hold.
HEADERS = (
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
    ("X-Content-Type-Options", "nosniff"),
)

MS_PER_S = 1_000


def duration(milliseconds: float) -> str:
    """Three digits that matter: `0.42 ms`, `18.3 ms`, `412 ms`, `2.31 s`."""
    if milliseconds >= MS_PER_S:
        return f"{milliseconds / MS_PER_S:.2f} s"
    return f"{milliseconds:.{2 if milliseconds < 10 else 1 if milliseconds < 100 else 0}f} ms"


def clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}.{moment.microsecond // MS_PER_S:03}"


def environment() -> Environment:
    templates = Environment(
        loader=PackageLoader("simulators.trace_store"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(duration=duration, clock=clock)
    return templates


TEMPLATES = environment()


def page(template: str, status: HTTPStatus = HTTPStatus.OK, **content: object) -> Answer:
    html = TEMPLATES.get_template(template).render(content)
    return Answer(html.encode(), HTML, status, HEADERS)


def recent(store: Store, query: str) -> Answer:
    """The latest traces, or of those the ones that *query* looks for; 400 if it is malformed."""
    given: dict[str, str] = {}
    try:
        given = fields(query)
        wanted = read(given)
    except Malformed as error:
        return _listed(store, [], given, HTTPStatus.BAD_REQUEST, fault=str(error))
    is_narrowed = wanted != Search()
    found = (
        stored
        for stored in store.recent(SEARCHED_MAX if is_narrowed else RECENT)
        if satisfies(stored, wanted)
    )
    traces = [Trace.from_otlp(traces_json(stored)) for stored in islice(found, RECENT)]
    return _listed(store, list(map(summarize, traces)), given, is_narrowed=is_narrowed)


def _listed(
    store: Store,
    traces: Sequence[Summary],
    given: Mapping[str, str],
    status: HTTPStatus = HTTPStatus.OK,
    **said: object,
) -> Answer:
    content = {"fault": "", "is_narrowed": True, "searched": SEARCHED_MAX, **said}
    return page("recent.html", status, traces=traces, given=given, stats=store.stats(), **content)


def trace(traces: Json) -> Answer:
    return page("trace.html", waterfall=draw(Trace.from_otlp(traces)))


def figures(metrics: Metrics) -> Answer:
    return page("metrics.html", figures=metrics.all())


def not_found(trace_id: str, status: HTTPStatus) -> Answer:
    return page("not_found.html", status, trace_id=trace_id, malformed=status.value == 400)
