"""What every service reads from its environment. Read once, at start; frozen."""

from pathlib import Path
from typing import ClassVar, Final, Literal, Self
from urllib.parse import urlsplit

import sqlalchemy as sa
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

# Who issues our access tokens and for whom, where nobody says otherwise.
ISSUER: Final = "cartwright-auth"
AUDIENCE: Final = "cartwright"
# RFC 7518 §3.2 for HS256, and more than anybody guesses for any other secret.
SECRET_BYTES_MIN: Final = 32
# For passwords that a machine keeps: nobody has to remember them.
PASSWORD_CHARS_MIN: Final = 16
# Those that do not fall back to plain text when somebody in between says so.
SAFE_SSL_MODES: Final = frozenset({"require", "verify-ca", "verify-full"})
SUPERUSER: Final = "postgres"
# A limit beyond so many times its default is none.
LIMIT_FACTOR_MAX: Final = 10
# What people write before they have a secret.
PLACEHOLDERS: Final = (
    "change", "default", "example", "password", "placeholder", "postgres", "secret", "test", "todo",
)  # fmt: skip


class ServiceSettings(BaseSettings):
    """Base of the seven `Settings` classes. A missing or malformed variable stops the start.

    With ENVIRONMENT=production so does whatever is for development only: see `_fit_to_serve`.
    """

    # An error at start lands in a log; it names the variable and never says what was in it.
    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    # Whether the keys of AUTH_MODE=jwks come from elsewhere: the auth service has its own.
    needs_jwks_url: ClassVar[bool] = True
    # Whether it needs a secret of its own in production, to be known to them.
    calls_neighbours: ClassVar[bool] = False

    environment: Literal["development", "production"] = "development"
    database_url: SecretStr  # postgresql+psycopg2://…; the role owns one schema only
    redis_url: str = "redis://127.0.0.1:6379/0"
    aws_endpoint_url: str | None = None  # None means AWS itself
    aws_region: str = "us-east-1"
    topic_arn: str | None = None  # where this service publishes
    queue_url: str | None = None  # where it consumes
    dead_letter_queue_url: str | None = None
    receive_wait_s: int = 20  # SQS's longest long poll; embedded stacks use 2 to stop sooner

    contract_dir: Path | None = None  # where an image keeps it; None means beside the sources

    # Which access tokens are believed (ADR-0009).
    auth_mode: Literal["hs256", "jwks", "cognito"] = "hs256"
    jwt_secret: SecretStr = SecretStr("")  # hs256: shared by all services
    jwks_url: str | None = None  # jwks: where the auth service publishes its keys
    # After so long published keys are asked for again: how long a stolen one opens doors.
    jwks_fresh_s: float = Field(default=60.0, gt=0, le=3600)
    token_issuer: str = ISSUER
    token_audience: str = AUDIENCE
    cognito_region: str = ""
    cognito_user_pool_id: str = ""
    cognito_client_ids: str = ""  # our apps, with commas between
    cognito_service_client_ids: str = ""  # those of them that are services of ours
    cognito_jwks_url: str | None = None  # None means Cognito's own

    # How this service identifies itself to its neighbours, but for hs256.
    auth_url: str = "http://127.0.0.1:8001"
    service_client_id: str | None = None  # None means SERVICE_NAME
    service_client_secret: SecretStr = SecretStr("")

    @property
    def cognito_issuer(self) -> str:
        return (
            f"https://cognito-idp.{self.cognito_region}.amazonaws.com/{self.cognito_user_pool_id}"
        )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """Each mode has what it needs, wherever it runs."""
        secret = self.jwt_secret.get_secret_value()
        if self.auth_mode == "hs256" and len(secret.encode()) < SECRET_BYTES_MIN:
            raise ValueError(
                f"AUTH_MODE=hs256 needs a JWT_SECRET of {SECRET_BYTES_MIN} bytes or more"
            )
        if self.auth_mode == "jwks" and self.needs_jwks_url and not self.jwks_url:
            raise ValueError("AUTH_MODE=jwks needs JWKS_URL")
        if self.auth_mode == "cognito" and not (
            self.cognito_region and self.cognito_user_pool_id and self.cognito_client_ids
        ):
            raise ValueError(
                "AUTH_MODE=cognito needs COGNITO_REGION, COGNITO_USER_POOL_ID, COGNITO_CLIENT_IDS"
            )
        return self

    @model_validator(mode="after")
    def _fit_to_serve(self) -> Self:
        """In production nothing that a reader of this repository knows opens anything."""
        if self.environment != "production":
            return self
        faults = [
            *self._token_faults(),
            *self._secret_faults(),
            *self._database_faults(),
            *self._redis_faults(),
            *self._url_faults(),
            *self._limit_faults(),
            *self._faults_of_its_own(),
        ]
        if faults:
            raise ValueError("not with ENVIRONMENT=production: " + "; ".join(faults))
        return self

    def _token_faults(self) -> list[str]:
        if self.auth_mode == "hs256":
            return ["AUTH_MODE=hs256 lets whoever can verify a token make one; use jwks or cognito"]
        return []

    def _secret_faults(self) -> list[str]:
        """Secrets that are a default, a placeholder or, where we choose their length, short."""
        faults = []
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if not isinstance(value, SecretStr) or name == "database_url":
                continue
            secret = value.get_secret_value()
            known = isinstance(field.default, SecretStr) and value == field.default
            parts = [part.strip().lower() for part in secret.split(",")]  # Some are lists.
            if secret and (known or any(part.startswith(PLACEHOLDERS) for part in parts)):
                faults.append(f"{name.upper()} is one that everybody knows")
        own = self.service_client_secret.get_secret_value()
        if own and len(own.encode()) < SECRET_BYTES_MIN:
            faults.append(f"SERVICE_CLIENT_SECRET is shorter than {SECRET_BYTES_MIN} bytes")
        if self.calls_neighbours and not own:
            faults.append("SERVICE_CLIENT_SECRET is needed to ask neighbours")
        return faults

    def _database_faults(self) -> list[str]:
        url = sa.make_url(self.database_url.get_secret_value())
        password = url.password or ""
        faults = {
            "DATABASE_URL has a password that everybody knows": (
                password.lower().startswith(PLACEHOLDERS)
            ),
            f"DATABASE_URL has a password of less than {PASSWORD_CHARS_MIN} characters": (
                len(password) < PASSWORD_CHARS_MIN
            ),
            "DATABASE_URL names the superuser": url.username == SUPERUSER,
            "DATABASE_URL needs sslmode=require, or stricter": (
                url.query.get("sslmode") not in SAFE_SSL_MODES
            ),
        }
        return [fault for fault, is_there in faults.items() if is_there]

    def _redis_faults(self) -> list[str]:
        """Whoever believes tokens asks there which sessions are over: all of us."""
        url = urlsplit(self.redis_url)
        faults = []
        if url.scheme != "rediss":
            faults.append("REDIS_URL is not rediss, which is Redis over TLS")
        if len(url.password or "") < PASSWORD_CHARS_MIN:
            faults.append(f"REDIS_URL has no password of {PASSWORD_CHARS_MIN} characters")
        return faults

    def _url_faults(self) -> list[str]:
        """Also of AWS_ENDPOINT_URL, which names an emulator, or an endpoint within a network."""
        return [
            f"{name.upper()} is not https"
            for name in ("jwks_url", "cognito_jwks_url", "aws_endpoint_url")
            if (url := getattr(self, name)) and not url.startswith("https://")
        ]

    def _limit_faults(self) -> list[str]:
        """Of settings named like `orders_per_hour_…`: what so often a time is allowed."""
        return [
            f"{name.upper()} is so high that it limits nobody"
            for name, field in type(self).model_fields.items()
            if "_per_" in name and getattr(self, name) > LIMIT_FACTOR_MAX * field.default
        ]

    def _faults_of_its_own(self) -> list[str]:
        """For each service to say."""
        return []
