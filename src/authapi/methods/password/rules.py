"""What makes a password acceptable: long enough, not common, not personal, not easily guessed."""

import re
import string
import unicodedata
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from zxcvbn_rs_py import zxcvbn

from authapi.core.hashing import LONGEST_NORMALISED, normalised, size

LONGEST = 1024
"""Bytes of UTF-8, after NFC."""

LEAST_SCORE = 2
"""zxcvbn's "somewhat guessable", more than 10^6 guesses: enough where guesses are counted and slowed, as ours are."""

MEASURED = 24
"""Characters that zxcvbn is shown. It holds the GIL; 100 chosen ones cost it 0.4 s, these 25 ms at worst."""

AFFIX = 6
"""Digits and marks around a common password that do not make it another one: `Password123!`."""

SMALLEST_PIECE = 3
"""Bytes of UTF-8. Shorter parts of a name occur in everything; one Chinese character is long enough."""

LEAST_REST = 8
"""What must stand beside the person's own words: a letter weighs 2, a digit 1, anything else nothing."""

APP_NAME = "authapi"

EDGES = string.digits + string.punctuation + " "
NOT_WORDS = re.compile(r"[\W_]+")
LOOKALIKES = str.maketrans("4@3€1!|l05$7+8", "aaeeiiiiossttb")

Code = Literal["too_short", "too_long", "common", "personal", "guessable"]


@dataclass(frozen=True, slots=True)
class Weakness:
    """`code` never changes; `message` is for people and has nothing of the password in it."""

    code: Code
    message: str


TOO_LONG = Weakness("too_long", f"Use a shorter password: at most {LONGEST} bytes.")
COMMON = Weakness("common", "This password is on lists of common ones, which attackers try first. Choose another one.")
PERSONAL = Weakness(
    "personal",
    "This password is little more than your name, your e-mail address or the name of this service. Use other words.",
)


def weakness(password: str, *, minimum: int, personal: Sequence[str], common: Container[str]) -> Weakness | None:
    """Why a password is refused, or None (OWASP ASVS 6.2.1, 6.2.4, 6.2.5, 6.2.9, 6.2.11).

    `minimum` is in bytes of UTF-8, after NFC. `personal` has names and addresses as people write them. `common` is
    case-folded. Any composition is accepted. Takes 0.1 to 1 ms, 10 ms the first time, 30 ms for one made to be slow.
    """
    if len(password) > LONGEST_NORMALISED:
        return TOO_LONG
    password = normalised(password)
    length = size(password)
    if length < minimum:
        return Weakness("too_short", f"Use at least {minimum} characters. A few unrelated words make a good password.")
    if length > LONGEST:
        return TOO_LONG
    if is_common(password, common):
        return COMMON
    if is_personal(password, personal):
        return PERSONAL
    return _guessable(password, personal)


def is_common(password: str, common: Container[str]) -> bool:
    """On the list, in whatever case, or with a few digits and marks around it."""
    folded = password.casefold()
    core = folded.strip(EDGES)
    return folded in common or (len(folded) - len(core) <= AFFIX and core in common)


def is_personal(password: str, personal: Sequence[str]) -> bool:
    """Whether hardly anything is left without the person's own words: in any case, backwards, or as `4d4`.

    Looked at with and without the marks that may stand for letters: `@da` is a name, and so is `ada!lovelace`.
    """
    folded = _folded(password)
    pieces = _pieces(personal)
    return any(
        _weight_without(pieces, "".join(character for character in folded if is_kept(character))) < LEAST_REST
        for is_kept in (str.isalnum, _may_be_letter)
    )


def _pieces(personal: Sequence[str]) -> set[str]:
    """The words of each text; each text, each side of an address and all names together as one word. Also backwards."""
    names = [text for text in personal if "@" not in text]
    texts = (*personal, "".join(names), "".join(reversed(names)), APP_NAME)
    wholes = {_folded(part) for text in texts for part in (text, *text.split("@")) if part}
    words = {word for whole in wholes for word in (NOT_WORDS.sub("", whole), *NOT_WORDS.split(whole))}
    shapes = {_shape(word) for word in words if size(word) >= SMALLEST_PIECE}
    return shapes | {shape[::-1] for shape in shapes}


def _weight_without(pieces: set[str], characters: str) -> int:
    shape = _shape(characters)
    covered = bytearray(len(shape))
    for piece in pieces:
        for start in _occurrences(piece, shape):
            covered[start : start + len(piece)] = b"x" * len(piece)
    if not any(covered):
        return LEAST_REST
    return sum(_weight(character) for character, is_covered in zip(characters, covered, strict=True) if not is_covered)


def _occurrences(piece: str, text: str) -> Iterator[int]:
    start = text.find(piece)
    while start >= 0:
        yield start
        start = text.find(piece, start + 1)


def _weight(character: str) -> int:
    return 1 if character.isdigit() else 2 if character.isalnum() else 0


def _folded(text: str) -> str:
    """Without case, accents and width: `José` and `JOSE` are one name."""
    if text.isascii():
        return text.casefold()
    plain = unicodedata.normalize("NFKD", text)
    return "".join(character for character in plain if not unicodedata.combining(character)).casefold()


def _shape(text: str) -> str:
    """One character for all that are written for one another."""
    return text.translate(LOOKALIKES)


def _may_be_letter(character: str) -> bool:
    return character.isalnum() or ord(character) in LOOKALIKES


def _guessable(password: str, personal: Sequence[str]) -> Weakness | None:
    """Judged by its beginning: the whole is no easier to guess. So what begins with a long row of `a` is refused."""
    known = sorted({word for text in (*personal, APP_NAME) for word in NOT_WORDS.split(text) if word})
    result = zxcvbn(password[:MEASURED].encode("utf-8", "replace").decode(), known)
    if int(result.score) >= LEAST_SCORE:  # an enum in truth, whatever the package's stub says
        return None
    warning = result.feedback.warning if result.feedback else None
    reason = str(warning) if warning else "This password is easy to guess."
    return Weakness("guessable", f"{reason} Add another word or two, with nothing in common.")
