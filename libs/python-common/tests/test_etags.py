import pytest
from common import etags
from common.etags import IfMatchRequired, MalformedEtag, VersionMismatch


@pytest.mark.parametrize("version", [0, 1, 7, 10**17])
def test_what_the_header_says_is_what_a_writer_may_send_back(version: int) -> None:
    assert etags.expected(etags.header(version)) == version


@pytest.mark.parametrize("header", [None, "*", " * "])
def test_a_writer_may_leave_the_version_open(header: str | None) -> None:
    assert etags.expected(header) is None


@pytest.mark.parametrize(
    "header", ["", "7", 'W/"7"', '"7", "8"', '"x"', '"-1"', '"1' + "0" * 18 + '"']
)
def test_what_is_no_strong_tag_of_ours_is_refused(header: str) -> None:
    with pytest.raises(MalformedEtag):
        etags.expected(header)


def test_a_blind_write_is_refused_where_the_version_is_required() -> None:
    with pytest.raises(IfMatchRequired):
        etags.required(None)

    assert etags.required("*") is None
    assert etags.required('"3"') == 3


def test_a_write_to_another_version_is_refused_and_told_both() -> None:
    with pytest.raises(VersionMismatch) as refused:
        etags.check(3, 4)

    assert refused.value.members == {"expected_version": 3, "actual_version": 4}


def test_a_write_to_the_known_or_to_any_version_passes() -> None:
    etags.check(4, 4)
    etags.check(None, 4)
