"""`python -m simulators.mailbox --smtp-port 1025 --http-port 8025 --data-dir DIR`."""

import argparse
import asyncio
import signal
import socket
import sys
from pathlib import Path

from simulators import startup
from simulators.mailbox.api import create_app
from simulators.mailbox.book import Book
from simulators.mailbox.pages import serve_http
from simulators.mailbox.receiver import smtp_protocol

EXIT_REFUSED = 2  # As argparse does for a wrong option.


def main() -> int:
    options = _parser().parse_args()
    try:
        startup.require_loopback(
            options.host,
            allow_remote=options.allow_remote,
            danger="whoever reaches it could read every mail",
        )
        held = startup.hold_data_dir(options.data_dir)
        smtp = startup.listen(options.host, options.smtp_port, option="--smtp-port")
        http = startup.listen(options.host, options.http_port, option="--http-port")
    except startup.StartupRefused as refused:
        sys.stderr.write(f"mailbox: {refused}\n")
        return EXIT_REFUSED
    with held, smtp, http:
        asyncio.run(_serve(smtp, http, Book(options.data_dir)))
    return 0


async def _serve(smtp: socket.socket, http: socket.socket, book: Book) -> None:
    """Take and show mail until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    receiving = await loop.create_server(lambda: smtp_protocol(book), sock=smtp)
    reading = serve_http(http, create_app(book))
    sys.stdout.write(f"mailbox listens on smtp://{_address(smtp)} and http://{_address(http)}\n")
    sys.stdout.flush()
    await stopping.wait()
    receiving.close()
    reading.shutdown()
    book.close()  # Last: a mail that is being taken is kept or, cut off, sent again.


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mailbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--smtp-port", type=int, default=1025, help="0 takes a free one")
    parser.add_argument("--http-port", type=int, default=8025, help="0 takes a free one")
    parser.add_argument("--data-dir", type=Path, required=True, help="where the book is kept")
    parser.add_argument("--allow-remote", action="store_true", help="serve other machines too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
