"""``procountor-auth bridge revoke``: revoke the tokens that programs have from the bridge."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import typer

from procountor_auth.cli.exit_status import FAILED
from procountor_auth.cli.extras import exit_if_extra_is_missing
from procountor_auth.cli.message import print_text, say
from procountor_auth.cli.options import ProfilesOption, select_profiles
from procountor_auth.cli.output import Json, print_json

if TYPE_CHECKING:
    from procountor_auth.bridge.revocation import Revocation


def revoke(*, profile: ProfilesOption = None, as_json: Json = False) -> None:
    """Revoke all tokens that the bridge has issued, for example after a password has leaked.

    Running bridges notice within seconds. The service's own tokens are not touched. No password has to be configured.
    If a profile's tokens can't be revoked, the command says why, and its exit status is 1.
    """
    try:
        importlib.import_module("argon2")  # it may be missing
    except ModuleNotFoundError as error:
        exit_if_extra_is_missing(error)
        raise
    from procountor_auth.bridge.revocation import Revocation  # noqa: PLC0415 - not needed for help
    from procountor_auth.settings.profiles import Profiles  # noqa: PLC0415 - the same

    profiles = Profiles.search()
    done = Revocation.of_profiles(profiles, select_profiles(profiles, profile or []), chosen=bool(profile))
    if as_json:
        _print_document(done)
    else:
        for name, count in done.revoked:
            print_text(f"{name or 'this configuration'}: {count} token{'' if count == 1 else 's'} revoked")
        for each in done.failed:
            say(f"{each.profile}: not revoked: {each.reason}\n{each.error.hint}".rstrip())
    if done.failed:
        raise typer.Exit(FAILED)


def _print_document(done: Revocation) -> None:
    from procountor_auth.cli.documents.bridge import NotRevokedLogin, RevokedLogin, RevokeDocument  # noqa: PLC0415 - not needed for text

    revoked = [RevokedLogin(profile=name, revoked=count) for name, count in done.revoked]
    failed = [
        NotRevokedLogin(profile=each.profile, code=each.error.code, message=each.reason, hint=each.error.hint)
        for each in done.failed
    ]
    print_json(RevokeDocument(profiles=revoked, failed=failed))
