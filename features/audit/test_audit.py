"""The audit on a real shop: a small run holds, and every planted fault is named.

The pure checkers are tested beside their source; here the books are read from running services.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from harness.audit.books import Books
from harness.audit.checkers import CHECKERS, audit
from harness.audit.reader import read_books
from harness.audit.tables import read_stock
from harness.process.endpoints import Endpoints
from harness.providers.choice import Capability
from harness.shopper.scenario_shop import ScenarioShop
from harness.traces import trace_archive
from harness.traces.reader import TraceReader
from one_shop import need
from plants import PLANTED, sql
from simulating import TOPOLOGY, simulate, violations
from simulators.checkout.mix import Persona
from simulators.checkout.results import Plan, Result
from simulators.checkout.run import ShopNotAtRest, expect_rest

# In one process, as all of this folder: one shop, and nobody else in it.
pytestmark = pytest.mark.xdist_group("audit")

# The seed deals every persona.
PLAN = Plan(journey="sample", baskets=25, speed=1e6, concurrency=8, seed=1198917, command="test")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run leaves what it saw."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def result(endpoints: Endpoints, shop: ScenarioShop, directory: Path) -> Result:
    """A small run; *shop* has set up tracing for this process."""
    assert shop.endpoints == endpoints
    return simulate(PLAN, shop, directory)


def read(endpoints: Endpoints, result: Result) -> Books:
    return read_books(endpoints, TOPOLOGY, result.checkouts, (), since=0.0)


def broken(books: Books) -> set[str]:
    return {finding.checker.name for finding in audit(books) if finding.violations}


def test_a_small_run_holds(result: Result) -> None:
    assert violations(result) == []
    assert result.holds
    assert result.baskets == PLAN.baskets
    assert result.by_persona.keys() == set(Persona)
    assert result.by_persona["returner"] == {"returned": 1}
    assert result.by_persona["challenged"] == {"confirmed": 1}
    assert result.by_persona["challenge_refuser"] == {"cancelled: payment_declined": 1}
    assert result.by_persona["impatient"] == {"confirmed": 2}
    assert result.by_persona["second_card"] == {"cancelled: payment_declined": 1, "confirmed": 1}
    assert result.by_persona["indecisive"] == {"confirmed": 1}
    assert result.by_persona["abandoner"] == {"abandoned": 1}
    assert result.by_persona["bot"] == {"abandoned": 1}


def test_each_try_to_order_has_its_own_key_trace_and_mail(
    endpoints: Endpoints, result: Result
) -> None:
    again = [
        checkouts
        for basket_id in {checkout.basket_id for checkout in result.checkouts}
        if len(checkouts := [c for c in result.checkouts if c.basket_id == basket_id]) > 1
    ]
    mails = read(endpoints, result).mails

    assert len(again) == 2, "of the impatient, and of who brought a second card"
    for first, second in again:
        assert len({first.key, second.key, first.trace_id, second.trace_id}) == 4
        assert [len(mails[str(c.order_id)]) for c in (first, second)] == [1, 1]


def test_the_trace_of_every_checkout_is_kept_whole(
    endpoints: Endpoints, result: Result, directory: Path
) -> None:
    folder = directory / trace_archive.FOLDER

    with TraceReader(endpoints.trace_query_url) as store:
        for checkout in result.checkouts:
            entry = trace_archive.find(folder, checkout.trace_id)

            assert entry
            assert trace_archive.read(folder, entry) == store.fetch(checkout.trace_id)


def test_every_invariant_has_a_fault_planted_here() -> None:
    assert PLANTED.keys() == {checker.name for checker in CHECKERS}


@pytest.mark.parametrize("invariant", PLANTED)
def test_a_fault_planted_in_the_running_shop_is_named(
    pytestconfig: pytest.Config, endpoints: Endpoints, result: Result, invariant: str
) -> None:
    if invariant == "published_as_written":
        need(pytestconfig, Capability.PUBLISH_JOURNAL)
    before = read(endpoints, result)
    order_id = next(c.order_id for c in result.checkouts if c.outcome == "confirmed")
    assert order_id is not None

    with PLANTED[invariant](endpoints, before, order_id) as spoiled:
        after = spoiled or read(endpoints, result)

    assert invariant not in broken(before)
    assert invariant in broken(after)


LEFT = "UPDATE cart.carts SET lines = {} WHERE customer_id = '{{}}'"


def test_what_an_abandoner_left_is_missed(endpoints: Endpoints, result: Result) -> None:
    before = read(endpoints, result)
    customer_id = next(c.customer_id for c in result.checkouts if c.outcome == "abandoned")
    assert customer_id
    quantity = "jsonb_set(lines, '{{{{0,quantity}}}}', to_jsonb((lines->0->>'quantity')::int {}))"
    taken = sql(LEFT.format(quantity.format("+ 1")), LEFT.format(quantity.format("- 1")))

    with taken(endpoints, before, customer_id):
        after = read(endpoints, result)

    assert "cart_follows_order" not in broken(before)
    assert "cart_follows_order" in broken(after)


# As if it had been refused an hour ago, when of these goods there were plenty, and all went since.
AN_HOUR_AGO = """
UPDATE "order".orders SET placed_at = placed_at - interval '1 hour' WHERE id = '{0}';
UPDATE inventory.reservations SET created_at = created_at - interval '1 hour'
 WHERE order_id = '{0}';
