import pytest
from common.errors import IllegalTransition
from inventory import domain
from inventory.domain import (
    AvailabilityChange,
    BelowReserved,
    Level,
    Line,
    Missing,
    Reason,
    Reservation,
    ReservationState,
    Stock,
)

HELD = Reservation("order-1", ReservationState.HELD)
COMMITTED = Reservation("order-1", ReservationState.COMMITTED)
RELEASED = Reservation("order-1", ReservationState.RELEASED)
REJECTED = Reservation("order-1", ReservationState.REJECTED)


def test_what_is_reserved_is_not_available() -> None:
    assert Stock("MUG-1", on_hand=10, reserved=3).available == 7


def test_lines_of_one_sku_become_one_and_are_sorted() -> None:
    merged = domain.merged([Line("TEA-2", 1), Line("MUG-1", 2), Line("TEA-2", 3)])

    assert merged == (Line("MUG-1", 2), Line("TEA-2", 4))


def test_nothing_is_missing_when_the_last_piece_is_wanted() -> None:
    stock = {"MUG-1": Stock("MUG-1", on_hand=3, reserved=1)}

    assert domain.missing([Line("MUG-1", 2)], stock) == ()


def test_a_line_is_missing_when_one_piece_is_lacking() -> None:
    stock = {"MUG-1": Stock("MUG-1", on_hand=3, reserved=2), "TEA-2": Stock("TEA-2", 9, 0)}

    missing = domain.missing([Line("MUG-1", 2), Line("TEA-2", 9)], stock)

    assert missing == (Missing("MUG-1", requested=2, available=1),)


def test_a_sku_that_was_never_in_stock_is_missing() -> None:
    assert domain.missing([Line("MUG-1", 1)], {}) == (Missing("MUG-1", 1, 0),)


def test_held_stock_is_committed() -> None:
    assert domain.commit(HELD) == COMMITTED


def test_committing_twice_is_the_same_as_once() -> None:
    assert domain.commit(COMMITTED) == COMMITTED


@pytest.mark.parametrize("reservation", [RELEASED, REJECTED])
def test_stock_that_is_not_held_cannot_be_committed(reservation: Reservation) -> None:
    with pytest.raises(IllegalTransition, match=reservation.state):
        domain.commit(reservation)


def test_held_stock_is_released() -> None:
    assert domain.release(HELD) == RELEASED


@pytest.mark.parametrize("reservation", [RELEASED, REJECTED])
def test_releasing_what_holds_nothing_changes_nothing(reservation: Reservation) -> None:
    assert domain.release(reservation) == reservation


def test_committed_stock_cannot_be_released() -> None:
    with pytest.raises(IllegalTransition, match="committed"):
        domain.release(COMMITTED)


def test_free_pieces_may_be_written_off() -> None:
    domain.check_adjustment(Stock("MUG-1", on_hand=5, reserved=2), -3)


def test_reserved_pieces_cannot_be_written_off() -> None:
    with pytest.raises(BelowReserved) as refusal:
        domain.check_adjustment(Stock("MUG-1", on_hand=5, reserved=2), -4)

    assert refusal.value.members == {"sku": "MUG-1", "available": 3}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (6, 5, "stock.low"),
        (9, 0, "stock.low"),
        (5, 4, None),
        (1, 0, "stock.low"),
        (9, 6, None),
        (0, 3, "stock.low"),
        (0, 6, "stock.replenished"),
        (5, 6, "stock.replenished"),
        (6, 9, None),
        (None, 6, None),
        (None, 5, "stock.low"),
    ],
)
def test_shoppers_hear_of_a_level_only_when_it_changes(
    before: int | None, after: int, told: str | None
) -> None:
    assert domain.notice(AvailabilityChange("MUG-1", before, after)) == told


@pytest.mark.parametrize("text", ["MUG-1", "1082185", "a.b_c", "x" * 64])
def test_a_sku_is_letters_digits_and_a_little_punctuation(text: str) -> None:
    assert domain.is_sku(text)


@pytest.mark.parametrize("text", ["", "-MUG", "MUG 1", "MUG\x00", "MUG-1\n", "x" * 65])
def test_anything_else_is_no_sku(text: str) -> None:
    assert not domain.is_sku(text)


@pytest.mark.parametrize(
    ("reason", "directions"),
    [
        (Reason.CYCLE_COUNT, {1, -1}),
        (Reason.ADJUSTMENT, {1, -1}),
        (Reason.DAMAGE, {-1}),
        (Reason.LOSS, {-1}),
        (Reason.FOUND, {1}),
    ],
)
def test_some_reasons_change_a_stock_in_one_direction_only(
    reason: Reason, directions: set[int]
) -> None:
    assert {delta for delta in (1, -1) if domain.is_possible(reason, delta)} == directions


@pytest.mark.parametrize("level", Level)
def test_the_limits_of_a_level_are_of_that_level_and_their_neighbours_are_not(level: Level) -> None:
    least, most = domain.availability_of(level)

    assert domain.level(least) is level
    assert least == 0 or domain.level(least - 1) is not level
    assert most is None or domain.level(most) is level
    assert most is None or domain.level(most + 1) is not level


def test_what_was_taken_may_come_back_once() -> None:
    taken = [Line("MUG-1", 3), Line("TEA-2", 1)]

    domain.check_return(COMMITTED, taken, [Line("MUG-1", 2)], [Line("MUG-1", 1), Line("TEA-2", 1)])


@pytest.mark.parametrize("more", [Line("MUG-1", 2), Line("JAM-3", 1)])
def test_more_than_is_out_cannot_come_back(more: Line) -> None:
    with pytest.raises(IllegalTransition, match="come back"):
        domain.check_return(COMMITTED, [Line("MUG-1", 3)], [Line("MUG-1", 2)], [more])


@pytest.mark.parametrize("reservation", [None, RELEASED, REJECTED])
def test_nothing_comes_back_of_an_order_that_took_nothing(reservation: Reservation | None) -> None:
    with pytest.raises(IllegalTransition):
        domain.check_return(reservation, [], [], [Line("MUG-1", 1)])
