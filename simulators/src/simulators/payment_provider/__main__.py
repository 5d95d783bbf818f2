"""`python -m simulators.payment_provider --host 127.0.0.1 --port 8090 --data-dir DIR`."""

import argparse
import sys
from pathlib import Path

from pydantic import ValidationError

from simulators import startup
from simulators.payment_provider.server import Server
from simulators.payment_provider.settings import Settings

EXIT_REFUSED = 2  # As argparse does for a wrong option.


def main() -> int:
    options = _parser().parse_args()
    try:
        settings = Settings()
    except ValidationError as error:
        sys.stderr.write(f"payment-provider: {_told(error)}\n")
        return EXIT_REFUSED
    try:
        startup.require_loopback(
            options.host,
            allow_remote=options.allow_remote,
            danger="the observation API has no password and other machines could reach it",
        )
        held = startup.hold_data_dir(options.data_dir)
        listener = startup.listen(options.host, options.port, option="--port")
    except startup.StartupRefused as refused:
        sys.stderr.write(f"payment-provider: {refused}\n")
        return EXIT_REFUSED
    host = f"[{options.host}]" if ":" in options.host else options.host
    with held:
        sys.stdout.write(f"payment-provider listens on http://{host}:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        # Gunicorn closes the socket itself, so it has to own it.
        Server(listener.detach(), settings, options.data_dir).run()
    return 0


def _told(error: ValidationError) -> str:
    """On one line, and without what was given: it may be a secret."""
    return "; ".join(
        "_".join(["PAYMENT_PROVIDER", *map(str, fault["loc"])]).upper() + f": {fault['msg']}"
        if fault["loc"]
        else fault["msg"]
        for fault in error.errors(include_input=False, include_url=False)
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="payment-provider", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8090, help="0 takes a free one")
    parser.add_argument("--data-dir", type=Path, required=True, help="where the book is kept")
    parser.add_argument("--allow-remote", action="store_true", help="serve other machines too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
