"""`cartwright stock`: goods for a running shop, so that people can buy. Sends no shopper."""

import typer
from cartwright import location
from harness import stack
from harness.process.failure import CannotStart
from rich.console import Console
from rich.markup import escape

from simulators.checkout.mix import visits
from simulators.checkout.run import stock_the_shop
from simulators.checkout.seed import SeedingFailed
from simulators.journey.load import load_sample

# What a hundred households bought: every department, and nearly nine hundred products.
BASKETS = 100
# Any will do: it deals the goods of which there are few.
SEED = 1

console = Console(highlight=False)


def stock(home: location.HomeOption = None, shop: location.ShopOption = None) -> None:
    """Put 2017's goods on the shelves. Again fills up what was sold."""
    try:
        place = location.find(home).path
        endpoints = stack.external_shop(shop, place) if shop else stack.endpoints(place)
    except CannotStart as error:
        console.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(location.EXIT_NOT_RUNNING) from error
    if endpoints is None:
        console.print("The shop is not running: cartwright up")
        raise typer.Exit(location.EXIT_NOT_RUNNING)
    journey = load_sample()
    try:
        arrived, there = stock_the_shop(
            journey, visits(journey.baskets[:BASKETS], SEED), endpoints, SEED
        )
    except SeedingFailed as error:
        console.print(f"[red]The shop could not be stocked:[/] {escape(str(error))}")
        raise typer.Exit(1) from error
    console.print(f"{arrived:,} products arrived, {there:,} were on the shelves already")
