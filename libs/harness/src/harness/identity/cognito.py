"""An Amazon Cognito user pool as far as a service sees it: published keys and signed tokens.

Claims as in "Understanding the access token" of the Cognito developer guide.
"""

import json
import threading
import uuid
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

REGION = "eu-central-1"
POOL_ID = f"{REGION}_Cartwright"
CLIENT_ID = "storefront"
# As Cognito's own keys.
KEY_BITS = 2048


class _Keys(BaseHTTPRequestHandler):
    server: "_KeyServer"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.server.document)))
        self.end_headers()
        self.wfile.write(self.server.document)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: who asks for public keys is of no interest."""


class _KeyServer(ThreadingHTTPServer):
    daemon_threads = True
    document = b""


class UserPool:
    """Serves its keys on this machine while the ``with`` block lasts."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        self._kid = uuid.uuid4().hex
        self._server = _KeyServer(("127.0.0.1", 0), _Keys)
        public = json.loads(RSAAlgorithm.to_jwk(self._key.public_key()))
        key = public | {"kid": self._kid, "alg": "RS256", "use": "sig"}
        self._server.document = json.dumps({"keys": [key]}).encode()
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def environment(self) -> dict[str, str]:
        """What a service that trusts this pool is started with."""
        return {
            "AUTH_MODE": "cognito",
            "COGNITO_REGION": REGION,
            "COGNITO_USER_POOL_ID": POOL_ID,
            "COGNITO_CLIENT_IDS": CLIENT_ID,
            "COGNITO_JWKS_URL": f"http://127.0.0.1:{self._server.server_port}/jwks.json",
        }

    def access_token(
        self, *, kid: str | None = None, lifetime_s: float = 3600, **claims: Any
    ) -> str:
        """Of a person who signed in; *claims* replace those of a good token."""
        now = datetime.now(UTC)
        good = {
            "sub": str(uuid.uuid4()),
            "iss": f"https://cognito-idp.{REGION}.amazonaws.com/{POOL_ID}",
            "client_id": CLIENT_ID,
            "token_use": "access",
            "scope": "openid",
            "auth_time": int(now.timestamp()),
            "iat": now,
            "exp": now + timedelta(seconds=lifetime_s),
            "jti": str(uuid.uuid4()),
            "username": "marta",
        }
        headers = {"kid": kid or self._kid, "typ": None}
        return jwt.encode(good | claims, self._key, "RS256", headers=headers)
