"""What an e-mail address is, for whoever takes one, keeps one or writes to one."""

from typing import Annotated, Final

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, StringConstraints

# RFC 5321 §4.5.3.1, in octets: the whole less its angle brackets, and what stands before the @.
CHARS_MAX: Final = 254
LOCAL_BYTES_MAX: Final = 64
# How an encoded word begins. In an address it may not stand (RFC 2047 §5), and no mail can be
# written to one that has it.
_ENCODED_WORD: Final = "=?"


def canonical(text: str) -> str:
    """The form to keep, to compare and to send to: NFC before the @, as DNS has it behind.

    So `info@MÜLLER.de` and `info@xn--mller-kva.de` are one address, and any mail server takes it;
    only letters outside ASCII before the @ need one that knows SMTPUTF8 (RFC 6531). Case before
    the @ is the recipient's matter (RFC 5321 §2.4). No quotes, no comments, no IP addresses, no
    names that only one network knows (`localhost`, `.test`).

    Raises ValueError, which says why.
    """
    if _ENCODED_WORD in text:
        raise ValueError("not a valid email address: it holds an encoded word")
    try:
        valid = validate_email(text.strip(), check_deliverability=False, allow_smtputf8=True)
    except EmailNotValidError as error:
        raise ValueError(f"not a valid email address: {error}") from error
    address = f"{valid.local_part}@{valid.ascii_domain}"
    if len(valid.local_part.encode()) > LOCAL_BYTES_MAX or len(address.encode()) > CHARS_MAX:
        raise ValueError("not a valid email address: it is too long")
    return address


def canonical_or_none(text: str) -> str | None:
    try:
        return canonical(text)
    except ValueError:
        return None


# A member of a body; canonical once read.
Email = Annotated[str, StringConstraints(max_length=CHARS_MAX), AfterValidator(canonical)]
