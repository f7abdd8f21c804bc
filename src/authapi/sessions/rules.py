"""What a device may be called."""

import unicodedata

from authapi.users.rules import LINK, is_unprintable

LONGEST_LABEL = 60
SIZE_OF_LABEL = f"The name of a device has 1 to {LONGEST_LABEL} characters."
UNPRINTABLE_LABEL = "The name of a device cannot have line breaks, invisible characters, < or > or a link."


def device_label(text: str) -> str:
    """Trimmed and NFC. Raises ValueError with a message for people."""
    if len(text) > 4 * LONGEST_LABEL:
        raise ValueError(SIZE_OF_LABEL)
    label = unicodedata.normalize("NFC", text.strip())
    if not 1 <= len(label) <= LONGEST_LABEL:
        raise ValueError(SIZE_OF_LABEL)
    if any(map(is_unprintable, label)) or LINK.search(unicodedata.normalize("NFKC", label)):
        raise ValueError(UNPRINTABLE_LABEL)
    return label
