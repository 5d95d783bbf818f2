"""What the sources may not say, wherever they say it: rules about the repository's own text.

Each rule is shown to see what it forbids.
"""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from detect_secrets import SecretsCollection
from detect_secrets.settings import transient_settings
from harness import stack
from harness.contracts.lock import contracts

pytestmark = pytest.mark.exhaustive

ROOT = stack.repository()
SOURCES = sorted(
    path
    for pattern in ("libs/*/src/**/*.py", "services/*/src/**/*.py", "simulators/src/**/*.py")
    for path in ROOT.glob(pattern)
)
SHIPPED = [
    path for path in SOURCES if path.is_relative_to(ROOT / "services") or "common" in path.parts
]
# Expressions whose time grows faster than their text take minutes for this much.
LONG = 50_000
PATTERNS_WITHIN_S = 60.0
# A key as AWS makes them, in two parts so that this file holds none.
PLANTED = "AKIA" + "QX7ZPLM2RTNVWKBD"

CALLS = {"httpx.Client", "httpx.get", "httpx.post", "httpx.request", "httpx.stream"}
# Attempts at these make a regular expression with a nested repetition try every division.
SPITEFUL = ("a", "0", " ", "a-", "4929 ", "a@", "\\", '"', '\\"', "[", "\r\n", "é", "a.", "0,")


def calls_in(source: str) -> Iterator[tuple[str, set[str], ast.Call]]:
    """Every call: what is called, the names of its keywords, the call."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {k.arg or "**" for k in node.keywords}, node


def unverified(source: str) -> list[str]:
    """Calls that switch the verification of certificates off."""
    return [
        ast.unparse(call)
        for _, _, call in calls_in(source)
        for keyword in call.keywords
        if keyword.arg in {"verify", "verify_ssl", "check_hostname", "ssl_cert_reqs"}
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value in {False, None, "none"}
    ]


def unbounded(source: str) -> list[str]:
    """Clients of HTTP that would wait for ever, or follow wherever they are sent."""
    return [
        ast.unparse(call)
        for called, keywords, call in calls_in(source)
        if called in CALLS and not ("timeout" in keywords and _stays(call))
    ]


def _stays(call: ast.Call) -> bool:
    """httpx follows no redirect unless it is told to."""
    return not any(
        k.arg == "follow_redirects" and getattr(k.value, "value", None) is not False
        for k in call.keywords
    )


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_certificates_are_verified(path: Path) -> None:
    assert unverified(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_client_has_a_time_limit_and_stays_where_it_was_sent(path: Path) -> None:
    assert unbounded(path.read_text(encoding="utf-8")) == []


def test_both_rules_see_what_they_forbid() -> None:
    assert unverified("httpx.Client(verify=False, timeout=1)")
    assert unverified("ssl.create_default_context(check_hostname=False)")
    assert unbounded("httpx.Client(base_url=url)")
    assert unbounded("httpx.get(url, timeout=1, follow_redirects=True)")
    assert not unbounded("httpx.get(url, timeout=1, follow_redirects=False)")


def patterns() -> list[tuple[str, str]]:
    """Every regular expression of the services, of what they share, and of their contracts, each
    with how it is put to a text: from its beginning, or wherever it fits.
    """
    found: set[tuple[str, str]] = set()
    for path in SHIPPED:
        source = path.read_text(encoding="utf-8")
        for called, _, call in calls_in(source):
            first = call.args[0] if call.args else None
            if called.startswith("re.") and isinstance(first, ast.Constant):
                value = first.value
                text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
                found.add((text, _way(called, text, source)))
    for _, document in contracts(ROOT):
        found |= {(pattern, "search") for pattern in _promised(document)}
    return sorted(found)


def _way(called: str, pattern: str, source: str) -> str:
    """`match` if the module only ever compares from the beginning with that pattern."""
    if called != "re.compile":
        return "match" if called in {"re.match", "re.fullmatch"} else "search"
    names = [
        ast.unparse(node.target if isinstance(node, ast.AnnAssign) else node.targets[0])
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign | ast.AnnAssign) and repr(pattern) in ast.unparse(node)
    ]
    uses = {use for name in names for use in re.findall(rf"\b{name}\.(\w+)\(", source)}
    return "match" if uses and uses <= {"match", "fullmatch"} else "search"


def _promised(document: object) -> Iterator[str]:
    if isinstance(document, dict):
        if isinstance(document.get("pattern"), str):
            yield document["pattern"]
        for part in document.values():
            yield from _promised(part)
    elif isinstance(document, list):
        for part in document:
            yield from _promised(part)


MATCHER = """
import re, sys, time
pattern, long, way, *spiteful = sys.argv[1:]
put, long = getattr(re.compile(pattern), way), int(long)
slowest = 0.0
for seed in spiteful:
    for end in ("", "!", "\\x00"):
        text = (seed * long)[:long] + end
        began = time.process_time()
        put(text)
        slowest = max(slowest, time.process_time() - began)
print(slowest)
"""


def slowest_s(pattern: str, way: str, within_s: float = PATTERNS_WITHIN_S) -> float:
    """Of all spiteful texts. Raises TimeoutExpired; a match cannot be stopped, a process can."""
    command = [sys.executable, "-c", MATCHER, pattern, str(LONG), way, *SPITEFUL]
    done = subprocess.run(command, capture_output=True, text=True, timeout=within_s, check=True)
    return float(done.stdout)


def test_patterns_are_found() -> None:
    assert len(patterns()) > 30


@pytest.mark.parametrize(("pattern", "way"), patterns())
def test_no_text_makes_a_pattern_slow(pattern: str, way: str) -> None:
    """S26. The limit is generous for a busy machine; what is worse than linear takes seconds."""
    assert slowest_s(pattern, way) < 1.0


def test_a_slow_pattern_would_be_seen() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        slowest_s("^(a+)+$", "match", within_s=3.0)


def test_a_planted_key_is_found(tmp_path: Path) -> None:
    """As `make check` looks for secrets in everything that is committed."""
    clean, leaking = tmp_path / "clean.py", tmp_path / "leaking.py"
    clean.write_text('REGION = "us-east-1"\n')
    leaking.write_text(f'ACCESS_KEY = "{PLANTED}"\n')

    with transient_settings(json.loads((ROOT / ".secrets.baseline").read_text())):
        found = SecretsCollection()
        for file in (clean, leaking):  # The hook itself would ask git about the baseline.
            found.scan_file(str(file))

    assert [(file, secret.type) for file, secret in found] == [(str(leaking), "AWS Access Key")]


def locked(text: str) -> list[str]:
    """Packages of a uv.lock that come from a registry and lack the hash of some file."""
    document = tomllib.loads(text)
    return [
        package["name"]
        for package in document["package"]
        if "registry" in package["source"]
        and not all(
            file.get("hash", "").startswith("sha256:")
            for file in [*package.get("wheels", []), package.get("sdist", {"hash": "sha256:"})]
        )
    ]


def test_every_dependency_is_locked_with_its_hashes() -> None:
    text = (ROOT / "uv.lock").read_text(encoding="utf-8")
    sources = [next(iter(p["source"])) for p in tomllib.loads(text)["package"]]

    assert locked(text) == []
    assert set(sources) <= {"registry", "editable", "virtual"}
    assert sources.count("registry") > 100


def test_a_lock_without_a_hash_would_be_seen() -> None:
    text = (ROOT / "uv.lock").read_text(encoding="utf-8")

    assert locked(re.sub(r', hash = "sha256:[0-9a-f]+"', "", text, count=1)) != []
