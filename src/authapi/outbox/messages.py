"""Every message that is sent to people: one class each, with what its text needs."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class VerifyAddress:
    """Signed up, or asked for another one. `token` is for the link, `code` for typing in; `minutes` they last."""

    token: str = field(repr=False)
    code: str = field(repr=False)
    minutes: int
    device: str
    ip: str


@dataclass(frozen=True, slots=True)
class AddressTaken:
    """Somebody signed up with an address that has an account already. To its owner."""

    device: str
    ip: str


@dataclass(frozen=True, slots=True)
class ResetPassword:
    token: str = field(repr=False)
    minutes: int
    device: str
    ip: str


@dataclass(frozen=True, slots=True)
class PasswordChanged:
    """By `change` or `reset`; every other session has been ended."""

    device: str
    ip: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ConfirmAddress:
    """To the new address of an account: `token` and `code` prove it."""

    token: str = field(repr=False)
    code: str = field(repr=False)
    minutes: int


@dataclass(frozen=True, slots=True)
class AddressChanging:
    """To the old address, before the change: `token` stops it. `new` is the new address."""

    new: str
    token: str = field(repr=False)
    device: str
    ip: str


@dataclass(frozen=True, slots=True)
class AddressChanged:
    """To the old address, after the change."""

    new: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NewDevice:
    device: str
    ip: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TokenReused:
    """A refresh token that was no longer current came back; that session has been ended."""

    device: str
    ip: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Leaving:
    """The account will be erased at `at`; signing in before that restores it."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Restored:
    at: datetime


Message: TypeAlias = (
    VerifyAddress
    | AddressTaken
    | ResetPassword
    | PasswordChanged
    | ConfirmAddress
    | AddressChanging
    | AddressChanged
    | NewDevice
    | TokenReused
    | Leaving
    | Restored
)
