"""Files that are given to a run: a weather, a gate, an earlier result. Reads, and runs nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from yaml import YAMLError

Document = TypeVar("Document", bound=BaseModel)


class DocumentRefused(Exception):
    """The file is not what it is taken for; the message says which, where and why."""


def read(model: type[Document], path: Path, parse: Callable[[bytes], Any]) -> Document:
    """The *model* that the file is. parse: bytes into plain values. Raises DocumentRefused."""
    try:
        return model.model_validate(parse(path.read_bytes()))
    except ValidationError as error:
        told = "; ".join(_told(one, model) for one in error.errors())
        raise DocumentRefused(f"{path}: {told}") from error
    except (OSError, ValueError, YAMLError) as error:
        raise DocumentRefused(f"{path}: {error}") from error


def _told(error: Any, model: type[BaseModel]) -> str:
    where = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
        return f"{where}: nothing is called so; there are {', '.join(model.model_fields)}"
    return f"{where}: {error['msg']}" if where else str(error["msg"])
