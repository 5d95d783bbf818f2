import pytest
from common.addresses import canonical
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("ada@customer.example", "ada@customer.example"),
        ("o'neil+shop@mail.customer-1.example", "o'neil+shop@mail.customer-1.example"),
        (" Ada@Customer.EXAMPLE ", "Ada@customer.example"),
        ("info@müller.de", "info@xn--mller-kva.de"),
        ("info@MÜLLER.de", "info@xn--mller-kva.de"),
        ("a@xn--mller-kva.de", "a@xn--mller-kva.de"),
        ("a@faß.de", "a@xn--fa-hia.de"),  # IDNA 2003 made it fass.de, which is somebody else's.
        ("a@例え.テスト", "a@xn--r8jz45g.xn--zckzah"),
        ("jörg@example.com", "jörg@example.com"),
        ("jo\u0308rg@example.com", "jörg@example.com"),
        ("x" * 64 + "@customer.example", "x" * 64 + "@customer.example"),
        ("ö" * 32 + "@customer.example", "ö" * 32 + "@customer.example"),
    ],
)
def test_an_address_has_one_form(typed: str, kept: str) -> None:
    assert canonical(typed) == kept
    assert canonical(kept) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "ada@",
        "@customer.example",
        "ada@customer.example, eve@evil.example",
        "ada@customer.example\r\nBcc: eve@evil.example",
        "ada@customer.example\x00",
        "Ada <ada@customer.example>",
        '"a b"@customer.example',
        "a b@customer.example",
        "a..b@customer.example",
        ".a@customer.example",
        "a.@customer.example",
        "a\u200b@customer.example",
        "a\u202e@customer.example",
        "=?utf-8?q?a?=@customer.example",
        "x" * 65 + "@customer.example",
        "ö" * 33 + "@customer.example",
        "a@" + "x" * 64 + ".example",
        "a@" + ".".join(["x" * 60] * 5),
        "a@" + ".".join(["ü" * 20] * 11) + ".de",  # Short as typed, too long for DNS.
        "a@xn--a.de",
        "a@customer",
        "a@localhost",
        "a@[192.0.2.1]",
        "a@customer.example.",
    ],
)
def test_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="not a valid email address"):
        canonical(text)


@given(st.emails() | st.text(max_size=30) | st.text(max_size=9).map("{}@ümlaut.example".format))
def test_what_has_the_form_keeps_it(text: str) -> None:
    try:
        once = canonical(text)
    except ValueError:
        return
    assert canonical(once) == once
    assert len(once.encode()) <= 254
