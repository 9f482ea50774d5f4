"""Profiles: the named configurations of an integration that serves many companies.

A profile contains what differs from the common configuration, such as the company's API key. It is defined by variables
such as `PROCOUNTOR_PROFILES__ACME__API_KEY=…`, or in the TOML file that `PROCOUNTOR_PROFILES_FILE` names:

    strategy = "client_credentials"     # common, unless the environment says otherwise

    [profiles.acme]
    api_key = "…"

A profile's own value takes precedence over the common one, and a variable over the file. Settings of one company, such
as the key, are never taken from the common values: a key that was left there would get another company's token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from pydantic import SecretStr

from procountor_auth.errors import ConfigurationError, Problem, UnknownProfile, printable
from procountor_auth.settings.env_file import from_env_file
from procountor_auth.settings.nearest_name import nearest_name
from procountor_auth.settings.problems import ONE_COMPANYS, hint_for, variable_named
from procountor_auth.settings.profiles_file import (
    PROFILES_FILE,
    SpeltTwice,
    default_file,
    existing_default_file,
    folded,
    names_of,
    put,
    read_file,
)
from procountor_auth.settings.secrets_directory import from_secrets_dir
from procountor_auth.settings.variables import PREFIX, from_environment, misspelt_values, named_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


PROFILE: Final = "PROCOUNTOR_PROFILE"
"""The variable that names the profile to use."""


_VARIABLE: Final = r"(?s)profiles__(.+?)__(.+)"


class Origin(NamedTuple):
    """Where a value comes from, for users who want to change it."""

    place: str
    """`the environment`, `the .env file`, `the secrets directory`, or the part of the profiles file."""

    written: str
    """The variable as it is spelt there, or the key in the profiles file."""

    shared: bool = False
    """Whether it is a common value, not a profile's own."""

    also: tuple[str, ...] = ()
    """The variable's other spellings there, which have the same value."""

    @property
    def spellings(self) -> tuple[str, ...]:
        """All its spellings there."""
        return (self.written, *self.also)


ENVIRONMENT: Final = "the environment"
DOTENV: Final = "the .env file"

_PLACES: Final = {
    "the secrets directory": from_secrets_dir,
    DOTENV: from_env_file,
    ENVIRONMENT: from_environment,
}
"""The places of variables, in reading order: the last one takes precedence."""

_FILE: Final = "the profiles file"

TOP_OF_FILE: Final = f"the top of {_FILE}"
"""Where the file's common values are."""


