"""The logins that the bridge accepts: what an old program sends, and whose token its calls get."""

from __future__ import annotations

import hmac
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from procountor_auth.errors import ConfigurationError, Problem, ProcountorAuthError, printable
from procountor_auth.protocol.unpicklable import Unpicklable
from procountor_auth.settings.problems import hint_for, variable_named
from procountor_auth.settings.settings import Settings
from procountor_auth.strategies.registry import find_strategy

from .login_key import NEEDED, key_for, value_of
from .password import check_hash, is_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pydantic import SecretStr

    from procountor_auth.settings.profiles import Profiles

_MAX_NAMED: Final = 5

_logger = logging.getLogger("procountor_auth.bridge")


@dataclass(frozen=True, slots=True)
class BridgeLogin(Unpicklable):
    """What an old program logs in with, and the settings of the profile that its calls are passed on with.

    Attributes:
        settings: The profile's settings.
        client_id: The client that the program says it is.
        client_secret: That client's secret.
        username: The user's name.
        password: The password, or its hash.
        company: The company's number.
    """

    settings: Settings
    client_id: str
    client_secret: SecretStr
    username: SecretStr
    password: SecretStr
    company: str = field(repr=False)

    @classmethod
    def of(cls, settings: Settings, *, has_file: bool) -> BridgeLogin | None:
        """Return the login of a profile, or None if there is none: no password is configured for it.

        Args:
            settings: The profile's settings.
            has_file: Whether there is a profiles file, for the hint of an error.

        Raises:
            ConfigurationError: Something else is missing, or can't be used; or the strategy is the legacy one.
            StoreError: A secret is in a keychain that can't be used.
        """
        values = {name: value_of(settings, name) for name in NEEDED}
        if values["password"] is None:
            return None
        problems = [
            Problem(variable_named(name), "missing", f"{variable_named(name)} is missing (the bridge needs it)")
            for name, value in values.items()
            if value is None
        ]
        kind = find_strategy(settings.strategy)
        if kind is not None and kind.lifecycle is not None:
            variable = variable_named("strategy")
            problems.append(
                Problem(
                    variable,
                    "invalid",
                    f"{variable} is {settings.strategy}, which the bridge stands in for: it needs "
                    f"{' or '.join(kind.lifecycle.successors)}",
                )
            )
        found = {name: value for name, value in values.items() if value is not None}
        if is_hash(found["password"]) and (wrong := check_hash(found["password"])) is not None:
            variable = variable_named("bridge_password" if settings.bridge_password is not None else "password")
            problems.append(Problem(variable, "invalid", f"{variable} {wrong}"))
        if problems:
            hint = hint_for(settings.profile, problems, has_file=has_file)
            raise ConfigurationError.from_problems(tuple(problems), hint=hint, profile=settings.profile)
        return cls(
            settings=settings,
            client_id=found["client_id"].get_secret_value(),
            client_secret=found["client_secret"],
            username=found["username"],
            password=found["password"],
            company=found["company"].get_secret_value(),
        )

    @property
    def profile(self) -> str | None:
        """The profile, if there are profiles."""
        return self.settings.profile

    @property
    def redirect_uri(self) -> str | None:
        """The client's redirect URI, if it is configured."""
        return self.settings.redirect_uri

    @property
    def key(self) -> str:
        """The key of the login in the store and in its tokens: 20 hexadecimal digits that reveal nothing."""
        return key_for(self.settings.endpoints.host, self.client_id, self.username, self.company)

    def is_of_client(self, client_id: str, client_secret: SecretStr) -> bool:
        """Whether a client belongs to this login, compared in constant time."""
        given, expected = client_secret.get_secret_value(), self.client_secret.get_secret_value()
        same = hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
        return same and client_id == self.client_id


class LeftOut(NamedTuple):
    """A profile that a bridge does not serve.

    Attributes:
        profile: Its name.
        error: What is missing or wrong.
    """

    profile: str
    error: ProcountorAuthError

    @property
    def reason(self) -> str:
        """What is missing or wrong, without the profile's name."""
        return self.error.message.removeprefix(f"Profile {self.profile}: ")


