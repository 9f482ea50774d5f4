"""`procountor-auth bridge` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from procountor_auth.bridge.login import BridgeLogin


class BridgeCommand:
    """The command. A context manager: it serves inside.

    Args:
        login: Whose calls it passes on.
        options: Further options of the command.
    """

    def __init__(self, login: BridgeLogin, *options: str) -> None:
        settings = login.settings
        secrets = {name: getattr(settings, name) for name in ("client_secret", "api_key", "username", "password")}
        variables = {
            "STRATEGY": settings.strategy,
            "BASE_URL": settings.endpoints.host,
            "CLIENT_ID": settings.client_id,
            "REDIRECT_URI": settings.redirect_uri,
            "COMPANY": login.company,
            **{name.upper(): value.get_secret_value() for name, value in secrets.items()},
        }
        self._start = [
            str(Path(sys.executable).with_name("procountor-auth")),
            "bridge",
            "--port",
            "0",
            "--json",
            *options,
        ]
        self._environment = os.environ | {f"PROCOUNTOR_{name}": str(value) for name, value in variables.items()}
        self.url = ""
        self.said = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._start, env=self._environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self.url = json.loads(self._process.stdout.readline())["base_url"]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        out, err = self._process.communicate(timeout=60)
        self.said = out + err
        assert self._process.returncode == 0, self.said

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    @property
    def port(self) -> int:
        """Its port."""
        return int(self.url.rpartition(":")[2])
