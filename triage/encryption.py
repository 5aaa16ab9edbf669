"""Data keys, and what is encrypted with them before the database sees it. No SQL stands here.

What is stored, called a seal: one byte for this form, four bytes that name the key, twelve of a nonce, then the
ciphertext of AES-256-GCM. The place of the value ("patient.name") is authenticated with it, so that a value that was
copied into another column cannot be read there. The newest key writes; all that are set can read.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.exc import SQLAlchemyError

KEY_BYTES = 32
_FORM = b"\x01"
PREFIX_BYTES = 5
"""A seal begins with so many bytes that say how, and with which key, it was made."""
_NONCE_BYTES = 12


class WrongKeys(SQLAlchemyError):
    """Data are encrypted with a key that is not set. The text names the key and says what to do."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = tuple(keys)
        which = f"key {keys[0]}" if len(keys) == 1 else f"keys {', '.join(keys)}"
        super().__init__(f"its data are encrypted with the {which}, which TRIAGE_DATA_KEYS does not hold")


class Altered(SQLAlchemyError):
    """A seal is not what was written in that place: changed, cut off, or copied from elsewhere."""


class Key:
    """One data key, and what is derived from it."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a data key has {KEY_BYTES} bytes")
        self.name = _derived(secret, b"name", 4).hex()
        """Eight hexadecimal digits that tell nothing of the key."""
        self.prefix = _FORM + bytes.fromhex(self.name)
        self.cipher = AESGCM(_derived(secret, b"encryption", 32))
        self._marks = _derived(secret, b"marks", 32)

    def mark(self, place: str, text: str) -> str:
        """Stands for a text that is looked for without being stored: 64 hexadecimal digits."""
        return hmac.new(self._marks, f"{place}\0{text}".encode(), sha256).hexdigest()


class Ring:
    """The data keys of a site, the newest first."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self.keys = tuple(Key(secret) for secret in keys)
        if not self.keys:
            raise ValueError("at least one data key is needed")
        self._ciphers = {key.prefix: key.cipher for key in self.keys}
        self._newest = self.keys[0]

    @property
    def newest(self) -> Key:
        """The key that writes."""
        return self._newest

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(key.name for key in self.keys)

    def seal(self, place: str, value: bytes) -> bytes:
        """The value, encrypted with the newest key for that place."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return self._newest.prefix + nonce + self._newest.cipher.encrypt(nonce, value, place.encode())

    def open(self, place: str, seal: bytes) -> bytes:
        """The value in a seal of that place. Raises WrongKeys, Altered."""
        prefix, body = seal[:PREFIX_BYTES], PREFIX_BYTES + _NONCE_BYTES
        cipher = self._ciphers.get(prefix)
        if cipher is None:
            if len(seal) <= body or seal[:1] != _FORM:
                raise Altered(f"a value of {place} is no seal")
            raise WrongKeys([name_of(seal)])
        try:
            return cipher.decrypt(seal[PREFIX_BYTES:body], seal[body:], place.encode())
        except (InvalidTag, ValueError):
            raise Altered(f"a value of {place} was altered") from None

    def marks(self, place: str, text: str) -> list[str]:
        """All marks that the text can have in that place, that of the newest key first."""
        return [key.mark(place, text) for key in self.keys]


def name_of(seal: bytes) -> str:
    """The name of the key with which a seal was made."""
    return seal[len(_FORM) : PREFIX_BYTES].hex()


def new_key() -> str:
    """A key as it is written into the setting: 43 letters, digits, - and _."""
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).rstrip(b"=").decode()


_ring: Ring | None = None


def use(keys: Sequence[bytes]) -> None:
    """From now on this process encrypts with these keys, the newest first."""
    global _ring
    _ring = Ring(keys)


def ring() -> Ring:
    """The keys of this process."""
    if _ring is None:
        raise RuntimeError("no data keys are set: create_app sets them")
    return _ring


def _derived(secret: bytes, what: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length=length, salt=None, info=b"triage data key: " + what).derive(secret)
