"""The store passes the compliance tests for stores."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import django
import pytest
from django.conf import settings
from django.core.management import call_command

from procountor_auth.stores.compliance import StoreCompliance

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A database with the table."""
    settings.configure(
        INSTALLED_APPS=["procountor_tokens"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": tmp_path_factory.mktemp("database") / "db.sqlite3",
                "OPTIONS": {"timeout": 20},
            }
        },
    )
    django.setup()
    call_command("migrate", verbosity=0)


class TestDjangoStore(StoreCompliance):
    """All of it."""

    @pytest.fixture
    def store(self, database: None) -> Iterator[object]:  # noqa: ARG002 - it has to be there
        """A store with no entry in it."""
        from procountor_tokens.models import TokenEntry  # noqa: PLC0415 - Django has to be set up before
        from procountor_tokens.store import DjangoStore  # noqa: PLC0415 - the same

        TokenEntry.objects.all().delete()
        yield DjangoStore()
        django.db.connections.close_all()
