"""`ETag` and `If-Match` over version numbers (RFC 9110 §8.8.3, §13.1.1): no update is lost."""

import re
from typing import Final

from common.errors import Malformed, PreconditionFailed, PreconditionRequired

# What `header` writes: a strong tag around a version number of at most 18 digits (a bigint).
_TAG: Final = re.compile(r'"(\d{1,18})"')


class MalformedEtag(Malformed):
    title = "The If-Match header is malformed"


class IfMatchRequired(PreconditionRequired):
    title = "The If-Match header is missing"


class VersionMismatch(PreconditionFailed):
    title = "It has changed since you read it"


def header(version: int) -> str:
    """The strong entity tag of *version*, e.g. ``"7"`` with its quotes."""
    return f'"{version}"'


def expected(request_header: str | None) -> int | None:
    """The version a writer knows; None when any will do (header absent, or ``*``).

    One tag only: nobody knows two versions of one thing. Raises MalformedEtag, for weak tags too
    (RFC 9110 §13.1.1 compares strongly).
    """
    if request_header is None or request_header.strip() == "*":
        return None
    tag = _TAG.fullmatch(request_header.strip())
    if tag is None:
        raise MalformedEtag('one strong tag as in an ETag header is needed, such as "7"')
    return int(tag.group(1))


def required(request_header: str | None) -> int | None:
    """As `expected`, where blind writes are not taken. Raises IfMatchRequired, MalformedEtag."""
    if request_header is None:
        raise IfMatchRequired("send the ETag of what you have read")
    return expected(request_header)


def check(expected_version: int | None, actual_version: int) -> None:
    """Raises VersionMismatch, unless any version will do."""
    if expected_version is not None and expected_version != actual_version:
        raise VersionMismatch(
            f"you know version {expected_version}, it is at {actual_version}",
            expected_version=expected_version,
            actual_version=actual_version,
        )