class Profiles(Mapping[str, Mapping[str, Any]]):
    """The profiles and the common values, as they were read.

    A mapping from a profile's name to its own values, as in the file and the variables. Values are only validated when
    they are used, so ten thousand profiles cost no more than their text.

    Attributes:
        file: The profiles file, if there is one.
        looked: Descriptions of the places that were searched, in order of precedence.
        skipped: Descriptions of those among them that can't be read and were ignored.

    Args:
        common: The values that all profiles share, by the settings' names.
        own: The values of each profile, by the profiles' names.
        file: The profiles file, if there is one.
        places: Where each variable's value comes from, by folded profile (None for common values) and setting.
        names: The original name of each profile, by its folded name; by default the names in `own`.
        looked: Descriptions of the places that were searched, in order of precedence.
        skipped: Descriptions of those among them that can't be read and were ignored.
    """

    def __init__(
        self,
        common: dict[str, Any],
        own: dict[str, dict[str, Any]],
        file: Path | None,
        places: dict[tuple[str | None, str], Origin],
        *,
        names: dict[str, str] | None = None,
        looked: Iterable[str] = (),
        skipped: Iterable[str] = (),
    ) -> None:
        self._common = common
        self._own = own
        self._places = places
        self._names = names_of(own) if names is None else names
        self.file = file
        self.looked: tuple[str, ...] = tuple(looked)
        self.skipped: tuple[str, ...] = tuple(skipped)

    @classmethod
    def read(cls, file: str | None = None) -> Profiles:
        """Read the profiles from the environment, `.env`, the secrets directory and the TOML file.

        Args:
            file: The TOML file; by default the one that `PROCOUNTOR_PROFILES_FILE` names, or the one in its standard
                place.

        Raises:
            ConfigurationError: There are no profiles, one of the places can't be read, or the file is malformed.
        """
        profiles = cls.search(file)
        if not profiles:
            raise ConfigurationError.from_problems(
                (Problem(PROFILES_FILE, "missing", f"there are no profiles in {', '.join(profiles.looked)}"),),
                hint=f"Profiles are the tables [profiles.…] of {PROFILES_FILE}, and variables like "
                f"{PREFIX}PROFILES__ACME__API_KEY. The default of {PROFILES_FILE} is {default_file()}.",
            )
        return profiles

    @classmethod
    def search(cls, file: str | None = None) -> Profiles:
        """Do what `read` does, but accept that there are no profiles.

        Args:
            file: See `read`.

        Raises:
            ConfigurationError: One of the places can't be read, or the file is malformed.
        """
        common: dict[str, Any] = {}
        found: dict[str, dict[str, Any]] = {}
        places: dict[tuple[str | None, str], Origin] = {}
        looked: list[str] = []
        skipped: list[str] = []
        for place, read in _PLACES.items():
            here: dict[tuple[str | None, str], Any] = {}
            spelt: dict[tuple[str | None, str], list[str]] = {}
            found_here = read()
            looked.insert(0, found_here.looked)
            skipped += found_here.skipped
            for variable, name, value in named_values(found_here.values):
                whose = re.fullmatch(_VARIABLE, name)
                key = (None, name) if whose is None else (folded(whose[1]), whose[2])
                put(here, key, value)
                spelt.setdefault(key, []).append(variable)
            common |= misspelt_values(found_here.values)
            for (profile, name), value in here.items():
                (common if profile is None else found.setdefault(profile, {}))[name] = value
                first, *others = spelt[profile, name]
                places[profile, name] = Origin(place, first, profile is None, tuple(others))
        path = file or _text(common, "profiles_file", has_file=False)
        if not path:
            no_file: list[str] = []
            path = existing_default_file(no_file)
            looked += no_file
            skipped += no_file
        if path is None:
            return cls(common, found, None, places, looked=looked, skipped=skipped)
        common_of_file, own, names = read_file(path)
        looked.append(f"{_FILE} ({printable(str(path))})")
        common = {**common_of_file, **common}
        if not found:
            return cls(common, own, Path(path), places, names=names, looked=looked, skipped=skipped)
        return cls(common, _merged(own, found, names), Path(path), places, looked=looked, skipped=skipped)

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        try:
            return self._own[self._names[folded(name)]]
        except AttributeError:  # it is no text
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)

    def spelt(self, name: str) -> str:
        """Return a profile's name as its definition spells it. Case and the difference of `-` and `_` are ignored.

        Args:
            name: The name, in any spelling.

        Raises:
            ConfigurationError: There is no such profile.
        """
        found = self._names.get(folded(name))
        if found is None:
            raise self._unknown(name)
        return found

    def chosen(self, profile: str | None = None) -> str | None:
        """Return the profile to use, as its definition spells it, or None if none is selected.

        Args:
            profile: Its name; by default the one that `PROCOUNTOR_PROFILE` names.

        Raises:
            ConfigurationError: There is no such profile, or `PROCOUNTOR_PROFILE` has two values in one place.
        """
        if profile is not None:
            return self.spelt(profile)
        wanted = _text(self._common, "profile", has_file=self.file is not None)
        return self.spelt(wanted) if wanted else None

    def values_of(self, profile: str | None) -> dict[str, Any]:
        """Return the values of a profile, or the common ones if none is selected; text is wrapped in `SecretStr`.

        Args:
            profile: Its name; by default the one that `PROCOUNTOR_PROFILE` names.

        Raises:
            ConfigurationError: There is no such profile, or one place has two values under two spellings of one name.
        """
        name = self.chosen(profile)
        has_file = self.file is not None
        if name is None:
            return _wrapped(self._common, has_file=has_file)
        inherited = {each: value for each, value in self._common.items() if each not in ONE_COMPANYS}
        return _wrapped({**inherited, **self._own[name], "profile": name}, name, has_file=has_file)

    def origin(self, profile: str | None, name: str) -> Origin | None:
        """Return where the value of a setting comes from, or None if it is not set.

        Args:
            profile: The profile, or None for the common values.
            name: The setting's name, in lower case.
        """
        if profile is not None and name in self[profile]:
            return self._places.get((folded(profile), name)) or Origin(self.table_of(profile), name)
        if name in self._common and not (profile is not None and name in ONE_COMPANYS):
            return self._places.get((None, name)) or Origin(TOP_OF_FILE, name, shared=True)
        return None

    def own_variable(self, profile: str | None, name: str) -> Origin | None:
        """Return where the variable of a setting is set, which is the profile's own if there is one.

        Args:
            profile: The profile, or None for the common values.
            name: The setting's name, in lower case.

        Returns:
            The place and the spelling; None if it is not set, or in the profiles file only.
        """
        return self._places.get((None if profile is None else folded(profile), name))

    def spelling_of(self, profile: str | None, name: str) -> str:
        """Return the variable of a setting as it is spelt where it is set, so that a second line replaces the first.

        Args:
            profile: The profile, or None for the common values.
            name: The setting's name, in lower case.
        """
        own = self.own_variable(profile, name)
        return variable_of(profile, name) if own is None else own.written

    def table_of(self, profile: str) -> str:
        """Return the name of a profile's table in the profiles file.

        Args:
            profile: The profile's name.
        """
        return f"[profiles.{self.spelt(profile)}] of {_FILE}"

    def _unknown(self, name: str) -> UnknownProfile:
        near = nearest_name(folded(name), self._names)
        meant = f": did you mean {self._names[near]}?" if near else ""
        message = f"there is no profile {name!r}{meant}"
        return UnknownProfile.from_problems(
            (Problem(PROFILE, "invalid", message),),
            hint=f"Profiles are the tables [profiles.…] of {PROFILES_FILE}, and variables like "
            f"{PREFIX}PROFILES__ACME__API_KEY. There are {len(self)}.",
        )

    def __repr__(self) -> str:
        if not hasattr(self, "looked"):  # in a traceback with locals, of values that are wrong
            return "<Profiles>"
        return f"<Profiles: {len(self)}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Profiles hold secrets and are not pickled: read them in each process.")


