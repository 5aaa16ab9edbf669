"""Passwords: hashed with Argon2, compared in the same time whether a name is known or not, made to be read aloud."""

from __future__ import annotations

import secrets
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()
_at_once = BoundedSemaphore(2)
"""A hash takes 64 MiB on purpose; many sign-ins at once wait instead of filling the memory."""

# No letter or digit that looks or sounds like another; 22 of them, five groups of four: 89 bits, three: 53.
_LETTERS = "abcdefghjkmnpqrtuvwxyz"
_GROUPS = 5


def hash_password(password: str) -> str:
    """The hash to store."""
    with _at_once:
        return _hasher.hash(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password is the one of that hash. None, for an unknown name, takes as long and is never right."""
    with _at_once:
        try:
            _hasher.verify(password_hash or _nobody(), password)
        except (VerificationError, InvalidHashError):
            return False
    return password_hash is not None


def code(groups: int = _GROUPS) -> str:
    """A new code such as "qtrf-mpzw-hbka-cvne-jxud": easily read from a sheet and typed on a phone."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(groups))


@cache
def _nobody() -> str:
    return _hasher.hash(secrets.token_urlsafe(16))
