"""What `cartwright up` says while it starts and afterwards."""

from cartwright import up


def test_only_ports_that_moved_are_mentioned() -> None:
    ports = {"usual": {"auth": 8001, "cart": 8002}, "used": {"auth": 8001, "cart": 20123}}

    assert up.moved_ports(ports) == ["port 8002 was taken, so cart listens on 20123"]


def test_progress_names_what_is_still_awaited() -> None:
    processes = {"postgres": {"state": "ready"}, "order-web": {"state": "starting"}}

    line = up.progress({"processes": processes, "jobs": ["migrations"]})

    assert line == "1 ready; waiting for order-web, migrations"