def variable_of(profile: str | None, name: str) -> str:
    """Return the environment variable of a setting: the common one, or a profile's own."""
    return (PREFIX + name if profile is None else f"{PREFIX}PROFILES__{folded(profile)}__{name}").upper()


def _text(values: dict[str, Any], name: str, *, has_file: bool) -> Any:  # noqa: ANN401 - any value
    _wrapped({name: values[name]} if name in values else {}, has_file=has_file)
    return values.get(name)


def _wrapped(values: dict[str, Any], profile: str | None = None, *, has_file: bool) -> dict[str, Any]:
    """Return the values, text as `SecretStr`.

    Args:
        values: The values, by the settings' names.
        profile: The profile that has them, if there is one.
        has_file: Whether there is a profiles file, for the error.

    Raises:
        ConfigurationError: A setting has two different values.
    """
    twice = [name for name, value in values.items() if isinstance(value, SpeltTwice)]
    if twice:
        values = {}  # a traceback may show the locals
        what = "is set twice, under two spellings of its name, with different values"
        problems = tuple(Problem(variable_named(name), "invalid", f"{variable_named(name)} {what}") for name in twice)
        hint = hint_for(profile, problems, has_file=has_file)
        raise ConfigurationError.from_problems(problems, hint=hint, profile=profile)
    return {name: SecretStr(value) if isinstance(value, str) else value for name, value in values.items()}


def _merged(
    of_file: dict[str, dict[str, Any]], of_variables: dict[str, dict[str, Any]], names: dict[str, str]
) -> dict[str, dict[str, Any]]:
    merged = dict(of_file)  # the file's tables are not changed: they may be shared
    for name, values in of_variables.items():
        spelt = names.get(name, name)
        merged[spelt] = {**merged.get(spelt, {}), **values}
    return merged
