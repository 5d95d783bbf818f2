"""What is made from the one secret of this service (RFC 5869): successors, and sealed keys."""

import base64
import hashlib
import hmac
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

# So that a scanner for leaked secrets knows one when it sees it.
REFRESH_TOKEN_PREFIX: Final = "rt_"  # noqa: S105
TOKEN_BYTES: Final = 32  # 256 bits: nobody guesses one (OWASP ASVS 7.2.3 asks for 128).
SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12  # NIST SP 800-38D §8.2


class DerivedSecrets:
    """secret: at least 32 bytes. With another one, old refresh tokens hold on, but the answer of
    a rotation under way cannot be repeated, and sealed keys stay shut.
    """

    def __init__(self, secret: str) -> None:
        self._successors = _derive(secret, "successors of refresh tokens")
        self._sealing = AESGCM(_derive(secret, "signing keys at rest"))

    def first_token(self) -> str:
        return _written(secrets.token_bytes(TOKEN_BYTES))

    def successor(self, token: str, salt: bytes) -> str:
        """The one token that follows *token*, the same each time: it needs no storing in clear.

        Who has a stolen token lacks our key; who has our tables lacks the token, too.
        """
        return _written(hmac.digest(self._successors, salt + token.encode(), hashlib.sha256))

    def seal(self, private_key: bytes, kid: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._sealing.encrypt(nonce, private_key, kid.encode())

    def open(self, sealed: bytes, kid: str) -> bytes | None:
        """None if it was sealed with another secret, or for another key."""
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._sealing.decrypt(nonce, text, kid.encode())
        except InvalidTag:
            return None


def digest(secret: str) -> bytes:
    """What is stored of a secret that nobody could guess: no salt, no slow hash is needed."""
    return hashlib.sha256(secret.encode()).digest()


def _derive(secret: str, purpose: str) -> bytes:
    return HKDF(SHA256(), TOKEN_BYTES, salt=None, info=purpose.encode()).derive(secret.encode())


def _written(token: bytes) -> str:
    return REFRESH_TOKEN_PREFIX + base64.urlsafe_b64encode(token).rstrip(b"=").decode()
