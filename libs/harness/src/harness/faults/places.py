"""Where faults can be planted, and the ports they are planted at. Pure."""

from collections.abc import Iterable, Mapping

# Toxiproxy's own port, because it is Toxiproxy's vocabulary that is spoken there.
DESK = "faults"
USUAL_DESK_PORT = 8474
# What stands behind a proxy besides the services, by the topology's names; and how far from its
# port the proxy listens.
PLACES = ("aws", "redis", "otlp", "payment-provider")
APART = 20_000


def proxy_name(place: str) -> str:
    return f"{DESK}-{place}"


def usual_ports(usual: Mapping[str, int], services: Iterable[str]) -> dict[str, int]:
    """The ports of the desk and of every proxy, beside the *usual* ones of the topology."""
    proxies = {proxy_name(place): usual[place] + APART for place in (*PLACES, *services)}
    return {DESK: USUAL_DESK_PORT} | proxies
