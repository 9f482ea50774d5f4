"""The log view: the requests on the dashboard, also as a separate fragment for the script that updates them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

import flask

from .oauth_endpoints import company_number
from .responses import html_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from procountor_auth.sandbox.state.directory import Company, User
    from procountor_auth.sandbox.state.request_log import Entry
    from procountor_auth.sandbox.state.service import Service

#: The most requests on the page; the whole log is at ``/_sandbox/log``.
_MAX_REQUESTS = 50
#: The most companies to choose from; if there are more, the user types the number.
_MAX_COMPANIES = 50


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which requests are shown.

    Attributes:
        company_id: Only those of this company; None shows all.
        refused: Only those that were refused.
    """

    company_id: int | None = None
    refused: bool = False

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Self:
        """Return the filter in a query string; an invalid one is ignored."""
        return cls(company_number(given.get("of")), "refused" in given)

    @property
    def query(self) -> str:
        """The filter as a query string; empty if all requests are shown."""
        parts = {"of": str(self.company_id)} if self.company_id is not None else {}
        return urlencode(parts | ({"refused": "1"} if self.refused else {}))

    def wants(self, entry: Entry) -> bool:
        """Return whether a request is shown."""
        return (self.company_id is None or entry.company_id == self.company_id) and (
            entry.is_refused or not self.refused
        )


class LogView:
    """The requests of one sandbox as HTML."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def values(self) -> dict[str, Any]:
        """Return the variables of the templates for the requests that Flask's current request selects."""
        given = flask.request.args
        after = given.get("after", "0")
        chosen = LogFilter.of(given)
        log, directory = self._service.log, self._service.world.directory
        # First, so that requests that arrive in between are shown next time.
        last = log.last
        entries = log.newest(
            _MAX_REQUESTS, chosen.wants, after=int(after[:18]) if after.isascii() and after.isdigit() else 0
        )
        companies = directory.companies()

        def company_of(entry: Entry) -> Company | None:
            return directory.company(entry.company_id) if entry.company_id else None

        def user_of(entry: Entry) -> User | None:
            return directory.user(entry.user_id) if entry.user_id else None

        return {
            "entries": [entry for entry in entries if entry.number <= last],
            "last_entry": last,
            "filter": chosen,
            "filter_companies": companies if len(companies) <= _MAX_COMPANIES else [],
            "exchange": log.exchange,
            "company_of": company_of,
            "user_of": user_of,
            "clock": _clock,
            "timestamp": _timestamp,
        }

    def rows(self) -> flask.Response:
        """Return the requests after a given one as an HTML list."""
        return html_page("log_rows.html", **self.values())


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(at))


def _timestamp(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
