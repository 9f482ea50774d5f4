"""Refusals in the API's own shape: tests that are marked run with `{"error": …}` and with `{"errors": […]}`."""

from __future__ import annotations

import pytest

from procountor_auth.sandbox.web.oauth_server import OAuthServer

MARK = "both_error_shapes"


class ErrorShapes:
    """Runs each test with the mark `both_error_shapes` twice, once for each shape in which a server may refuse."""

    def pytest_configure(self, config: pytest.Config) -> None:
        """Make the mark known."""
        config.addinivalue_line("markers", f"{MARK}: run with refusals in OAuth's shape, and in that of the API")

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Ask for the fixture, in both ways."""
        if metafunc.definition.get_closest_marker(MARK) is not None:
            metafunc.fixturenames.insert(0, "error_shape")
            metafunc.parametrize("error_shape", ["oauth", "errors"], indirect=True)

    @pytest.fixture
    def error_shape(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
        """Have every sandbox of the test refuse in this shape, whatever quirks the test sets."""
        shape: str = request.param
        monkeypatch.setattr(OAuthServer, "error_shape", shape)
        return shape
