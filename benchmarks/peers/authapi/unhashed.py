"""The service with its calls into Argon2 replaced by one SHA-256; what surrounds them stays: threads, queue, checks.

The classes of argon2-cffi are changed, never ours. So "without the hash" still pays the way to the hashing thread
and back, and reads and writes strings as long as the real ones.
"""

import base64
import hashlib
import hmac

import argon2
from argon2.exceptions import VerifyMismatchError

from authapi.cli import main

SALT = base64.b64encode(bytes(16)).decode().rstrip("=")


def plain(self: argon2.PasswordHasher, password: str | bytes, *, salt: bytes | None = None) -> str:
    digest = hashlib.sha256(password if isinstance(password, bytes) else password.encode()).digest()
    costs = f"m={self.memory_cost},t={self.time_cost},p={self.parallelism}"
    return f"$argon2id$v=19${costs}${SALT}${base64.b64encode(digest).decode().rstrip('=')}"


def compare(self: argon2.PasswordHasher, hash: str | bytes, password: str | bytes) -> bool:
    if not hmac.compare_digest(plain(self, password), hash if isinstance(hash, str) else hash.decode()):
        raise VerifyMismatchError
    return True


argon2.PasswordHasher.hash = plain  # type: ignore[method-assign]
argon2.PasswordHasher.verify = compare  # type: ignore[method-assign,assignment]

if __name__ == "__main__":
    main()
