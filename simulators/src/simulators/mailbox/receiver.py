"""Takes mail by SMTP and answers 250 once the book has it. Parses nothing itself."""

import logging
from datetime import UTC, datetime

from aiosmtpd.smtp import SMTP, Session
from aiosmtpd.smtp import Envelope as SmtpEnvelope

from simulators.mailbox import mail
from simulators.mailbox.book import Book, Envelope

log = logging.getLogger(__name__)

MESSAGE_BYTES_MAX = 1024 * 1024  # An order confirmation is a hundredth of it.
RECIPIENTS_MAX = 50  # RFC 5321 asks real servers for 100; the shop writes to one person.
IDLE_TIMEOUT_S = 60  # A sender that says nothing for a minute is gone.


class Receiving:
    """The hooks that aiosmtpd calls; their names are its own."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name and arguments
        self,
        server: SMTP,  # noqa: ARG002
        session: Session,  # noqa: ARG002
        envelope: SmtpEnvelope,
        address: str,
        rcpt_options: list[str],
    ) -> str:
        if len(envelope.rcpt_tos) >= RECIPIENTS_MAX:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return "250 2.1.5 Recipient ok"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self,
        server: SMTP,  # noqa: ARG002
        session: Session,  # noqa: ARG002
        envelope: SmtpEnvelope,
    ) -> str:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        raw = envelope.content
        assert isinstance(raw, bytes)  # decode_data is off
        came = Envelope(envelope.mail_from or "", tuple(envelope.rcpt_tos), now)
        is_new = self._book.deliver(came, mail.parse(raw))
        return "250 2.0.0 Kept" if is_new else "250 2.0.0 Known by its Message-ID, not kept again"

    async def handle_exception(self, error: Exception) -> str:
        """A failure of ours is temporary for the sender: it keeps the mail and tries again."""
        log.error("mail_not_kept", exc_info=error)
        return "451 4.3.0 The mail could not be kept, try again"


def smtp_protocol(book: Book) -> SMTP:
    """One per connection. The host name is given because asking the resolver takes a while."""
    return SMTP(
        Receiving(book),
        data_size_limit=MESSAGE_BYTES_MAX,
        enable_SMTPUTF8=True,
        hostname="mailbox.localhost",
        ident="Cartwright mailbox",
        timeout=IDLE_TIMEOUT_S,
    )
