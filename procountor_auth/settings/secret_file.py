"""Gets a secret from a file: its content, without trailing line ends."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import SecretStr

from procountor_auth.settings.encoding import WrongEncoding, decoded
from procountor_auth.settings.plain_file import read_bytes
from procountor_auth.settings.unfollowed import Unfollowed

MAX_SIZE: Final = 64 * 1024
"""The largest allowed size, in bytes."""

_HINT: Final = "Write file:/path with the path of a file that this user can read and that contains only the secret."


def read_secret_file(path: SecretStr) -> SecretStr | Unfollowed:
    """Return the content of a file, or the reason why it can't be used."""
    try:
        text = SecretStr(decoded(read_bytes(Path(path.get_secret_value()).expanduser(), MAX_SIZE)).rstrip("\r\n"))
    except FileNotFoundError:
        return Unfollowed("names a file that does not exist", _HINT)
    except WrongEncoding as error:
        return Unfollowed(f"names a file that {error}", "Save it as UTF-8.")
    except OSError as error:
        return Unfollowed(f"names a file that can't be read ({error.strerror})", _HINT)
    except RuntimeError:  # from `expanduser`
        return Unfollowed("names the home directory of a user that does not exist", _HINT)
    except ValueError:  # the path contains NUL
        return Unfollowed("names a file that can't exist", _HINT)
    if not text.get_secret_value():
        return Unfollowed("names a file that is empty", _HINT)
    return text
