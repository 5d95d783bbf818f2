"""Starts the built storefront beside a running shop, on this machine only. Builds nothing.

`python frontend/start.py`: addresses come from the shop in CARTWRIGHT_HOME. Becomes the server,
so whoever stops this process stops the storefront.
"""

import os
import shutil
import sys
from pathlib import Path

from harness import stack
from harness.process import surroundings
from harness.process.home import Home
from harness.process.ports import HOST, is_free

SERVER = Path(__file__).parent / ".next" / "standalone" / "server.js"
SERVICES = ("auth", "cart", "catalog", "order")
# Uncapped it grows to half a gigabyte under load, and serves no faster for it.
HEAP_MB = 192


class CannotStart(Exception):
    """The message says what is missing and how to get it."""


def environment(home: Home) -> dict[str, str]:
    """What the server reads. Raises CannotStart if no shop runs in *home*, or its port is taken."""
    shop = stack.endpoints(home.path)
    if shop is None:
        raise CannotStart(f"no shop runs in {home.path}: start it by `make up`")
    port = int(os.environ.get("PORT") or home.read_ports()["storefront"])
    if not is_free(port):
        raise CannotStart(
            f"port {port} is taken, perhaps by a storefront that runs already:"
            f" stop it, or choose another port by PORT={port + 1}"
        )
    return {f"{name.upper()}_URL": shop.services[name] for name in SERVICES} | {
        "HOSTNAME": HOST,
        "PORT": str(port),
        "NODE_ENV": "production",
        "NODE_OPTIONS": f"--max-old-space-size={HEAP_MB}",
        "NEXT_TELEMETRY_DISABLED": "1",
    }


def node() -> str:
    """The machine's, else the one that pip put beside this Python. Raises CannotStart."""
    here = Path(sys.executable).parent
    found = (
        os.environ.get("STOREFRONT_NODE")
        or shutil.which("node")
        or shutil.which("node", path=str(here))
    )
    if not found:
        raise CannotStart("the storefront needs Node.js 20.19 or newer; all else runs without it")
    return found


def main() -> None:
    surroundings.clean()
    try:
        server = environment(Home.default(stack.repository()))
        if not SERVER.exists():
            raise CannotStart("it is not built: run `npm ci && npm run build` in frontend/")
        program = node()
    except CannotStart as error:
        sys.exit(f"storefront: {error}")
    sys.stdout.write(
        "\nThe storefront is at"
        f" http://{server['HOSTNAME']}:{server['PORT']} (Ctrl-C ends it, `make down` the shop)\n"
    )
    sys.stdout.flush()
    # Next's own lines would follow and hide that one; its errors go to stderr.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    os.execve(program, [program, str(SERVER)], os.environ | server)  # noqa: S606  Our own file.


if __name__ == "__main__":
    main()
