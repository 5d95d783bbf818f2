import pytest
from auth import domain


@pytest.mark.parametrize("email", ["ana@example.com", " Ana@Example.COM ", "ANA@EXAMPLE.COM"])
def test_spellings_of_one_address_are_equal(email: str) -> None:
    assert domain.canonical_email(email) == "ana@example.com"


@pytest.mark.parametrize("email", ["x@localhost", "a..b@example.com", "ana"])
def test_what_could_never_order_is_not_registered(email: str) -> None:
    with pytest.raises(ValueError, match="not a valid email address"):
        domain.canonical_email(email)


def test_two_people_are_not_one() -> None:
    assert domain.canonical_email("ana@example.com") != domain.canonical_email("an.a@example.com")


@pytest.mark.parametrize(
    ("typed", "means"),
    [("oﬃce worker", "office worker"), ("e\u0301", "\u00e9")],
    ids=["ligature", "combining accent"],
)
def test_a_password_is_the_same_on_every_keyboard(typed: str, means: str) -> None:
    assert domain.canonical_password(typed) == means


@pytest.mark.parametrize("password", ["  spaces  ", "UPPER lower", "кружка 🫖", "\x00\n"])
def test_nothing_else_of_a_password_is_changed(password: str) -> None:
    assert domain.canonical_password(password) == password


@pytest.mark.parametrize(
    ("user_agent", "kept"),
    [
        ("Firefox/1\x07 on a phone", "Firefox/1 on a phone"),
        ("x" * 201, "x" * 200),
        ("my card is 4242 4242 4242 4242", ""),
    ],
)
def test_of_a_browsers_name_is_kept_what_tells_devices_apart(user_agent: str, kept: str) -> None:
    assert domain.canonical_user_agent(user_agent) == kept
