"""What a program passes: a mistake is told where it is made, not where the value is first used."""

from __future__ import annotations


def check_argument(name: str, value: object, kind: type, wanted: str, meant: str) -> None:
    """Check the class of an argument.

    Args:
        name: The argument's name, or that of the function.
        value: What was passed. It is not shown, as it may be a secret.
        kind: The class that it must be of.
        wanted: That class in words.
        meant: What to write instead.

    Raises:
        TypeError: It is of another class.
    """
    error = wrong_argument(name, value, kind, wanted, meant)
    if error is not None:
        raise error


def wrong_argument(name: str, value: object, kind: type, wanted: str, meant: str) -> TypeError | None:
    """Return the error of `check_argument`, to be raised where no local holds a secret, or None where all is well.

    Args:
        name: See there.
        value: See there.
        kind: See there.
        wanted: See there.
        meant: See there.
    """
    return None if isinstance(value, kind) else wrong_kind(name, value, wanted, meant)


def wrong_kind(name: str, value: object, wanted: str, meant: str) -> TypeError:
    """Return the error for a value that was found to be of another class.

    Args:
        name: See `check_argument`.
        value: See there.
        wanted: See there.
        meant: See there.
    """
    found = "None" if value is None else type(value).__name__
    return TypeError(f"{name} takes {wanted}, not {found}: {meant}")
