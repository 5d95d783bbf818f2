"""One place pins the images, and says so when it does not."""

from pathlib import Path

import pytest
from harness import stack
from harness.providers import images
from harness.providers.images import ImagesError

PINNED = {"postgres": "postgres:18", "redis": "redis:8", "localstack": "l:4", "jaeger": "j:2"}


def write(folder: Path, pinned: dict[str, str]) -> None:
    (folder / "infra").mkdir()
    lines = "\n".join(f"{part}: {image}" for part, image in pinned.items())
    (folder / "infra" / "images.yaml").write_text(lines)


def test_the_checkout_pins_an_image_for_every_part() -> None:
    assert set(images.load(stack.repository()).by_part()) == set(PINNED)


def test_a_part_without_an_image_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {part: image for part, image in PINNED.items() if part != "redis"})

    with pytest.raises(ImagesError, match="one image for each of jaeger, localstack, postgres, r"):
        images.load(tmp_path)


@pytest.mark.parametrize("image", ["redis", "registry.example:5000/redis"])
def test_an_image_without_a_tag_is_refused(tmp_path: Path, image: str) -> None:
    write(tmp_path, PINNED | {"redis": image})

    with pytest.raises(ImagesError, match=r"redis: .* has no tag"):
        images.load(tmp_path)
