"""The mailbox as a process: mail by SMTP, killed, stopped."""

import smtplib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

STOP_TIMEOUT_S = 15  # It takes half a second alone; a stuck one never ends.
MEGABYTE = 1024 * 1024


def test_an_accepted_mail_survives_a_kill_and_is_known_afterwards(
    running: Any, tmp_path: Path
) -> None:
    with running(tmp_path) as mailbox:
        mailbox.send("<1@shop>")
        mailbox.process.kill()
        mailbox.process.wait()
        ports = {"smtp_port": mailbox.smtp_port, "http_port": mailbox.http_port}

    # The same ports and directory at once: whatever was killed must hold neither.
    with running(tmp_path, **ports) as mailbox:
        mailbox.send("<1@shop>")
        kept = mailbox.client.get("/messages?order_id=ORDER-1").json()["messages"]

    assert [(mail["message_id"], mail["deliveries"]) for mail in kept] == [("<1@shop>", 2)]


def test_many_senders_at_once_leave_each_mail_once(running: Any, tmp_path: Path) -> None:
    wanted = [f"<{number}@shop>" for number in range(30)]

    with running(tmp_path) as mailbox:
        with ThreadPoolExecutor(10) as senders:
            list(senders.map(mailbox.send, wanted + wanted))
        kept = mailbox.message_ids()
        summary = mailbox.client.get("/summary").json()

    assert sorted(kept) == sorted(wanted)
    assert summary == {"messages": 30, "duplicates": 30}


def test_limits_are_told_in_smtp(running: Any, confirmation: Any, tmp_path: Path) -> None:
    large = confirmation("<large@shop>")
    large.set_content("x" * 70 + "\n" + ("y" * 70 + "\n") * (MEGABYTE // 71))

    with running(tmp_path) as mailbox:
        with mailbox.connect() as sender, pytest.raises(smtplib.SMTPSenderRefused) as too_large:
            sender.send_message(large)
        with mailbox.connect() as sender:
            refused = sender.sendmail(
                "shop@cartwright.test",
                [f"customer-{number}@example.test" for number in range(51)],
                confirmation("<many@shop>").as_bytes(),
            )
        (kept,) = mailbox.client.get("/messages").json()["messages"]

    assert too_large.value.smtp_code == 552
    assert refused == {"customer-50@example.test": (452, b"4.5.3 Too many recipients")}
    assert (kept["message_id"], len(kept["to"])) == ("<many@shop>", 50)


def test_a_mail_that_cannot_be_kept_is_refused_for_now(
    running: Any, confirmation: Any, tmp_path: Path
) -> None:
    nested = b"Content-Type: message/rfc822\r\n\r\n" * 3_000 + b"\r\nhello\r\n"

    with running(tmp_path) as mailbox:
        with mailbox.connect() as sender, pytest.raises(smtplib.SMTPDataError) as refused:
            sender.sendmail("shop@cartwright.test", ["ada@customer.test"], nested)
        mailbox.send("<after@shop>")
        kept = mailbox.message_ids()

    assert refused.value.smtp_code == 451
    assert kept == ["<after@shop>"]


def test_it_stops_on_sigterm_although_a_sender_is_connected(running: Any, tmp_path: Path) -> None:
    with running(tmp_path) as mailbox:
        sender = mailbox.connect()

        mailbox.process.terminate()

        assert mailbox.process.wait(STOP_TIMEOUT_S) == 0
        sender.close()


def test_it_says_on_one_line_why_it_does_not_start(tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "simulators.mailbox", "--host", "0.0.0.0",  # noqa: S104 - refused
         "--data-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=STOP_TIMEOUT_S,
    )  # fmt: skip

    assert refused.returncode == 2
    assert refused.stderr.startswith("mailbox: refusing to listen on 0.0.0.0")
    assert refused.stderr.count("\n") == 1
