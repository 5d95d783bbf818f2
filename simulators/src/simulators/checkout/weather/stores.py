"""Faults of what the services keep their books and copies in: PostgreSQL and Redis."""

from harness.faults.planter import Faults

from simulators.checkout.weather.kinds import (
    BROKEN_S,
    Ending,
    Kind,
    MetNothing,
    Seam,
    Target,
    places,
)

# Where a commit is refused: who hears of something, and where an order begins.
WRITTEN = ("order.orders", "order.inbox", "inventory.inbox", "payment.inbox", "cart.inbox")
REFUSED_COMMITS = 2


def _cut_database(faults: Faults, _: Target, __: str) -> None:
    if not faults.cut_database():
        raise MetNothing("no service had a connection")


def _refuse_commits(faults: Faults, target: Target, label: str) -> Ending:
    name = label.replace("-", "_")
    faults.refuse_commits(target.place, REFUSED_COMMITS, name=name)

    def end() -> None:
        if not faults.take_commits(target.place, REFUSED_COMMITS, name=name):
            raise MetNothing("nobody wrote to it")

    return end


def _empty_cache(faults: Faults, _: Target, __: str) -> None:
    if not faults.empty_cache():
        raise MetNothing("the cache was empty")


def of_stores() -> list[Kind]:
    return [
        Kind(
            "database-cut",
            Seam.STORES,
            "every connection of the services ended by the server",
            _cut_database,
            [Target()],
        ),
        Kind(
            "commit-refused",
            Seam.STORES,
            f"PostgreSQL refuses {REFUSED_COMMITS} commits that write to a table (SQLSTATE 40001)",
            _refuse_commits,
            places(*WRITTEN),
            lasts_s=BROKEN_S,
        ),
        Kind(
            "cache-empty",
            Seam.STORES,
            "all keys of the cache gone",
            _empty_cache,
            [Target()],
        ),
    ]
