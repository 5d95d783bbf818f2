"""What our programs see of the shell they are started from: where its files are, not its settings.

A proxy, a profile of AWS, a sampler of OpenTelemetry or a zone that is meant for something else
breaks a shop on loopback, or a proof about it (ADR-0024). Every entry calls `clean` before it
imports what reads the environment; installers get the developer's network back.
"""

import json
import os
import time
from collections.abc import Mapping

REGION = "us-east-1"
# The same on every machine: PostgreSQL, logs and whoever prints a time follow these.
LOCALE: Mapping[str, str] = {"TZ": "UTC", "LC_ALL": "C.UTF-8"}
# Emulators take any credentials; the files of ~/.aws name profiles, endpoints and proxies, too.
NOBODYS_AWS: Mapping[str, str] = {
    "AWS_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
# What any program needs to find its files. Processes of a stack see nothing else of the shell.
FILES = ("PATH", "HOME", "TMPDIR", "VIRTUAL_ENV")
# Of whoever a person starts also: the user and the terminal, and settings that are documented.
_NAMES = frozenset(
    {
        *FILES,
        *("USER", "LOGNAME", "SHELL", "PWD", "CI", "RACES", "UV"),
        *("PORT", "STOREFRONT_NODE", "COOKIE_SECURE"),
        *("TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"),
    }
)
_PREFIXES = (
    *("CARTWRIGHT_", "CONFORMANCE_", "XDG_", "LD_", "DOCKER_", "COMPOSE_", "TESTCONTAINERS_"),
    # Python, its tools, and those that run them.
    *("PYTHON", "PYTEST_", "HYPOTHESIS_", "COV", "LOCUST_", "UV_", "PIP_", "MAKE"),
    *("GITHUB_", "RUNNER_", "PYCHARM", "PYDEVD", "TEAMCITY_", "_JB_", "VSCODE_"),
)
# How the developer's machine reaches others, in either case.
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_NETWORK = frozenset({*_PROXIES, *_CERTIFICATES, "ALL_PROXY", "SSL_CLIENT_CERT", "NETRC"})
# As JSON, so that an installer which a process of a process starts can have it still.
NETWORK_VARIABLE = "CARTWRIGHT_NETWORK"
# Shops that go by these names (`harness.providers.external`) run on this machine.
_OF_THIS_MACHINE = frozenset({"", "running", "compose"})
_LOOPBACK = "127.0.0.1,localhost,::1"


def clean() -> None:
    """Leave of this process's environment what `visible` says. Again changes nothing."""
    wanted = visible(os.environ)
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)
    time.tzset()


def visible(outside: Mapping[str, str]) -> dict[str, str]:
    """Of *outside* what a program of ours may see that a person starts; pure."""
    kept = {n: v for n, v in outside.items() if n in _NAMES or n.startswith(_PREFIXES)}
    network = {name: value for name, value in outside.items() if name.upper() in _NETWORK}
    if network:  # Who cleans again has only what was left.
        kept.setdefault(NETWORK_VARIABLE, json.dumps(network))
    aws = _abroad(outside) if _goes_abroad(outside) else NOBODYS_AWS
    return {**kept, **aws, **LOCALE}


def of_installers() -> dict[str, str]:
    """For uv, which has to reach an index: with the developer's proxies and certificates."""
    network: dict[str, str] = json.loads(os.environ.get(NETWORK_VARIABLE, "{}"))
    return {**os.environ, **network}


def of_stacks(outside: Mapping[str, str]) -> dict[str, str]:
    """What every process of a stack sees; pure."""
    return {**{n: outside[n] for n in FILES if n in outside}, **NOBODYS_AWS, **LOCALE}


def _goes_abroad(outside: Mapping[str, str]) -> bool:
    """Whether somebody asked for AWS itself, or for a shop that runs elsewhere."""
    return (
        outside.get("CONFORMANCE_AWS") == "yes"
        or outside.get("CARTWRIGHT_ENDPOINTS", "") not in _OF_THIS_MACHINE
        or bool(outside.get("CARTWRIGHT_STAFF_TOKEN"))
    )


def _abroad(outside: Mapping[str, str]) -> dict[str, str]:
    """The developer's account and way out, which does not lead to this machine.

    Not ALL_PROXY: it may be one of SOCKS, of which httpx refuses to make a client.
    """
    kept = {
        name: value
        for name, value in outside.items()
        if name.startswith("AWS_") or name.upper() in {*_PROXIES, *_CERTIFICATES}
    }
    direct = kept.get("no_proxy") or kept.get("NO_PROXY") or ""
    if _LOOPBACK not in direct:
        direct = f"{direct},{_LOOPBACK}".lstrip(",")
    return kept | dict.fromkeys(("NO_PROXY", "no_proxy"), direct)  # Some read one, some the other.