class Logins:
    """All logins of one bridge.

    Args:
        logins: The logins.
        left_out: The profiles that are not served, as something is missing or wrong there.

    Attributes:
        left_out: See above.

    Raises:
        ConfigurationError: Two of them can't be told apart.
    """

    def __init__(self, logins: Iterable[BridgeLogin], left_out: Sequence[LeftOut] = ()) -> None:
        self.left_out: tuple[LeftOut, ...] = tuple(left_out)
        self._by_name: dict[str, BridgeLogin] = {}
        self._by_key: dict[str, BridgeLogin] = {}
        for login in logins:
            other = self._by_name.setdefault(_name(login.client_id, login.username, login.company), login)
            if other is not login:
                raise ConfigurationError(
                    f"The profiles {other.profile} and {login.profile} have the same client, user name and company: a "
                    "login at the bridge could be of either.",
                    hint="Leave one of them out with --profile, or give them different logins "
                    "(PROCOUNTOR_BRIDGE_USERNAME, PROCOUNTOR_BRIDGE_CLIENT_ID).",
                )
            self._by_key[login.key] = login

    @classmethod
    def of_profiles(cls, profiles: Profiles, names: Sequence[str | None], *, chosen: bool = False) -> Logins:
        """Return the logins of profiles. Those that have no password are left out, and so are those that are wrong.

        Args:
            profiles: The profiles, with their variables from all places.
            names: The profiles.
            chosen: Whether they were named one by one: then none is left out.

        Raises:
            ConfigurationError: No profile has a login, or something is missing or wrong in one that was chosen. All
                problems are in one.
        """
        found: list[BridgeLogin] = []
        refused: list[LeftOut] = []
        without: list[str | None] = []
        for name in names:
            try:
                login = BridgeLogin.of(Settings.of_profile(profiles, name), has_file=profiles.file is not None)
            except ProcountorAuthError as error:
                refused.append(LeftOut(name or "", error.with_traceback(None)))
                continue
            if login is None:
                without.append(name)
            else:
                found.append(login)
        if refused and (chosen or not found):
            raise combined([each.error for each in refused])
        if not found or (chosen and without):
            which = ", ".join(str(name) for name in without[:_MAX_NAMED] if name is not None)
            variable = variable_named("bridge_password")
            message = f"{variable} is missing" + (f" (profile {which})" if which else "")
            raise ConfigurationError.from_problems(
                (Problem(variable, "missing", message),),
                hint="Set it to the password that the program logs in with, or to its hash: `procountor-auth bridge "
                "hash` makes one. Without it, PROCOUNTOR_PASSWORD is taken.",
            )
        return cls(found, refused)

    def log_left_out(self) -> None:
        """Write a line in the log for each profile that is left out."""
        for each in self.left_out:
            reason = f"{each.reason} {each.error.hint}".strip()
            _logger.warning("profile %s is left out: %s", printable(each.profile), printable(reason))

    def replace(self, other: Logins) -> None:
        """Take over the logins of another object, for everything that uses this one."""
        self._by_name, self._by_key, self.left_out = other._by_name, other._by_key, other.left_out

    def find(self, client_id: str, username: SecretStr, company: str) -> BridgeLogin | None:
        """Return the login that a program names, or None. The password is not looked at."""
        number = company.lstrip("0") if company.isascii() and company.isdigit() else company
        return self._by_name.get(_name(client_id, username, number))

    def by_key(self, key: str) -> BridgeLogin | None:
        """Return the login with this key, or None."""
        return self._by_key.get(key)

    def has_client(self, client_id: str, client_secret: SecretStr) -> bool:
        """Whether any login is of this client."""
        found = [login.is_of_client(client_id, client_secret) for login in self._by_key.values()]  # all, for the time
        return any(found)

    @property
    def with_hashes(self) -> bool:
        """Whether any password is a hash."""
        return any(is_hash(login.password) for login in self)

    def __iter__(self) -> Iterator[BridgeLogin]:
        return iter(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)


def _name(client_id: str, username: SecretStr, company: str) -> str:
    """Return what a program's login is known by, wherever it goes: a hash, which a traceback may show."""
    return key_for("", client_id, username, company)


def combined(refused: Sequence[ProcountorAuthError], *, what: str = "can't be served") -> ProcountorAuthError:
    """Return one error for all: of profiles that are wrong, the first few are named.

    Args:
        refused: The error of each.
        what: What it means for them.
    """
    first = refused[0].with_traceback(None)
    problems = [problem for error in refused for problem in getattr(error, "problems", ())]
    if len(refused) == 1 or not problems:
        return first
    names = [str(error.profile) for error in refused if error.profile]
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ConfigurationError(
        f"{len(refused)} profiles {what}: {', '.join(names[:_MAX_NAMED])}{more}. {first.message}",
        hint=first.hint,
    )
