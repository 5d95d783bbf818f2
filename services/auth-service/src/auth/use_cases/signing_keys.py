"""Signing access tokens, and the keys that do it: made, published, taking over, gone (ADR-0009)."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from common import auth, deadline
from common.auth import Caller
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from jwt import PyJWK
from jwt.algorithms import get_default_algorithms
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from auth import domain
from auth.domain import Rotation, SigningKey
from auth.store import signing_keys as store
from auth.use_cases.derived_secrets import DerivedSecrets

# Each process looks for new keys this often; a fraction of Rotation.ahead.
LOOK_AGAIN_S: Final = 5.0
RSA_BITS: Final = 3072  # NIST SP 800-57: as strong as P-256.


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys as of one moment. opened: private halves by `kid`, of those that we can open."""

    keys: Sequence[SigningKey]
    public: dict[str, PyJWK]
    opened: dict[str, PrivateKeyTypes]


def ensure_key(
    tx: Connection, derived: DerivedSecrets, algorithm: str, rotation: Rotation, now: datetime
) -> list[SigningKey]:
    """All keys, after making the first, or the next if it is due, and forgetting the retired."""
    keys = store.list_all(tx)
    if _is_settled(keys, derived, rotation, now):
        return keys
    store.lock(tx)
    keys = store.list_all(tx)
    store.remove(tx, domain.retired(keys, rotation, now))
    usable = [key for key in keys if derived.open(key.sealed, key.kid) is not None]
    signs_from = domain.next_signs_from(usable, rotation, now)
    if signs_from is not None:
        store.add(tx, make_key(derived, algorithm, signs_from))
    return store.list_all(tx)


def _is_settled(
    keys: Sequence[SigningKey], derived: DerivedSecrets, rotation: Rotation, now: datetime
) -> bool:
    current = domain.signing(keys, now)
    return (
        current is not None
        and derived.open(current.sealed, current.kid) is not None
        and domain.next_signs_from(keys, rotation, now) is None
        and not domain.retired(keys, rotation, now)
    )


def rotate_now(
    tx: Connection,
    derived: DerivedSecrets,
    algorithm: str,
    rotation: Rotation,
    now: datetime,
    *,
    compromised: bool = False,
) -> SigningKey:
    """A new key before it is due. It signs once all verifiers have it.

    compromised: the old ones are forgotten at once and the new one signs at once. What they
    signed is refused; whoever is logged in gets a new token with the refresh token.
    """
    store.lock(tx)
    if compromised:
        store.remove(tx, [key.kid for key in store.list_all(tx)])
    key = make_key(derived, algorithm, now if compromised else now + rotation.ahead)
    store.add(tx, key)
    return key


def make_key(derived: DerivedSecrets, algorithm: str, signs_from: datetime) -> SigningKey:
    private = _generate(algorithm)
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = json.loads(get_default_algorithms()[algorithm].to_jwk(private.public_key()))
    kid = f"{signs_from:%Y%m%d}-{secrets.token_hex(8)}"
    published = {"kid": kid, "use": "sig", "alg": algorithm} | {
        name: public[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in public
    }
    return SigningKey(
        kid, algorithm, json.dumps(published, sort_keys=True), derived.seal(der, kid), signs_from
    )


def _generate(
    algorithm: str,
) -> ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey:
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)


class Signer:
    """Issues access tokens with the key whose turn it is, from memory.

    load: all keys, from the store, in a transaction of its own. issuer, audience: written into
    the tokens.
    """

    def __init__(
        self,
        load: Callable[[], Sequence[SigningKey]],
        derived: DerivedSecrets,
        *,
        issuer: str,
        audience: str,
        look_again_s: float = LOOK_AGAIN_S,
    ) -> None:
        self._load = load
        self._derived = derived
        self._issuer = issuer
        self._audience = audience
        self._look_again_s = look_again_s
        self._ring = KeyRing([], {}, {})
        self._looked_at = float("-inf")
        self._looking = threading.Lock()

    def issue(self, caller: Caller, lifetime: timedelta) -> str:
        """Raises TooLate, or what *load* raises, when no key is known yet."""
        ring = self._current()
        now = datetime.now(UTC)
        key = domain.signing([key for key in ring.keys if key.kid in ring.opened], now)
        if key is None:
            raise RuntimeError("no key signs: clocks disagree, or somebody emptied the table")
        claims = auth.claims_of(
            caller, issuer=self._issuer, audience=self._audience, lifetime=lifetime, now=now
        )
        return auth.sign(claims, ring.opened[key.kid], algorithm=key.algorithm, kid=key.kid)

    def find(self, kid: str | None) -> PyJWK | None:
        """The public key of that id: what other services fetch, this one has."""
        return self._current().public.get(kid or "")

    def published(self) -> dict[str, list[dict[str, str]]]:
        """The JWK set (RFC 7517 §5): what signs, will sign soon, or signed tokens still alive."""
        return {"keys": [json.loads(key.public_jwk) for key in self._current().keys]}

    def _current(self) -> KeyRing:
        """At most *look_again_s* old. One thread looks; the others wait only for the first ring."""
        if time.monotonic() - self._looked_at < self._look_again_s:
            return self._ring
        is_first = not self._ring.keys
        if is_first and not deadline.take(self._looking):
            raise deadline.TooLate("the keys are still being read")
        if is_first or self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looking.release()
        return self._ring

    def _look(self) -> None:
        if time.monotonic() - self._looked_at < self._look_again_s:  # Somebody did meanwhile.
            return
        try:
            keys = self._load()
        except SQLAlchemyError:
            if not self._ring.keys:
                raise
            self._looked_at = time.monotonic()  # The keys we have are good for now.
            return
        self._ring = self._read(keys)
        self._looked_at = time.monotonic()

    def _read(self, keys: Sequence[SigningKey]) -> KeyRing:
        opened = {key.kid: self._derived.open(key.sealed, key.kid) for key in keys}
        return KeyRing(
            keys,
            {key.kid: PyJWK.from_json(key.public_jwk) for key in keys},
            {
                kid: load_der_private_key(der, password=None)
                for kid, der in opened.items()
                if der is not None
            },
        )
