"""`cartwright redrive`: what no consumer could handle, why, and how it gets another chance."""

from typing import Annotated

import typer
from harness import stack
from harness.process.endpoints import Endpoints
from harness.topology import redrive as dead_letters
from harness.topology.redrive import DeadLetter
from rich.console import Console
from rich.table import Table

from cartwright import location

EXIT_WRONG_QUEUE = 2

console = Console(highlight=False)


def redrive(
    queue: Annotated[
        str | None, typer.Argument(help="Its messages go back, e.g. order-inbox. None: only look.")
    ] = None,
    home: location.HomeOption = None,
    *,
    all_queues: Annotated[bool, typer.Option("--all", help="Of every queue.")] = False,
) -> None:
    """List the dead letters with their reasons, or send them back to their queue."""
    endpoints = stack.endpoints(location.find(home).path)
    if endpoints is None:
        console.print("The shop is not running: cartwright up")
        raise typer.Exit(location.EXIT_NOT_RUNNING)
    if queue is not None and queue not in endpoints.queue_urls:
        console.print(f"There is no queue {queue}. Queues: {', '.join(endpoints.queue_urls)}")
        raise typer.Exit(EXIT_WRONG_QUEUE)
    if queue or all_queues:
        for name in [queue] if queue else endpoints.queue_urls:
            _send_back(endpoints, name)
    else:
        _list(endpoints)


def _send_back(endpoints: Endpoints, queue: str) -> None:
    sent = 0
    for letter in dead_letters.redrive(
        endpoints.aws_endpoint_url,
        endpoints.dead_letter_queue_urls[queue],
        endpoints.queue_urls[queue],
    ):
        console.print(f"{queue} ← {letter.event_type or 'a message'} {letter.event_id}")
        sent += 1
    console.print(f"{queue}: {sent} sent back")


def _list(endpoints: Endpoints) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("queue", "event", "id", "reason"):
        table.add_column(column, overflow="fold")
    for queue, url in endpoints.dead_letter_queue_urls.items():
        for letter in dead_letters.look(endpoints.aws_endpoint_url, url):
            table.add_row(*_cells(queue, letter))
    if table.row_count:
        console.print(table)
        console.print("Mend the cause, then: cartwright redrive QUEUE, or --all")
    else:
        console.print("No dead letters.")


def _cells(queue: str, letter: DeadLetter) -> tuple[str, str, str, str]:
    return queue, letter.event_type or "?", letter.event_id or letter.message_id, letter.reason
