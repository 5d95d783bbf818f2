"""What `cartwright up` says while it starts and afterwards."""

from cartwright import up


def test_only_ports_that_moved_are_mentioned() -> None:
    ports = {"usual": {"auth": 8001, "cart": 8002}, "used": {"auth": 8001, "cart": 20123}}

    assert up.moved_ports(ports) == ["port 8002 was taken, so cart listens on 20123"]


def test_many_ports_that_moved_are_one_line() -> None:
    usual = {f"part-{n}": 8000 + n for n in range(16)}
    ports = {"usual": usual, "used": {name: port + 12_000 for name, port in usual.items()}}

    assert up.moved_ports(ports) == [
        "16 usual ports were taken, so others listen: `cartwright status` shows them all"
    ]


def test_nothing_is_said_where_every_port_is_the_usual_one() -> None:
    assert up.moved_ports({"usual": {"auth": 8001, "cart": 8002}, "used": {"auth": 8001}}) == []


def test_progress_names_what_is_still_awaited() -> None:
    processes = {"postgres": {"state": "ready"}, "order-web": {"state": "starting"}}

    line = up.progress({"processes": processes, "jobs": ["migrations"]})

    assert line == "1 ready; waiting for order-web, migrations"
