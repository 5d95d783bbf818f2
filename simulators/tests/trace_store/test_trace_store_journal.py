"""What was accepted is there afterwards, as far as it is sound, and within its bounds."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from simulators.trace_store import wire
from simulators.trace_store.journal import HEADER, Journal, requests, segments

REQUESTS = [b"first", b"second", b"third"]
ROOM = len(REQUESTS[1]) + HEADER.size


def fill(folder: Path, *kept: bytes, **limits: Any) -> None:
    """As a process does from its start to its end."""
    with closing(Journal(folder, **limits)) as journal:
        for request in kept or REQUESTS:
            journal.append(request)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "traces")) as kept:
        yield kept


def test_what_was_appended_is_read_in_its_order(tmp_path: Path) -> None:
    fill(tmp_path)

    assert list(requests(tmp_path)) == REQUESTS


def test_the_next_process_goes_on_in_a_segment_of_its_own(tmp_path: Path) -> None:
    fill(tmp_path)
    fill(tmp_path)

    assert list(requests(tmp_path)) == REQUESTS * 2
    assert len(segments(tmp_path)) == 2


@pytest.mark.parametrize("cut", [1, len(REQUESTS[-1]), len(REQUESTS[-1]) + 3])
def test_a_record_that_was_cut_off_costs_only_itself(tmp_path: Path, cut: int) -> None:
    fill(tmp_path)
    [segment] = segments(tmp_path)
    os.truncate(segment, segment.stat().st_size - cut)
    fill(tmp_path, b"later")

    assert list(requests(tmp_path)) == [*REQUESTS[:-1], b"later"]


def test_a_record_that_was_changed_is_not_read(tmp_path: Path) -> None:
    fill(tmp_path)
    [segment] = segments(tmp_path)
    segment.write_bytes(segment.read_bytes().replace(b"third", b"THIRD"))

    assert list(requests(tmp_path)) == REQUESTS[:-1]


def test_the_oldest_make_room(tmp_path: Path) -> None:
    fill(tmp_path, max_bytes=2 * ROOM, segment_bytes=ROOM)

    assert list(requests(tmp_path)) == REQUESTS[1:]


def test_what_is_too_old_is_forgotten_at_the_next_start(tmp_path: Path) -> None:
    fill(tmp_path)
    [segment] = segments(tmp_path)
    long_ago = time.time() - 60
    os.utime(segment, (long_ago, long_ago))

    Journal(tmp_path, max_age_s=59)

    assert list(requests(tmp_path)) == []


def test_a_request_that_is_answered_is_kept_and_a_refused_one_is_not(
    tmp_path: Path, journal: Journal, running_with: Callable[..., Any], span: Callable[..., Any]
) -> None:
    running = running_with(journal=journal)

    running.send(span(1, 1))
    assert running.post(b"no spans").status_code == 400

    [kept] = requests(tmp_path / "traces")
    [(_, [(trace_id, _, _)])] = wire.read_request(kept)
    assert trace_id == (1).to_bytes(16, "big")


def test_what_the_disk_does_not_take_is_refused_so_that_it_is_sent_again(
    tmp_path: Path,
    journal: Journal,
    running_with: Callable[..., Any],
    span: Callable[..., Any],
    request_of: Callable[..., bytes],
) -> None:
    folder = tmp_path / "traces"
    running = running_with(journal=journal)
    folder.rmdir()

    assert running.post(request_of(span(1, 1))).status_code == 503
    assert running.get(f"/api/v3/traces/{1:032x}").status_code == 404

    folder.mkdir()
    running.send(span(1, 1))
    assert len(running.spans(1)) == 1
