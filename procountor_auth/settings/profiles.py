"""Profiles: the named configurations of an integration that serves many companies.

A profile is what differs from the common configuration, such as the company's API key. It stands in the environment,
`PROCOUNTOR_PROFILES__ACME__API_KEY=…` (or in the other places of variables), or in the TOML file that
`PROCOUNTOR_PROFILES_FILE` names:

    strategy = "client_credentials"     # common, unless the environment says otherwise

    [profiles.acme]
    api_key = "…"

The profile's own value wins over the common one, and a variable over the file. What belongs to one company, such as the
key, is never taken from the common values: a key that was left there would get another company's token.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from pydantic import SecretStr

from procountor_auth.errors import ConfigurationError, Problem
from procountor_auth.settings.problems import ONE_COMPANYS, hint_for, variable_named
from procountor_auth.settings.profiles_file import PROFILES_FILE, SpeltTwice, folded, names_of, put, read_file
from procountor_auth.settings.variables import PREFIX, from_env_file, from_environment, from_secrets_dir, named_values

if TYPE_CHECKING:
    from collections.abc import Iterator


PROFILE: Final = "PROCOUNTOR_PROFILE"
"""Names the profile to use."""


_VARIABLE: Final = re.compile(r"profiles__(.+?)__(.+)", re.DOTALL)


class Origin(NamedTuple):
    """Where a value comes from, for a person who wants to change it."""

    place: str
    """`the environment`, `the .env file`, `the secrets directory`, or the part of the profiles file."""

    written: str
    """The variable, or the name that it has in the profiles file."""

    shared: bool = False
    """Whether it is the common value, and not one profile's own."""


_PLACES: Final = {
    "the secrets directory": from_secrets_dir,
    "the .env file": from_env_file,
    "the environment": from_environment,
}
"""Where variables are, in the order in which they are read: the last one wins."""

_FILE: Final = "the profiles file"


