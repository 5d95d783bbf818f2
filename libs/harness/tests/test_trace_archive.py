"""Traces on disk: what goes in comes out, also to a reader who knows only OTLP's JSON."""

import gzip
from pathlib import Path
from typing import Any

import orjson
from harness.traces import trace_archive
from harness.traces.causality import Trace
from harness.traces.trace_archive import TraceWriter


def otlp(number: int) -> dict[str, Any]:
    span = {"traceId": f"{number:032x}", "spanId": f"{number:016x}", "name": f"order {number}"}
    name = {"key": "service.name", "value": {"stringValue": "order"}}
    return {
        "resourceSpans": [
            {"resource": {"attributes": [name]}, "scopeSpans": [{"scope": {}, "spans": [span]}]}
        ]
    }


def write(folder: Path, *numbers: int) -> None:
    with TraceWriter(folder) as archive:
        for number in numbers:
            archive.add(
                otlp(number),
                trace_id=f"{number:032x}",
                order_id=f"o-{number}",
                outcome="confirmed",
            )


def test_a_trace_is_found_by_its_order_and_by_its_own_id(tmp_path: Path) -> None:
    write(tmp_path, 1, 2, 3)

    entry = trace_archive.find(tmp_path, "o-2")

    assert entry
    assert entry == trace_archive.find(tmp_path, f"{2:032x}")
    assert trace_archive.read(tmp_path, entry) == Trace.from_otlp(otlp(2))


def test_the_file_is_one_traces_data_a_line_for_any_other_reader(tmp_path: Path) -> None:
    write(tmp_path, 1, 2)

    lines = gzip.decompress((tmp_path / trace_archive.LINES).read_bytes()).splitlines()

    assert [orjson.loads(line) for line in lines] == [otlp(1), otlp(2)]


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    assert trace_archive.find(tmp_path, "o-1") is None

    write(tmp_path, 1)

    assert trace_archive.find(tmp_path, "o-9") is None


def test_a_run_that_was_broken_off_keeps_what_it_had(tmp_path: Path) -> None:
    class Broken(Exception):
        pass

    try:
        with TraceWriter(tmp_path) as archive:
            archive.add(otlp(1), trace_id="t-1", order_id=None, outcome="unknown")
            raise Broken
    except Broken:
        pass

    assert trace_archive.find(tmp_path, "t-1")


def test_a_second_run_into_the_same_folder_replaces_the_first(tmp_path: Path) -> None:
    write(tmp_path, 1)
    write(tmp_path, 2)

    assert trace_archive.find(tmp_path, "o-1") is None
