"""`cartwright simulate`: real shoppers through the running shop, then the audit of its books."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from cartwright import location
from harness import stack
from harness.process.endpoints import Endpoints
from harness.process.home import Home
from harness.providers.choice import Choice, ProviderName
from harness.traces.export import trace_to
from rich.console import Console
from rich.markup import escape

from simulators.checkout import comparison, job_summary, report
from simulators.checkout.display import LiveDisplay, print_faults, print_result
from simulators.checkout.exits import EXIT_NOT_JUDGED, exit_code, told_if_not_judged
from simulators.checkout.gate import read as read_gate
from simulators.checkout.results import Plan
from simulators.checkout.run import run
from simulators.checkout.weather.choice import choose, no_proxies, of_file
from simulators.checkout.weather.plan import CALM
from simulators.journey.domain import Journey
from simulators.journey.load import load_full, load_sample

# What two cores take without a queue at the door, and what a newcomer waits for.
DEFAULT_ARRIVALS_PER_S = 4.0
DEFAULT_BASKETS = 200
DEFAULT_CONCURRENCY = 32
# Where messages get lost, who waits is reminded after 3 s instead of 30.
HURRY = {"SAGA_TIME_SCALE": "10"}


def simulate(  # noqa: PLR0913  A parameter is an option of the command line.
    *,
    baskets: Annotated[
        int, typer.Option(min=1, help="How many, from the first on; the sample has 900.")
    ] = DEFAULT_BASKETS,
    speed: Annotated[
        float | None,
        typer.Option(min=1.0, help="Seconds of 2017 per second. Default: 4 baskets a second."),
    ] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, max=256, help="Shoppers in the shop at once.")
    ] = DEFAULT_CONCURRENCY,
    seed: Annotated[
        int, typer.Option(help="Deals the personas and the scarce goods; same seed, same deal.")
    ] = 1,
    journey: Annotated[
        str, typer.Option(help="`sample`: two days, in the repository. `full`: all of 2017.")
    ] = "sample",
    report_dir: Annotated[
        Path | None, typer.Option(help="Where the report goes. Default: reports/<time>.")
    ] = None,
    home: Annotated[Path | None, typer.Option(help="Where the shop keeps its data.")] = None,
    provider: location.ProviderOption = None,
    shop: location.ShopOption = None,
    weather: Annotated[
        str | None,
        typer.Option(
            help="`stormy`: faults drawn from the seed. `calm`: none. Or a file of faults."
            " Default: stormy, where faults can be planted."
        ),
    ] = None,
    list_faults: Annotated[
        bool, typer.Option("--list-faults", help="Say which faults there are, and run nothing.")
    ] = False,
    gate_file: Annotated[
        Path | None,
        typer.Option("--gate", help="A file of limits that the figures have to keep."),
    ] = None,
    earlier_dir: Annotated[
        Path | None,
        typer.Option("--compare", help="The folder of an earlier run to put beside this one."),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the shop up if it is started for this.")
    ] = False,
) -> None:
    """Replay real baskets, wait until every order has settled, audit the books.

    Exit code 0: every invariant holds. 2: one does not. 3: not judged, or not the traces, and why
    is said. 4: they hold, and `--gate` is not met. 130: interrupted; what was done until then
    holds. Through make each but 0 becomes 2.
    """
    console = Console()
    if list_faults:
        print_faults(console)
        return
    root = stack.repository()
    directory = report_dir or root / "reports" / datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    with told_if_not_judged(console, directory):
        chosen = _load(journey)
        count = min(baskets, len(chosen.baskets))
        span_s = (chosen.baskets[count - 1].at - chosen.baskets[0].at).total_seconds()
        plan = Plan(
            journey=journey,
            baskets=count,
            speed=speed or max(1.0, span_s * DEFAULT_ARRIVALS_PER_S / count),
            concurrency=concurrency,
            seed=seed,
            command="cartwright " + " ".join(sys.argv[1:]),
        )
        at = location.find(home, otherwise=EXIT_NOT_JUDGED).path
        filed = of_file(weather)
        gate = read_gate(gate_file) if gate_file else None
        earlier = comparison.read(earlier_dir / comparison.RESULT) if earlier_dir else None
        _make(directory, console)
        choice = location.choose_provider(provider, shop)
        stays = keep or choice.name is ProviderName.EXTERNAL or stack.endpoints(at) is not None
        with (
            Home(at).sole_run(),
            _shop(console, at, choice, keep=keep, stormy=weather != CALM) as endpoints,
        ):
            planned = choose(weather, filed, endpoints, seed, span_s / plan.speed)
            how_many = f"{len(planned.faults)} faults" if planned.faults else "no faults"
            why = f": {no_proxies(endpoints)}" if weather is None and planned.is_calm else ""
            console.print(
                f"Weather: {planned.name}, {how_many}{why}", highlight=False, soft_wrap=True
            )
            (directory / "weather.yaml").write_text(planned.to_yaml(), encoding="utf-8")
            trace_to(endpoints.otlp_url, service_name="shopper")
            stop = _stop_on_interrupt(console)
            display = LiveDisplay(console)
            with display.showing():
                result = run(
                    plan,
                    chosen,
                    endpoints,
                    stack.topology(),
                    stop=stop,
                    display=display,
                    directory=directory,
                    weather=planned,
                )
    judgement = gate.judge(result) if gate else None
    beside = comparison.compare(result, earlier, earlier_dir) if earlier and earlier_dir else None
    path = report.write(result, directory, judgement, beside)
    print_result(console, result, str(path), judgement, beside, shop_stays=stays)
    job_summary.append(console, job_summary.markdown(result, judgement, beside))
    if keep:
        _say_kept(console, at)
    raise typer.Exit(exit_code(result, judgement))


def _make(directory: Path, console: Console) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        console.print(
            f"[red]There is no place for the report:[/] {escape(str(error))}. Choose another:"
            " --report-dir DIR",
            soft_wrap=True,
        )
        raise typer.Exit(EXIT_NOT_JUDGED) from error


@contextlib.contextmanager
def _shop(
    console: Console, home: Path, choice: Choice, *, keep: bool, stormy: bool
) -> Iterator[Endpoints]:
    """The shop to send shoppers through; started, and stopped again unless kept, if none runs.

    stormy: with proxies for faults, a saga that reminds sooner, and ledgers of its spans.
    """
    if choice.name is ProviderName.EXTERNAL:
        yield stack.external_shop(choice.shop, home)
        return
    environment = HURRY | stack.provable(home) if stormy else {}
    if stack.endpoints(home) is None:
        console.print(f"[dim]{choice}[/]")
        after = "it stays afterwards" if keep else "it stops afterwards; `--keep` leaves it up"
        console.print(f"Starting the shop ({after}) …")
    if keep:
        yield stack.left_running(home, provider=choice.name, environment=environment, faults=stormy)
        return
    with stack.running(
        home,
        provider=choice.name,
        ephemeral_ports=False,
        environment=environment,
        faults=stormy,
    ) as endpoints:
        yield endpoints


def _say_kept(console: Console, home: Path) -> None:
    endpoints = stack.endpoints(home)
    if endpoints:  # Not if it is somewhere else, or somebody has stopped it.
        console.print(
            f"The shop is still up; its traces: {endpoints.trace_query_url}\n"
            f"Stop it: cartwright down --home {home}",
            highlight=False,
            soft_wrap=True,
        )


def _load(journey: str) -> Journey:
    """Raises JourneyNotInstalled."""
    loaders = {"sample": load_sample, "full": load_full}
    if journey not in loaders:
        raise typer.BadParameter(f"--journey takes {' or '.join(loaders)}, not {journey!r}")
    return loaders[journey]()


def _stop_on_interrupt(console: Console) -> threading.Event:
    """The first Ctrl-C stops admitting shoppers; the second one ends the program. So do SIGTERM,
    and the terminal that is closed.
    """
    stop = threading.Event()

    def interrupted(_: int, __: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        with contextlib.suppress(OSError):  # Of a terminal that is closed.
            console.print(
                "[yellow]Letting nobody else in; auditing what was done. Again to quit.[/]"
            )

    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # As nohup wants it.
        signal.signal(signal.SIGHUP, interrupted)
    return stop
