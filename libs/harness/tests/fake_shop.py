"""Seven services that do nothing but start, answer /readyz, and tell their environment."""

from pathlib import Path

SERVICES = ("auth", "cart", "catalog", "inventory", "order", "payment", "notification")

_APP = """
import os
from common.app import create_app as make_app
from common.db import Database
from common.settings import ServiceSettings
from flask import Blueprint, jsonify

def create_app():
    settings = ServiceSettings()
    db = Database(settings.database_url.get_secret_value())
    blueprint = Blueprint("environment", __name__)
    blueprint.get("/environment")(lambda: jsonify(dict(os.environ)))
    return make_app(os.environ["SERVICE_NAME"], settings, [blueprint], {"database": db.ping})
"""
_WORKER = """
from common import worker
from common.db import Database
from common.settings import ServiceSettings

settings = ServiceSettings()
worker.install()
db = Database(settings.database_url.get_secret_value())
worker.run(worker.messaging_loops(settings, db, {}, [worker.Loop("idle", lambda: 0)]))
"""


def write(folder: Path) -> Path:
    """Packages named like the real ones; put *folder* in front of `sys.path`."""
    for service in SERVICES:
        package = folder / service
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "app.py").write_text(_APP)
        (package / "worker.py").write_text(_WORKER)
    return folder