CREATE TEMPORARY TABLE deliveries AS
SELECT min(m.id) AS id, m.sku FROM inventory.movements m, inventory.reservations r,
       jsonb_array_elements(r.missing) AS line
 WHERE r.order_id = '{0}' AND m.sku = line->>'sku' GROUP BY m.sku;
UPDATE inventory.movements SET delta_on_hand = delta_on_hand + 1000,
       occurred_at = occurred_at - interval '2 hours' WHERE id IN (SELECT id FROM deliveries);
INSERT INTO inventory.movements (sku, delta_on_hand, delta_reserved, reason, note)
SELECT sku, -1000, 0, 'adjustment', 'planted' FROM deliveries
"""
NOW_AGAIN = """
UPDATE "order".orders SET placed_at = placed_at + interval '1 hour' WHERE id = '{0}';
UPDATE inventory.reservations SET created_at = created_at + interval '1 hour'
 WHERE order_id = '{0}';
UPDATE inventory.movements SET delta_on_hand = delta_on_hand - 1000,
       occurred_at = occurred_at + interval '2 hours'
 WHERE delta_on_hand >= 1000 AND sku IN
       (SELECT sku FROM inventory.movements WHERE note = 'planted');
DELETE FROM inventory.movements WHERE note = 'planted'
"""


def test_what_is_sold_out_later_is_no_reason_to_refuse_now(
    endpoints: Endpoints, result: Result
) -> None:
    before = read(endpoints, result)
    refused = next(c for c in result.checkouts if c.reason == "out_of_stock")

    with sql(AN_HOUR_AGO, NOW_AGAIN)(endpoints, before, str(refused.order_id)):
        after = read(endpoints, result)

    assert before.missing[str(refused.order_id)]
    assert "ended_for_a_reason" not in broken(before)
    assert "ended_for_a_reason" in broken(after)


def test_an_order_of_an_abandoner_is_none_of_theirs(endpoints: Endpoints, result: Result) -> None:
    books = read(endpoints, result)
    bought = next(c for c in result.checkouts if c.outcome == "confirmed")
    left = replace(bought, outcome="abandoned", order_id=None)
    checkouts = [left if c == bought else c for c in books.checkouts]

    assert "one_final_outcome" in broken(replace(books, checkouts=checkouts))


def test_a_run_is_not_begun_where_stock_is_already_wrong_and_changes_nothing(
    endpoints: Endpoints, result: Result, shop: ScenarioShop, tmp_path: Path
) -> None:
    confirmed = next(c for c in result.checkouts if c.outcome == "confirmed")
    before = read_stock(endpoints.auditor_dsn)

    with (
        PLANTED["stock_adds_up"](endpoints, before, str(confirmed.order_id)),
        pytest.raises(ShopNotAtRest, match=f"stock of 1 goods .*: SKU {min(confirmed.lines)}$"),
    ):
        simulate(PLAN, shop, tmp_path)

    assert read_stock(endpoints.auditor_dsn) == before


def test_a_shop_that_was_used_and_holds_is_taken(endpoints: Endpoints, result: Result) -> None:
    expect_rest(endpoints)

    assert result.holds