class Profiles(Mapping[str, Mapping[str, Any]]):
    """What all places said when they were read, ready to become the settings of any profile.

    A mapping from names to what each profile itself says, as the file and the variables have it. Nothing is validated
    before it is used, so ten thousand profiles cost no more than their text.
    """

    def __init__(
        self,
        common: dict[str, Any],
        own: dict[str, dict[str, Any]],
        file: Path | None,
        places: dict[tuple[str | None, str], str],
        names: dict[str, str] | None = None,
    ) -> None:
        self._common = common
        self._own = own
        self._places = places
        self._names = names_of(own) if names is None else names
        self.file = file

    @classmethod
    def read(cls, file: str | None = None) -> Profiles:
        """Read the environment, `.env`, the secrets directory and the TOML file.

        Args:
            file: The TOML file; by default the one that `PROCOUNTOR_PROFILES_FILE` names.

        Raises:
            ConfigurationError: One of them can't be read, or the file is not what it should be.
        """
        common: dict[str, Any] = {}
        found: dict[str, dict[str, Any]] = {}
        places: dict[tuple[str | None, str], str] = {}
        for place, read in _PLACES.items():
            here: dict[tuple[str | None, str], Any] = {}
            for name, value in named_values(read()):
                whose = _VARIABLE.fullmatch(name)
                put(here, (None, name) if whose is None else (folded(whose[1]), whose[2]), value)
            for (profile, name), value in here.items():
                (common if profile is None else found.setdefault(profile, {}))[name] = value
                places[profile, name] = place
        path = file or _text(common, "profiles_file")
        if path is None:
            return cls(common, found, None, places)
        common_of_file, own, names = read_file(path)
        common = {**common_of_file, **common}
        if not found:
            return cls(common, own, Path(path), places, names)
        return cls(common, _merged(own, found, names), Path(path), places)

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        return self._own[self._names[folded(name)]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)

    def spelt(self, name: str) -> str:
        """Return a profile's name as it is spelt where it is defined: case, `-` and `_` make no difference.

        Raises:
            ConfigurationError: There is no such profile.
        """
        found = self._names.get(folded(name))
        if found is None:
            raise self._unknown(name)
        return found

    def values_of(self, profile: str | None) -> dict[str, Any]:
        """Return the values of one profile, or the common ones alone; text is wrapped in `SecretStr`.

        Args:
            profile: Its name; by default the one that `PROCOUNTOR_PROFILE` names.

        Raises:
            ConfigurationError: There is no such profile, or one place has two values under two spellings of one name.
        """
        chosen = profile or _text(self._common, "profile")
        if not chosen:
            return _wrapped(self._common)
        name = self.spelt(chosen)
        inherited = {each: value for each, value in self._common.items() if each not in ONE_COMPANYS}
        return _wrapped({**inherited, **self._own[name], "profile": name}, name)

    def origin(self, profile: str | None, name: str) -> Origin | None:
        """Return where the value of one setting comes from, or None if none is set.

        Args:
            profile: The profile, or None for the common values alone.
            name: The setting's name, in lower case.
        """
        if profile is not None and name in self[profile]:
            place = self._places.get((folded(profile), name))
            return Origin(place, variable_of(profile, name)) if place else Origin(self.table_of(profile), name)
        if name in self._common and not (profile is not None and name in ONE_COMPANYS):
            place = self._places.get((None, name))
            written = variable_of(None, name) if place else name
            return Origin(place or f"the top of {_FILE}", written, shared=True)
        return None

    def table_of(self, profile: str) -> str:
        """Return how the part of the profiles file is called that is one profile's own."""
        return f"[profiles.{self.spelt(profile)}] of {_FILE}"

    def _unknown(self, name: str) -> ConfigurationError:
        near = difflib.get_close_matches(folded(name), self._names, n=1)
        meant = f": did you mean {self._names[near[0]]}?" if near else ""
        message = f"there is no profile {name!r}{meant}"
        return ConfigurationError.from_problems(
            (Problem(PROFILE, "invalid", message),),
            hint=f"Profiles are the tables [profiles.…] of {PROFILES_FILE}, and variables like "
            f"{PREFIX}PROFILES__ACME__API_KEY. There are {len(self)}.",
        )

    def __repr__(self) -> str:
        return f"<Profiles: {len(self)}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Profiles hold secrets and are not pickled: read them in each process.")


def variable_of(profile: str | None, name: str) -> str:
    """Return the environment's variable for a setting: the common one, or one profile's own."""
    return (PREFIX + name if profile is None else f"{PREFIX}PROFILES__{folded(profile)}__{name}").upper()


def _text(values: dict[str, Any], name: str) -> Any:  # noqa: ANN401 - whatever stands there
    _wrapped({name: values[name]} if name in values else {})
    return values.get(name)


def _wrapped(values: dict[str, Any], profile: str | None = None) -> dict[str, Any]:
    """Return the values, text as `SecretStr`.

    Raises:
        ConfigurationError: One of them can't be told.
    """
    twice = [name for name, value in values.items() if isinstance(value, SpeltTwice)]
    if twice:
        values = {}  # a traceback may show the locals
        what = "stands there twice, under two spellings of its name, with different values"
        problems = tuple(Problem(variable_named(name), "invalid", f"{variable_named(name)} {what}") for name in twice)
        raise ConfigurationError.from_problems(problems, hint=hint_for(profile), profile=profile)
    return {name: SecretStr(value) if isinstance(value, str) else value for name, value in values.items()}


def _merged(
    of_file: dict[str, dict[str, Any]], of_variables: dict[str, dict[str, Any]], names: dict[str, str]
) -> dict[str, dict[str, Any]]:
    merged = dict(of_file)  # the file's tables stay as they were read: others may share them
    for name, values in of_variables.items():
        spelt = names.get(name, name)
        merged[spelt] = {**merged.get(spelt, {}), **values}
    return merged
