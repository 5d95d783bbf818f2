"""Worker entry: `python -m auth.worker`. Sends what was published; consumes nothing."""

from collections.abc import Mapping

from common import worker
from common.consumer import Handler
from common.db import Database

from auth.settings import Settings

HANDLERS: Mapping[str, Handler] = {}


def main() -> None:
    worker.install()
    settings = Settings()
    db = Database(settings.database_url.get_secret_value())
    worker.run(worker.messaging_loops(settings, db, HANDLERS))


if __name__ == "__main__":
    main()
