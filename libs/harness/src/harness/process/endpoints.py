"""Where everything of a running stack listens, as one value that survives JSON. Starts nothing."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass(frozen=True)
class Endpoints:
    """What a client of the shop, its books or its outside world needs to know.

    postgres_dsn, auditor_dsn: libpq URLs, of the superuser and of the role that only reads;
        SQLAlchemy wants its driver's name in them.
    services: the base URL of each service that runs, without a slash at the end.
    queue_urls, dead_letter_queue_urls, topic_arns: by the names of the topology.
    jwt_secret: lets a test mint the tokens of staff; never leaves this machine.
    span_ledger_dir: where its processes write down which spans they made; empty if they do not.
    payment_provider_public_url: what the provider's links begin with, where that is not
        payment_provider_url: they are for browsers, and a client may be elsewhere.
    faults_url: of the desk where faults are ordered; empty if the shop was not started for them.
    pids: by process, as they were when this was read; processes that restart get new ones.
    """

    provider: str
    home: str
    services: Mapping[str, str]
    postgres_dsn: str
    auditor_dsn: str
    redis_url: str
    aws_endpoint_url: str
    topic_arns: Mapping[str, str]
    queue_urls: Mapping[str, str]
    dead_letter_queue_urls: Mapping[str, str]
    trace_query_url: str
    otlp_url: str
    payment_provider_url: str
    payment_provider_api_key: str
    mailbox_url: str
    smtp_host: str
    smtp_port: int
    jwt_secret: str
    pids: Mapping[str, int]
    span_ledger_dir: str = ""
    faults_url: str = ""
    payment_provider_public_url: str = ""

    @property
    def links(self) -> Mapping[str, str]:
        """What a link that is for a browser begins with -> where that is from here."""
        told = self.payment_provider_public_url
        return {told: self.payment_provider_url} if told else {}

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Raises `TypeError` if a member is missing; ignores those of a newer version."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in document.items() if name in known})
