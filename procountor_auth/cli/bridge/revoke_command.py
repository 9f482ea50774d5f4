"""``procountor-auth bridge revoke``: revoke the tokens that programs have from the bridge."""

from __future__ import annotations

import importlib

from procountor_auth.cli.extras import exit_if_extra_is_missing
from procountor_auth.cli.message import print_text
from procountor_auth.cli.options import ProfilesOption, select_profiles
from procountor_auth.cli.output import Json, print_json


def revoke(*, profile: ProfilesOption = None, as_json: Json = False) -> None:
    """Revoke all tokens that the bridge has issued, for example after a password has leaked.

    Running bridges notice within seconds. The service's own tokens are not touched.
    """
    try:
        importlib.import_module("argon2")  # it may be missing
    except ModuleNotFoundError as error:
        exit_if_extra_is_missing(error)
        raise
    from procountor_auth.bridge.credentials import Credentials  # noqa: PLC0415 - not needed for help
    from procountor_auth.bridge.login import Logins  # noqa: PLC0415 - the same
    from procountor_auth.bridge.records import Records  # noqa: PLC0415 - the same
    from procountor_auth.bridge.shared_store import shared_store  # noqa: PLC0415 - the same
    from procountor_auth.settings.profiles import Profiles  # noqa: PLC0415 - the same

    profiles = Profiles.search()
    logins = Logins.of_profiles(profiles, select_profiles(profiles, profile or []), chosen=bool(profile))
    credentials = Credentials(Records(shared_store(logins)))
    revoked = [(login.profile, credentials.revoke(login.key)) for login in logins]
    if as_json:
        from procountor_auth.cli.documents.bridge import RevokeDocument  # noqa: PLC0415 - not needed for text

        rows = [{"profile": name, "revoked": count} for name, count in revoked]
        print_json(RevokeDocument.model_validate({"profiles": rows}))
        return
    for name, count in revoked:
        print_text(f"{name or 'this configuration'}: {count} token{'' if count == 1 else 's'} revoked")
