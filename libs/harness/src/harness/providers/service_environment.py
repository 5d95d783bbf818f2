"""What a service of a stack of ours finds in its environment. Pure; starts nothing."""

import hashlib

from harness.process.endpoints import Endpoints
from harness.providers import role_names
from harness.providers.setting import Setting

# Long enough that an idle queue costs one request in two seconds, short enough to stop soon.
RECEIVE_WAIT_S = 2
# Traces are looked at right after the fact; the usual 5 s would be most of a test.
SPAN_DELAY_MS = 500
# Figures are looked at by people: fourteen exporters every ten seconds cost next to nothing.
METRICS_EVERY_MS = 10_000
# Every shopper of a simulation comes from one address, a household comes as often as it did in a
# year, and no attacker comes.
LIMITS = {
    "LOGINS_PER_MINUTE_PER_ACCOUNT": "100000",
    "LOGINS_PER_HOUR_PER_ACCOUNT": "100000",
    "LOGINS_PER_MINUTE_PER_ADDRESS": "100000",
    "REGISTRATIONS_PER_MINUTE_PER_ADDRESS": "100000",
    "GUEST_TOKENS_PER_MINUTE_PER_ADDRESS": "100000",
    "ORDER_RATE_PER_MINUTE": "100000",
    "ORDERS_PER_HOUR_PER_RECIPIENT": "100000",
}


def service_environment(setting: Setting, endpoints: Endpoints, name: str) -> dict[str, str]:
    service = setting.summary.services[name]
    environment = {
        "SERVICE_NAME": name,
        "DATABASE_URL": setting.sqlalchemy_url(role_names.service_role(name)),
        "REDIS_URL": _seen(setting, "redis", endpoints.redis_url),
        "AWS_ENDPOINT_URL": setting.seen_url("aws"),
        "RECEIVE_WAIT_S": str(RECEIVE_WAIT_S),
        "JWT_SECRET": endpoints.jwt_secret,
        **_tokens(setting, name),
        "OTEL_EXPORTER_OTLP_ENDPOINT": setting.seen_url("otlp"),
        "OTEL_BSP_SCHEDULE_DELAY": str(SPAN_DELAY_MS),
        "PAYMENT_PROVIDER_URL": setting.seen_url("payment-provider"),
        "PAYMENT_PROVIDER_API_KEY": endpoints.payment_provider_api_key,
        "PAYMENT_WEBHOOK_SECRETS": setting.secrets["payment-webhook"],
        "SMTP_HOST": endpoints.smtp_host,
        "SMTP_PORT": str(endpoints.smtp_port),
        **LIMITS,
        # Nobody balances load here, so nobody needs to be told before we stop.
        "DRAIN_S": "0",
    }
    if setting.takes_metrics:
        environment["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"] = (
            setting.seen_url("otlp") + "/v1/metrics"
        )
        environment["OTEL_METRIC_EXPORT_INTERVAL"] = str(METRICS_EVERY_MS)
    for other in setting.summary.services:
        environment[f"{other.upper()}_URL"] = setting.seen_url(other)
    if service.topic:
        environment["TOPIC_ARN"] = endpoints.topic_arns[service.topic]
    if service.queue:
        live, dead = endpoints.queue_urls, endpoints.dead_letter_queue_urls
        environment["QUEUE_URL"] = _seen(setting, "aws", live[service.queue])
        environment["DEAD_LETTER_QUEUE_URL"] = _seen(setting, "aws", dead[service.queue])
    return environment | dict(setting.environment)


def _seen(setting: Setting, name: str, url: str) -> str:
    """*url*, which leads to *name*, as the shop sees it."""
    return url.replace(f":{setting.ports[name]}/", f":{setting.seen_port(name)}/", 1)


def _tokens(setting: Setting, name: str) -> dict[str, str]:
    """What the modes other than HS256 need; a stack asks for one by its `environment`."""
    clients = {other: setting.secrets[f"client-{other}"] for other in setting.summary.services}
    digests = (f"{n}:{hashlib.sha256(s.encode()).hexdigest()}" for n, s in clients.items())
    return {
        "JWKS_URL": setting.seen_url("auth") + "/.well-known/jwks.json",
        "SERVICE_CLIENT_SECRET": clients[name],
        **({"SERVICE_CLIENTS": ",".join(digests)} if name == "auth" else {}),
    }
