"""The assets: the stylesheets, the script and the icon of the pages."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import flask

#: Where the pages find them. The request log leaves everything under ``/_sandbox/`` out.
PREFIX = "/_sandbox/static"

_BOOTSTRAP = "bootstrap.min.css"


def blueprint() -> flask.Blueprint:
    """Return the assets: the files of ``static/``, and Bootstrap out of the package Bootstrap-Flask.

    Raises:
        ModuleNotFoundError: Bootstrap-Flask is not installed.
    """
    routes = flask.Blueprint("assets", __name__, url_prefix=PREFIX)
    own = Path(__file__).with_name("static")
    bootstrap = _bootstrap()

    @routes.get("/<name>")
    def asset(name: str) -> flask.Response:
        # With an ETag; browsers cache the file and check whether it has changed.
        return flask.send_from_directory(bootstrap if name == _BOOTSTRAP else own, name)

    return routes


def _bootstrap() -> Path:
    # Found, not imported: its form helpers, and WTForms with them, are not needed here.
    package = find_spec("flask_bootstrap")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("No module named 'flask_bootstrap'", name="flask_bootstrap")
    return Path(package.origin).parent / "static" / "bootstrap5" / "css"
