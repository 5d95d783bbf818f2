"""Which MiniStack the replacements were written for. Imports nothing of it."""

import sys
from importlib import metadata

TESTED_VERSION = "1.5.33"


def require() -> None:
    """End the process, saying what to do, unless exactly TESTED_VERSION is installed."""
    try:
        installed = metadata.version("ministack")
    except metadata.PackageNotFoundError:
        installed = "missing"
    if installed == TESTED_VERSION:
        return
    sys.exit(
        f"The emulator needs MiniStack {TESTED_VERSION} and found it {installed} in {sys.prefix}.\n"
        "It replaces private functions of that version; with another it could lose messages.\n"
        "Recreate its environment:  uv sync --project infra/emulator --frozen\n"
        "To move to another version: change it in infra/emulator/pyproject.toml and in"
        " pinned_version.py, run `uv lock --project infra/emulator`,\n"
        "then `pytest conformance -k emulator` until it is green."
    )
