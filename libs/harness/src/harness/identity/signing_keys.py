"""Replaces the auth service's signing key, as whoever runs the shop would: by its command."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from harness.process.endpoints import Endpoints
from harness.process.home import Home
from harness.providers import role_names

COMMAND_WITHIN_S = 120.0


class CommandFailed(Exception):
    """Carries what the command wrote to its standard error."""


def replace_signing_key(endpoints: Endpoints, *, compromised: bool = False) -> str:
    """What the command says. Raises CommandFailed. compromised: nobody waits for the old."""
    role = role_names.service_role("auth")
    password = Home(Path(endpoints.home)).secrets([role])[role]
    server = urlsplit(endpoints.postgres_dsn)
    command = [sys.executable, "-m", "auth.worker", "rotate-keys"]
    done = subprocess.run(  # noqa: S603  Our own program and arguments.
        [*command, "--compromised"] if compromised else command,
        env=os.environ
        | {
            "DATABASE_URL": f"postgresql+psycopg2://{role}:{password}@{server.hostname}"
            f":{server.port}{server.path}",
            "REDIS_URL": endpoints.redis_url,
            "AUTH_MODE": "jwks",
            "JWT_SECRET": endpoints.jwt_secret,
            "JWKS_URL": f"{endpoints.services['auth']}/.well-known/jwks.json",
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=COMMAND_WITHIN_S,
    )
    if done.returncode:
        raise CommandFailed(done.stderr.strip())
    return done.stdout.strip()
