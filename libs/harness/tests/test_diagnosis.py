"""What a person is told when a process died."""

import pytest
from harness.process.remedies import remedy


@pytest.mark.parametrize(
    ("last_words", "advice"),
    [
        ("OSError: [Errno 98] Address already in use", "ss -ltnp"),
        ("ModuleNotFoundError: No module named 'flask'", "uv sync"),
        ("FATAL: could not resize shared memory segment", "--shm-size"),
        ("initdb: could not look up effective user ID 42: user does not exist", "/etc/passwd"),
        ("root cannot run PostgreSQL, and there is no user 'postgres'", "useradd"),
        ("write failed: No space left on device", "disk is full"),
    ],
)
def test_a_known_failure_comes_with_its_remedy(last_words: str, advice: str) -> None:
    assert advice in remedy("order-web", ["starting", last_words])


def test_an_unknown_failure_points_to_the_log_of_that_process() -> None:
    assert "cartwright logs order-web" in remedy("order-web", ["what happened?"])
