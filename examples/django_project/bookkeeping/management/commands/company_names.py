"""`manage.py company_names`: prints the names of all companies in Procountor."""

from __future__ import annotations

import httpx
from django.core.management.base import BaseCommand, CommandError

from bookkeeping.procountor import session_of
from procountor_auth import ProcountorAuthError, Profiles


class Command(BaseCommand):
    """Calls Procountor for each company. A failure does not stop the others."""

    help = "Print the names of all companies in Procountor."

    def handle(self, *_args: object, **_options: object) -> None:
        """Print a line for each company; exit with an error if one failed."""
        failed = 0
        for company in Profiles.read():
            try:
                self.stdout.write(f"{company}: {session_of(company)['name']}")
            except (ProcountorAuthError, httpx.HTTPError) as error:
                self.stderr.write(f"{company}: {type(error).__name__}: {error}")
                failed += 1
        if failed:
            raise CommandError(f"{failed} companies failed")
