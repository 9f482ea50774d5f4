"""The assets: the style sheet, the script and the icon of the pages. Nothing is loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path

import flask

#: The path of the assets. The request log leaves out everything under ``/_sandbox/``.
PREFIX = "/_sandbox/static"


def blueprint() -> flask.Blueprint:
    """Return the assets: the files of ``static/``."""
    routes = flask.Blueprint("assets", __name__, url_prefix=PREFIX)
    own = Path(__file__).with_name("static")

    @routes.get("/<name>")
    def asset(name: str) -> flask.Response:
        # With an ETag; browsers cache the file and check whether it has changed.
        return flask.send_from_directory(own, name)

    return routes
