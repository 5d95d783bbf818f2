"""The mail server, by SMTP (RFC 5321), over one kept connection. Not for several threads."""

import select
import smtplib
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from typing import Any

import structlog
from common import tracing
from opentelemetry.trace import StatusCode

from notification.domain.delivery import Outcome, Refused, Sent, Unanswered, in_public
from notification.domain.messages import MAIL_DOMAIN, Message

# For each command. Our relay answers in milliseconds; one that takes longer is in trouble.
TIMEOUT_S = 2.0
# What it says of a whole mail may take longer: it looks for viruses first. RFC 5321 §4.5.3.2.6
# has ten minutes, lest a mail come twice; more than this would keep what a killed worker had.
TAKEN_WITHIN_S = 10.0
END_OF_MAIL = b"\r\n.\r\n"
# "Service not available, closing transmission channel" (RFC 5321 §3.8): not about the mail.
CLOSING_CODE = 421
# "Transaction failed": what we say ourselves of a mail that cannot be written.
UNWRITABLE_CODE = 554
# Some servers answer with an essay.
REASON_CHARS_MAX = 300
SHOP_NAME = "Cartwright"
# Longer than our Message-ID's line (90, or 142 for a refund), which would be folded at the usual
# 78 (RFC 5322 §2.1.1 wants 78, and demands 998): some readers keep the fold's blank as part of
# the id.
POLICY = SMTP_POLICY.clone(max_line_length=160)


log = structlog.get_logger()


class Mailer:
    """sender: the address in the envelope and in From."""

    def __init__(self, host: str, port: int, sender: str) -> None:
        self._host = host
        self._port = port
        self._sender = sender
        self._connection: _Connection | None = None

    def send(self, message: Message) -> Outcome:
        """What the server said, or we: a mail that cannot be written touches no other.

        Never raises.
        """
        about = {"app.order.id": message.order_id} if message.order_id else {}
        with tracing.resumed_span(f"send {message.kind}", message.traceparent, **about) as span:
            try:
                outcome = self._attempt(message)
            except Exception as error:  # Ours or a library's: it is about this mail.
                log.error("mail_not_written", message_id=message.id, exc_info=error)
                self.close()
                outcome = Refused(UNWRITABLE_CODE, type(error).__name__)
            if isinstance(outcome, Sent):
                return Sent(tracing.traceparent_of(span))
            span.set_status(StatusCode.ERROR, in_public(outcome))
            return outcome

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def _attempt(self, message: Message) -> Outcome:
        mail = self._mail(message)
        try:
            self._connected().send_message(mail, self._sender, [message.recipient])
        except (smtplib.SMTPConnectError, smtplib.SMTPHeloError) as error:
            return self._unanswered(error)
        except smtplib.SMTPRecipientsRefused as error:
            code, reply = error.recipients[message.recipient]
            return self._refused(code, reply, at_recipient=True)
        except smtplib.SMTPResponseException as error:
            return self._refused(error.smtp_code, error.smtp_error)
        except smtplib.SMTPNotSupportedError as error:  # An address that it has no words for.
            return Refused(UNWRITABLE_CODE, type(error).__name__)
        except (smtplib.SMTPException, OSError) as error:
            return self._unanswered(error)
        return Sent()

    def _connected(self) -> "_Connection":
        if self._connection and _has_spoken(self._connection):
            self.close()
        if self._connection is None:
            # Our own name is given: looking it up may take seconds.
            self._connection = _Connection(
                self._host, self._port, local_hostname=MAIL_DOMAIN, timeout=TIMEOUT_S
            )
        return self._connection

    def _refused(self, code: int, reply: bytes | str, *, at_recipient: bool = False) -> Outcome:
        text = reply.decode(errors="replace") if isinstance(reply, bytes) else reply
        text = " ".join(text.replace("\x00", "").split())[:REASON_CHARS_MAX]
        if code == CLOSING_CODE:
            self.close()
            return Unanswered(f"{code} {text}")
        return Refused(code, text, at_recipient)

    def _unanswered(self, error: Exception) -> Unanswered:
        may_have_arrived = self._connection is not None and self._connection.has_mail
        self.close()
        return Unanswered(type(error).__name__, may_have_arrived)

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage(POLICY)
        mail["From"] = Address(SHOP_NAME, addr_spec=self._sender)
        # In two parts: `Address(addr_spec=…)` takes nothing but ASCII.
        name, _, domain = message.recipient.rpartition("@")
        mail["To"] = Address(username=name, domain=domain)
        mail["Subject"] = message.subject
        mail["Date"] = format_datetime(message.created_at)  # Of the letter, not of the attempt.
        mail["Message-ID"] = message.message_id
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation replies, please.
        if message.order_id:
            mail["X-Order-Id"] = message.order_id
        mail["X-Message-Kind"] = message.kind.value
        # What is queued has its bodies (a constraint of the table).
        mail.set_content(message.text or "")
        mail.add_alternative(message.html or "", subtype="html")
        # RFC 3282. Last: setting the content takes every header of that name prefix away.
        mail["Content-Language"] = message.language.value
        return mail


class _Connection(smtplib.SMTP):
    """has_mail: a whole one was sent, and nothing was heard of it yet."""

    has_mail = False

    def send(self, s: Any) -> None:
        if not isinstance(s, str) and bytes(s[-len(END_OF_MAIL) :]) == END_OF_MAIL:
            self.has_mail = True
            self._wait_for(TAKEN_WITHIN_S)
        super().send(s)

    def data(self, msg: Any) -> tuple[int, bytes]:
        answer = super().data(msg)
        self.has_mail = False
        self._wait_for(TIMEOUT_S)
        return answer

    def _wait_for(self, seconds: float) -> None:
        if self.sock:
            self.sock.settimeout(seconds)


def _has_spoken(connection: smtplib.SMTP) -> bool:
    """Whether it said something unasked, or is closed: servers bid idle clients goodbye."""
    return connection.sock is None or bool(select.select([connection.sock], [], [], 0)[0])
