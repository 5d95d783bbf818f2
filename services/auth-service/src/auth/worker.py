"""Worker entry: `python -m auth.worker`. Sends what was published, turns over keys, forgets
sessions; consumes nothing. With a command it does that one thing instead:

    python -m auth.worker role ana@example.com staff    (as the database's owner)
    python -m auth.worker rotate-keys [--compromised]
    python -m auth.worker service-client cart
"""

import argparse
import secrets
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from common import worker
from common.auth import RevokedSessions
from common.auth.revocation import TIMEOUT_S
from common.consumer import Handler
from common.db import Database
from common.worker import Loop

from auth import domain
from auth.domain import Rotation
from auth.settings import Settings
from auth.use_cases import accounts, sessions, signing_keys
from auth.use_cases.derived_secrets import DerivedSecrets, digest

HANDLERS: Mapping[str, Handler] = {}
# A fraction of the three minutes for which a key is published before it signs.
KEYS_LOOKED_AT_EVERY_S: Final = 30.0
SESSIONS_SWEPT_EVERY_S: Final = 600.0


def turn_over_keys(settings: Settings, db: Database) -> int:
    """Make the next key when it is due and forget the retired. Nothing is left to do at once."""
    derived = DerivedSecrets(settings.derivation_secret)
    with db.transaction() as tx:
        signing_keys.ensure_key(
            tx,
            derived,
            settings.signing_algorithm,
            Rotation(every=settings.signing_key_lifetime),
            datetime.now(UTC),
        )
    return 0


def forget_sessions(db: Database) -> int:
    with db.transaction() as tx:
        return sessions.sweep(tx, datetime.now(UTC))


def loops(settings: Settings, db: Database) -> list[Loop]:
    own = [
        Loop("sessions", lambda: forget_sessions(db), polls=False, every_s=SESSIONS_SWEPT_EVERY_S)
    ]
    if settings.auth_mode != "hs256":
        own.append(
            Loop(
                "signing-keys",
                lambda: turn_over_keys(settings, db),
                polls=False,
                every_s=KEYS_LOOKED_AT_EVERY_S,
            )
        )
    return worker.messaging_loops(settings, db, HANDLERS, own)


def change_role(
    settings: Settings, db: Database, email: str, role: str, *, redis_timeout_s: float = TIMEOUT_S
) -> str:
    with db.transaction() as tx:
        ended = accounts.change_role(tx, email, role, datetime.now(UTC))
    if ended is None:
        return f"nobody has that address, or is {role} already"
    RevokedSessions(settings.redis_url, timeout_s=redis_timeout_s).add(ended)
    return f"{role} from the next log-in; sessions ended: {len(ended)}"


def rotate_keys(settings: Settings, db: Database, *, compromised: bool) -> str:
    derived = DerivedSecrets(settings.derivation_secret)
    with db.transaction() as tx:
        key = signing_keys.rotate_now(
            tx,
            derived,
            settings.signing_algorithm,
            Rotation(every=settings.signing_key_lifetime),
            datetime.now(UTC),
            compromised=compromised,
        )
    return f"{key.kid} signs from {key.signs_from:%Y-%m-%dT%H:%M:%SZ}"


def make_client(name: str) -> str:
    secret = secrets.token_urlsafe(32)
    return (
        f"for {name}: SERVICE_CLIENT_ID={name} SERVICE_CLIENT_SECRET={secret}\n"
        f"for auth, in SERVICE_CLIENTS: {name}:{digest(secret).hex()}"
    )


def run_command(arguments: Sequence[str]) -> str:
    """What to tell whoever typed it."""
    parser = argparse.ArgumentParser(prog="python -m auth.worker", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    role = commands.add_parser("role", help="make a customer staff, or no longer")
    role.add_argument("email", type=domain.canonical_email)
    role.add_argument("role", choices=["customer", "staff"])
    rotate = commands.add_parser("rotate-keys", help="make the next signing key now")
    rotate.add_argument(
        "--compromised", action="store_true", help="refuse what the old ones signed"
    )
    commands.add_parser("service-client", help="a secret for a service").add_argument("name")
    chosen = parser.parse_args(arguments)
    if chosen.command == "service-client":
        return make_client(chosen.name)
    settings = Settings()
    db = Database(settings.database_url.get_secret_value())
    if chosen.command == "role":
        return change_role(settings, db, chosen.email, chosen.role)
    return rotate_keys(settings, db, compromised=chosen.compromised)


def main(arguments: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments:
        sys.stdout.write(run_command(arguments) + "\n")
        return
    worker.install()
    settings = Settings()
    db = Database(settings.database_url.get_secret_value())
    worker.run(loops(settings, db))


if __name__ == "__main__":
    main()
