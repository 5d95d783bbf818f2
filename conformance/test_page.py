"""The page of the suite, and the rules of its register. Runs anywhere: it needs no target."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import stack

from conformance import page, targets
from conformance.containers import Missing
from conformance.differences import (
    DIFFERENCES,
    Difference,
    DiffersOtherwise,
    NoLongerDiffers,
    expected,
)
from conformance.targets import Target

LISTED = Difference(
    "test_it", "localstack", seen="assert '' == 'X'", what="It.", why="So.", shop="Nothing."
)


def test_the_page_is_up_to_date() -> None:
    written = (stack.repository() / page.PLACE).read_text(encoding="utf-8")

    assert written == page.render(), "run: python -m conformance.page"


def test_every_module_of_tests_is_on_the_page() -> None:
    files = {path.stem for path in Path(__file__).parent.glob("test_*.py")} - {"test_page"}

    assert files == {name for _, modules in page.SECTIONS.values() for name in modules}


def test_every_exception_is_of_a_test_and_a_target_that_there_are() -> None:
    tests = {
        (subject, test)
        for subject, (_, modules) in page.SECTIONS.items()
        for name in modules
        for test in page.claims(page.module(name))
    }
    subjects = {target.name: target.subject for target in targets.TARGETS}

    assert [it for it in DIFFERENCES if (subjects[it.target], it.test) not in tests] == []


def test_every_exception_says_enough() -> None:
    for it in DIFFERENCES:
        assert min(map(len, (it.what, it.why, it.shop))) > 20, it
        assert re.search(it.seen, "") is None, f"{it.seen!r} is in everything"


def test_the_expected_failure_is_taken() -> None:
    LISTED.judge(AssertionError("assert '' == 'X'"))


def test_an_exception_that_no_longer_differs_fails() -> None:
    with pytest.raises(NoLongerDiffers, match="remove"):
        LISTED.judge(None)


def test_a_listed_test_that_fails_otherwise_fails() -> None:
    with pytest.raises(DiffersOtherwise, match="no connection"):
        LISTED.judge(ConnectionError("no connection"))


def test_an_exception_holds_for_its_case_and_its_target_only() -> None:
    listed = next(it for it in DIFFERENCES if it.case)

    assert expected(listed.test, listed.target, listed.case) is listed
    assert expected(listed.test, listed.target, "another") is None
    assert expected(listed.test, "emulator", listed.case) is None


@contextmanager
def missing(_folder: Path) -> Iterator[None]:
    raise Missing("there is no engine")
    yield


ABSENT = Target("localstack", targets.MESSAGING, "LocalStack", missing, real=True)


def test_a_target_that_is_missing_is_skipped_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(targets.REQUIRED, raising=False)

    with (
        pytest.raises(pytest.skip.Exception, match="there is no engine"),
        targets.started(ABSENT, tmp_path),
    ):
        pass


@pytest.mark.parametrize("required", ["localstack", "jaeger, localstack", "all"])
def test_a_target_that_is_required_and_missing_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, required: str
) -> None:
    monkeypatch.setenv(targets.REQUIRED, required)

    with (
        pytest.raises(pytest.fail.Exception, match="localstack is required, but there is no"),
        targets.started(ABSENT, tmp_path),
    ):
        pass


def test_nothing_can_be_required_that_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(targets.REQUIRED, "locelstack")

    with pytest.raises(ValueError, match="no target locelstack"):
        targets.is_required("localstack")


def test_aws_is_not_asked_unless_somebody_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(targets.AWS_ALLOWED, raising=False)
    assert "aws" not in {target.name for target in targets.of(targets.MESSAGING)}

    monkeypatch.setenv(targets.AWS_ALLOWED, "yes")
    assert "aws" in {target.name for target in targets.of(targets.MESSAGING)}
