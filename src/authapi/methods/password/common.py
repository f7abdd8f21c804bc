"""The list of common passwords that is shipped with the service (OWASP ASVS 6.2.4)."""

from functools import cache
from importlib.resources import files

REMARK = "#!"


@cache
def passwords() -> frozenset[str]:
    """Case-folded, each of at least 8 bytes. The first call reads a file of 115 kB: some 3 ms, 1.2 MB kept."""
    text = (files("authapi.methods.password") / "common.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith(REMARK))
