"""Which images the infrastructure runs from, read from infra/images.yaml. Pulls and starts none."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import yaml

PLACE = Path("infra", "images.yaml")


class ImagesError(ValueError):
    """The file does not name exactly one image for each part; the message says which."""


@dataclass(frozen=True)
class Images:
    """By part of the infrastructure, as ``name:tag``."""

    postgres: str
    redis: str
    localstack: str
    jaeger: str

    def by_part(self) -> Mapping[str, str]:
        """Part -> image, in the order of the fields."""
        return asdict(self)


def load(repo_root: Path) -> Images:
    """The images pinned in the checkout. Raises `ImagesError`."""
    path = repo_root / PLACE
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    parts = {field.name for field in fields(Images)}
    if not isinstance(document, dict) or set(document) != parts:
        raise ImagesError(f"{path}: names one image for each of {', '.join(sorted(parts))}")
    for part, image in document.items():
        # Without a tag it would be `latest`: another program every few weeks.
        if not isinstance(image, str) or ":" not in image.rpartition("/")[2]:
            raise ImagesError(f"{path}: {part}: {image!r} has no tag")
    return Images(**document)
