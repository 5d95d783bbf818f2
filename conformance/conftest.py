"""One fixture for each subject, run once for every target of it; listed differences are judged."""

from collections.abc import Generator, Iterator
from typing import Any

import pytest

from conformance import database, differences, targets
from conformance.aws import Aws
from conformance.database import Shop
from conformance.otlp import TraceBackend
from conformance.targets import MESSAGING, POSTGRES, REDIS, TRACES, Target


def _params(subject: str) -> list[Any]:
    return [pytest.param(target, id=target.name) for target in targets.of(subject)]


@pytest.fixture(scope="session", params=_params(MESSAGING))
def aws(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Any SNS and SQS."""
    target: Target = request.param
    with (
        targets.started(target, tmp_path_factory.mktemp(target.name)) as endpoint_url,
        Aws.reached(endpoint_url) as reached,
    ):
        yield reached


@pytest.fixture(scope="session", params=_params(POSTGRES))
def dsn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The superuser's, of any PostgreSQL."""
    target: Target = request.param
    with targets.started(target, tmp_path_factory.mktemp(target.name)) as reached:
        yield reached


@pytest.fixture(scope="session")
def shop(dsn: str) -> Shop:
    """The shop's database there: its roles, and the tables of all seven services."""
    return database.prepare(dsn)


@pytest.fixture(scope="session", params=_params(REDIS))
def redis_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    target: Target = request.param
    with targets.started(target, tmp_path_factory.mktemp(target.name)) as reached:
        yield reached


@pytest.fixture(scope="session", params=_params(TRACES))
def traces(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TraceBackend]:
    """Anything that takes OTLP and speaks Jaeger's query API."""
    target: Target = request.param
    with (
        targets.started(target, tmp_path_factory.mktemp(target.name)) as api,
        TraceBackend(api.otlp_url, api.query_url) as backend,
    ):
        yield backend


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Of a listed difference the failure is what is expected, and a pass is none."""
    difference = _difference(pyfuncitem)
    if difference is None:
        return (yield)
    failure: Exception | None = None
    try:
        yield
    except Exception as error:  # noqa: BLE001  Which one it may be is what the register says.
        failure = error
    difference.judge(failure)
    pytest.xfail(difference.what)


def _difference(item: pytest.Function) -> differences.Difference | None:
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return None
    found = [param for param in callspec.params.values() if isinstance(param, Target)]
    if not found:
        return None
    [target] = found
    case = callspec.id.replace(target.name, "", 1).strip("-")
    return differences.expected(item.originalname, target.name, case)
