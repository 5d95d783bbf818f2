"""What every service reads from its environment. Read once, at start; frozen."""

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Base of the seven `Settings` classes. A missing or malformed variable stops the start."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: SecretStr  # postgresql+psycopg2://…; the role owns one schema only
    jwt_secret: SecretStr  # HS256 key shared in development, at least 32 bytes (RFC 7518 §3.2)
    redis_url: str = "redis://127.0.0.1:6379/0"
    aws_endpoint_url: str | None = None  # None means AWS itself
    aws_region: str = "us-east-1"
    topic_arn: str | None = None  # where this service publishes
    queue_url: str | None = None  # where it consumes
    dead_letter_queue_url: str | None = None
    receive_wait_s: int = 20  # SQS's longest long poll; embedded stacks use 2 to stop sooner
