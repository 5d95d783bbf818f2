"""Starts the built storefront beside a running shop, on this machine only. Builds nothing.

`python frontend/start.py`: addresses come from the shop in CARTWRIGHT_HOME. Becomes the server,
so whoever stops this process stops the storefront.
"""

import os
import shutil
import sys
from pathlib import Path

from harness import stack
from harness.home import Home
from harness.providers.ports import HOST

SERVER = Path(__file__).parent / ".next" / "standalone" / "server.js"
SERVICES = ("auth", "cart", "catalog", "order")
# Uncapped it grows to half a gigabyte under load, and serves no faster for it.
HEAP_MB = 192


class CannotStart(Exception):
    """The message says what is missing and how to get it."""


def environment(home: Home) -> dict[str, str]:
    """What the server reads. Raises CannotStart if no shop runs in *home*."""
    shop = stack.endpoints(home.path)
    if shop is None:
        raise CannotStart(f"no shop runs in {home.path}: start it by `make up`")
    return {f"{name.upper()}_URL": shop.services[name] for name in SERVICES} | {
        "HOSTNAME": HOST,
        "PORT": str(home.read_ports()["storefront"]),
        "NODE_ENV": "production",
        "NODE_OPTIONS": f"--max-old-space-size={HEAP_MB}",
        "NEXT_TELEMETRY_DISABLED": "1",
    }


def node() -> str:
    """Raises CannotStart."""
    found = os.environ.get("STOREFRONT_NODE") or shutil.which("node")
    if not found:
        raise CannotStart("the storefront needs Node.js 20.19 or newer; all else runs without it")
    return found


def main() -> None:
    try:
        server = environment(Home.default(stack.repository()))
        if not SERVER.exists():
            raise CannotStart("it is not built: run `npm ci && npm run build` in frontend/")
        program = node()
    except CannotStart as error:
        sys.exit(f"storefront: {error}")
    sys.stdout.write(f"storefront: http://{server['HOSTNAME']}:{server['PORT']}\n")
    sys.stdout.flush()
    os.execve(program, [program, str(SERVER)], os.environ | server)  # noqa: S606  Our own file.


if __name__ == "__main__":
    main()
