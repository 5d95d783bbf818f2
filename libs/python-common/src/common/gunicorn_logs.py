"""What gunicorn itself has to say, as JSON lines on stdout like everything else."""

from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from common import logs


class JsonLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types.
    """Its error log has no handler of its own: it goes where the standard library's goes."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        logs.install("web")
        self.error_log.handlers.clear()
        self.error_log.propagate = True
