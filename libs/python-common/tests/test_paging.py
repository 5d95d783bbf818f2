import base64

import pytest
from common import paging
from common.paging import MalformedCursor, MalformedLimit
from hypothesis import given
from hypothesis import strategies as st

BIGINT = st.integers(-(2**63) + 1, 2**63 - 1)
TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=60)


@given(TEXT, BIGINT)
def test_a_cursor_gives_back_its_keys(name: str, number: int) -> None:
    assert paging.decode(paging.encode(name, number), str, int) == (name, number)


@given(st.text(max_size=200))
def test_any_other_text_is_refused_or_read_but_never_an_error(text: str) -> None:
    try:
        keys = paging.decode(text, str)
    except MalformedCursor:
        return

    assert isinstance(keys[0], str)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "ä",
        "x" * 2000,
        paging.encode("a"),
        paging.encode(1, "a"),
        paging.encode("a", 2**63),
        paging.encode("a\x00", 1),
        base64.urlsafe_b64encode(b'{"a": 1}').decode(),
        base64.urlsafe_b64encode(b'["a", true]').decode(),
    ],
)
def test_a_cursor_of_another_list_is_refused(cursor: str) -> None:
    with pytest.raises(MalformedCursor):
        paging.decode(cursor, str, int)


@pytest.mark.parametrize(("raw", "limit"), [(None, 20), ("1", 1), ("100", 100)])
def test_a_limit_is_a_page_size(raw: str | None, limit: int) -> None:
    assert paging.read_limit(raw) == limit


@pytest.mark.parametrize("raw", ["", "0", "101", "-1", "1.5", "ten", "٣", "1" * 5000])
def test_any_other_limit_is_refused(raw: str) -> None:
    with pytest.raises(MalformedLimit):
        paging.read_limit(raw)


def test_an_id_is_read_as_postgresql_will_read_it() -> None:
    id_ = "0192f0c1-0000-7000-8000-000000000001"

    assert paging.decode_id(paging.encode(f"urn:uuid:{id_}")) == id_


@pytest.mark.parametrize("key", ["", "a", 1, "0192f0c1"])
def test_what_is_no_id_is_of_another_list(key: str | int) -> None:
    with pytest.raises(MalformedCursor):
        paging.decode_id(paging.encode(key))
