"""A weather is data: the same for the same seed, refused with a reason where it is none."""

from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest
from simulators.checkout.weather.plan import (
    APART_S,
    FAULTS_MIN,
    FIRST_AT,
    LAST_AT,
    Planned,
    Weather,
    WeatherRefused,
    read,
    storm,
)
from simulators.checkout.weather.registry import KINDS

REPLAY_S = 50.0


def test_a_seed_gives_the_same_storm_and_another_one_another() -> None:
    assert storm(7, REPLAY_S) == storm(7, REPLAY_S)
    assert storm(7, REPLAY_S) != storm(8, REPLAY_S)


def test_a_storm_has_every_kind_of_fault_while_shoppers_are_in_the_shop() -> None:
    weather = storm(1, REPLAY_S)

    assert {fault.kind for fault in weather.faults} == set(KINDS)
    assert all(FIRST_AT <= fault.at <= LAST_AT for fault in weather.faults)
    assert [fault.at for fault in weather.faults] == sorted(fault.at for fault in weather.faults)


def test_a_storm_grows_with_the_run_and_is_never_none() -> None:
    assert len(storm(1, 0.0).faults) <= 2 * FAULTS_MIN
    assert len(storm(1, 0.0).faults) > 0
    assert len(storm(1, 2_500.0).faults) > 40 * len(storm(1, REPLAY_S).faults)


@pytest.mark.parametrize("seed", range(30))
def test_nobody_is_hit_so_often_that_they_would_not_be_started_again(seed: int) -> None:
    hit: dict[str, list[float]] = defaultdict(list)
    for fault in storm(seed, REPLAY_S).faults:
        if fault.process:
            hit[fault.process].append(fault.at * REPLAY_S)

    for times in hit.values():
        assert all(b - a >= APART_S - 0.1 for a, b in pairwise(times))


def test_whom_the_shop_cannot_do_without_is_spared() -> None:
    everybody = {fault.process for seed in range(100) for fault in storm(seed, REPLAY_S).faults}
    spared = {
        fault.process
        for seed in range(100)
        for fault in storm(seed, REPLAY_S, without=["redis", "postgres"]).faults
    }

    assert everybody - spared == {"redis", "postgres"}


@pytest.mark.parametrize("seed", range(5))
def test_a_fault_is_of_another_event_each_time_until_it_was_of_all(seed: int) -> None:
    faults = storm(seed, 4 * REPLAY_S).faults
    hit = [fault.event for fault in faults if fault.kind == "receive-drop"]

    every = {target.event for target in KINDS["receive-drop"].targets}
    assert len(hit) > len(every)
    assert set(hit) == every


def test_what_is_told_once_only_is_lost_by_no_storm() -> None:
    faults = [fault for seed in range(30) for fault in storm(seed, REPLAY_S).faults]

    assert "publish-drop" in {fault.kind for fault in faults}
    assert ("publish-drop", "order.cancelled") not in {(f.kind, f.event) for f in faults}


def test_what_is_written_down_is_read_again(tmp_path: Path) -> None:
    weather = storm(3, REPLAY_S)
    (tmp_path / "weather.yaml").write_text(weather.to_yaml())

    assert read(tmp_path / "weather.yaml") == weather


def test_a_file_is_sorted_by_time(tmp_path: Path) -> None:
    late, early = Planned(kind="cache-empty", at=0.9), Planned(kind="database-cut", at=0.1)
    (tmp_path / "w.yaml").write_text(Weather(name="squall", faults=[late, early]).to_yaml())

    assert list(read(tmp_path / "w.yaml").faults) == [early, late]


@pytest.mark.parametrize(
    ("faults", "why"),
    [
        ("[{kind: thunder, at: 0.1}]", "faults.0: Value error, no fault is called 'thunder'"),
        ("[{kind: publish-drop, at: 0.1}]", "publish-drop needs event"),
        ("[{kind: cache-empty, at: 0.1, event: order.placed}]", "cache-empty needs nothing more"),
        ("[{kind: freeze, at: 0.1, process: order-web}]", "for_s: of freeze it is needed"),
        ("[{kind: cache-empty, at: 0.1, for_s: 3}]", "for_s: of cache-empty it is not"),
        ("[{kind: http-reset, at: 0.1, place: order}]", "http-reset needs place and request"),
        ("[{kind: cache-empty, at: 2}]", "faults.0.at: Input should be less than or equal to 1"),
        ("[{kind: cache-empty, at: 0.1, when: 3}]", "faults.0.when: Extra inputs"),
        ("[", "while parsing"),
    ],
)
def test_what_is_no_weather_is_refused_with_its_place(
    tmp_path: Path, faults: str, why: str
) -> None:
    (tmp_path / "w.yaml").write_text(f"name: squall\nfaults: {faults}")

    with pytest.raises(WeatherRefused, match=why.split("(")[0]):
        read(tmp_path / "w.yaml")


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"- 1", b""])
def test_a_file_that_is_not_there_or_holds_something_else_is_refused(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "w.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(WeatherRefused, match=r"w\.yaml: "):
        read(path)


def test_nothing_is_planned_that_sqs_would_never_do() -> None:
    """The emulator saves once a second: killed, it loses what it had taken, which is no weather."""
    of_it = {
        name for name, kind in KINDS.items() for it in kind.targets if it.process == "emulator"
    }

    assert of_it == {"freeze", "restart"}
