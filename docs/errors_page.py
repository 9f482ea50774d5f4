"""Write docs/errors.md: docs/templates/errors.md, with tables made from the classes of errors."""  # noqa: INP001 - a script

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from procountor_auth import errors
from procountor_auth.errors import ProcountorAuthError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HERE: Final = Path(__file__).parent
PAGE: Final = HERE / "errors.md"
TEMPLATE: Final = HERE / "templates" / "errors.md"

_TABLE: Final = re.compile(r"^<!-- ((?:[A-Z]\w+ ?)+) -->$", re.MULTILINE)

WHAT_TO_DO: Final = {
    "ConfigurationError": "Correct the variables that it lists.",
    "UnknownProfile": "Correct the name; the message suggests a similar one.",
    "LegacyNotAllowed": "Switch to another strategy: see the [migration guide](../MIGRATION.md).",
    "InteractionRequired": "Have a user log in with `begin_login()` or `procountor-auth login`, or set "
    "`PROCOUNTOR_REFRESH_TOKEN`.",
    "RedirectError": "Check `PROCOUNTOR_REDIRECT_URI`, and start the login again.",
    "StateMismatch": "Start the login again. If a legacy server never returns the state, set "
    "`PROCOUNTOR_ALLOW_MISSING_STATE=true`.",
    "AccessDenied": "Start the login again if the user wants to.",
    "LoginTimedOut": "Start the login again; `--timeout` allows more time.",
    "CannotListen": "Free the port, or use `--no-browser`.",
    "CredentialsRefused": "Read the server's message in the text.",
    "InvalidGrant": "Check the variable that the hint names.",
    "InvalidClient": "Check `PROCOUNTOR_CLIENT_ID` and `PROCOUNTOR_CLIENT_SECRET`.",
    "WrongCompany": "Use a key or login of this company: see [the company](tokens.md#the-company).",
    "LegacyRemoved": "Switch to another strategy: see the [migration guide](../MIGRATION.md).",
    "UnexpectedResponse": "Check `PROCOUNTOR_BASE_URL` and `PROCOUNTOR_API_VERSION`.",
    "ServiceUnavailable": "Try again later: after `retry_after` seconds, if that is not None.",
    "ConnectionFailed": "Try again later if `retryable` is true. Otherwise check `PROCOUNTOR_CA_BUNDLE` and "
    "`PROCOUNTOR_PROXY`. `PROCOUNTOR_TIMEOUT` allows more time.",
    "StoreError": "Follow the hint; [token stores](stores.md#messages) explains the messages.",
    "UnreadableEntry": "Set the key, upgrade the package, or run `procountor-auth logout`.",
    "StoreNotListable": "Use the operating system's own tool for its keychain.",
    "StoreUnavailable": "Try again later.",
    "StoreConflict": "Try again.",
}
"""What to do about each error."""


def classes() -> dict[str, type[ProcountorAuthError]]:
    """Return every class of errors but the root, by name."""
    return {
        name: found
        for name, found in vars(errors).items()
        if inspect.isclass(found) and issubclass(found, ProcountorAuthError) and found is not ProcountorAuthError
    }


def page() -> str:
    """Return the page.

    Raises:
        ValueError: A class is in no table of the template, or in two.
    """
    template = TEMPLATE.read_text(encoding="utf-8")
    named = [name for table in _TABLE.findall(template) for name in table.split()]
    if sorted(named) != sorted(classes()):
        raise ValueError(f"not in one table each: {set(named) ^ classes().keys()}")
    return _TABLE.sub(lambda table: "\n".join(_rows(table[1].split())), template)


def _rows(names: Iterable[str]) -> Iterator[str]:
    yield "| error | `code` | when | retryable | what to do |"
    yield "|---|---|---|---|---|"
    for name in names:
        found = classes()[name]
        (base,) = found.__bases__
        kind = "" if base is ProcountorAuthError else f" (a `{base.__name__}`)"
        retryable = "yes" if found.retryable else "no"
        if name == "ConnectionFailed":
            retryable = "mostly; see below"
        yield f"| `{name}`{kind} | `{found.code}` | {first_sentence(found)} | {retryable} | {WHAT_TO_DO[name]} |"


def first_sentence(found: type[ProcountorAuthError]) -> str:
    """Return the first sentence of a class's description."""
    paragraph = (inspect.getdoc(found) or "").split("\n\n")[0]
    return re.split(r"(?<=\.) (?=[A-Z`])", " ".join(paragraph.split()))[0]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
