"""Revokes what a bridge has issued: for that, a profile needs no login that could be served, only its record's key."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from procountor_auth.errors import ConfigurationError, Problem, ProcountorAuthError, StoreError, UnreadableEntry
from procountor_auth.settings.problems import hint_for, variable_named
from procountor_auth.settings.settings import Settings
from procountor_auth.tokens.backends import Backends

from .credentials import Credentials
from .login import LeftOut, combined
from .login_key import IN_KEY, key_of, value_of
from .records import Records
from .shared_store import named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from procountor_auth.settings.profiles import Profiles


class Revocation(NamedTuple):
    """What was revoked.

    Attributes:
        revoked: How many tokens each profile's programs had; the name is None if there are no profiles.
        failed: The profiles whose tokens could not be revoked.
    """

    revoked: list[tuple[str | None, int]]
    failed: list[LeftOut]

    @classmethod
    def of_profiles(cls, profiles: Profiles, names: Sequence[str | None], *, chosen: bool = False) -> Self:
        """Revoke the codes and tokens of profiles.

        Those that have neither a complete login nor a password are left out, as no bridge serves them.

        Args:
            profiles: The profiles, with their variables from all places.
            names: The profiles.
            chosen: Whether they were named one by one: then none is left out.

        Raises:
            ConfigurationError: The login of no profile is known. All problems are in one.
            StoreError: Nothing was revoked, as a store can't be used.
        """
        known: list[tuple[Settings, str]] = []
        failed: list[LeftOut] = []
        without: list[LeftOut] = []
        for name in names:
            try:
                settings = Settings.of_profile(profiles, name)
                key = key_of(settings)
            except ProcountorAuthError as error:
                failed.append(LeftOut(name or "", error.with_traceback(None)))
                continue
            if key is not None:
                known.append((settings, key))
            else:
                is_served = chosen or _has_password(settings)
                (failed if is_served else without).append(
                    LeftOut(name or "", _incomplete(settings, has_file=profiles.file is not None))
                )
        if not known:
            raise combined([each.error for each in failed or without], what="have no known login at a bridge")
        stores = _Stores()
        revoked: list[tuple[str | None, int]] = []
        for settings, key in known:
            try:
                revoked.append((settings.profile, stores.revoke(settings, key)))
            except (ConfigurationError, StoreError) as error:
                failed.append(LeftOut(settings.profile or "", error.with_traceback(None)))
        if not revoked:
            for each in failed:
                if isinstance(each.error, StoreError):
                    raise each.error
            raise combined([each.error for each in failed], what="have no store that can be used")
        return cls(revoked, failed)


class _Stores:
    """The stores of the profiles. Each is opened once, and one that has failed is asked no more: it takes its time."""

    def __init__(self) -> None:
        self._opened: dict[tuple[str, ...], Credentials] = {}
        self._failures: dict[tuple[str, ...], StoreError] = {}

    def revoke(self, settings: Settings, key: str) -> int:
        """Revoke what a login has in the store of its profile. Return how many tokens that were.

        Raises:
            ConfigurationError: The store can't be opened.
            StoreError: The store can't be used, or a secret is in a keychain that can't be used.
        """
        store = named(settings)
        if store in self._failures:
            raise self._failures[store]
        try:
            if store not in self._opened:
                self._opened[store] = Credentials(Records(Backends(settings.followed()).store))
            return self._opened[store].revoke(key)
        except UnreadableEntry:  # others can be read
            raise
        except StoreError as error:
            self._failures[store] = error
            raise


def _has_password(settings: Settings) -> bool:
    return settings.bridge_password is not None or settings.password is not None


def _incomplete(settings: Settings, *, has_file: bool) -> ConfigurationError:
    problems = tuple(
        Problem(variable_named(name), "missing", f"{variable_named(name)} is missing (a login at the bridge has it)")
        for name in IN_KEY
        if value_of(settings, name) is None
    )
    hint = hint_for(settings.profile, problems, has_file=has_file)
    return ConfigurationError.from_problems(problems, hint=hint, profile=settings.profile)
