"""Every setting the service reads, in one place. Lifetimes and waits are whole seconds, sizes are bytes."""

import re
from email.utils import parseaddr
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Network: TypeAlias = IPv4Network | IPv6Network
Names: TypeAlias = Annotated[tuple[str, ...], NoDecode]
Networks: TypeAlias = Annotated[tuple[Network, ...], NoDecode]

DAY = 24 * 60 * 60
SMALLEST_SECRET = 32
LONGEST_ACCESS_TOKEN = 3600

ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?")
USUAL_PORTS = {"http": ":80", "https": ":443"}


class Misconfigured(Exception):
    """The settings cannot be used. The message is a readable list of what is wrong, without the values."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="AUTHAPI_", frozen=True, hide_input_in_errors=True)

    env: Literal["development", "production"] = Field(
        "production", description="`development` allows plain HTTP on localhost and shows the documentation pages."
    )
    database_url: str = Field(
        description="Postgres, as `postgresql://user:password@host:5432/name`; of several hosts the one with writes.",
        examples=["postgresql://authapi@db/authapi"],
    )
    redis_url: str = Field(
        description="Redis or Valkey, as `redis://host:6379/0`, `redis+sentinel://h1,h2/name` or `redis+cluster://h1,h2`."
    )
    secret: SecretStr = Field(
        description="The root secret: at least 32 random characters, the same on every instance. "
        "Every other key is derived from it or sealed with it."
    )
    earlier_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        description="Further root secrets that are accepted, separated by commas: how `AUTHAPI_SECRET` is rotated.",
    )

    host: str = Field("127.0.0.1", description="The address that `authapi serve` listens on.")
    port: int = Field(8000, ge=0, le=65535, description="The port that `authapi serve` listens on.")
    public_url: str = Field(
        "http://127.0.0.1:8000", description="Where clients reach the service, without a slash at the end."
    )
    allowed_origins: Names = Field(
        (), description="Origins of the front ends that may call from a browser (CORS), separated by commas."
    )
    trusted_proxies: Networks = Field(
        (),
        description="Networks (CIDR) whose `X-Forwarded-For` and `-Proto` are believed, separated by commas.",
    )
    operator_networks: Networks = Field(
        tuple(
            ip_network(n)
            for n in ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
        ),
        description="Networks (CIDR) that may read `/metrics` and the details of `/health/ready`.",
    )
    docs: bool | None = Field(
        None, description="Serve `/docs`, `/redoc` and `/openapi.json`. Unset: only in development."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least level that is logged."
    )
    telemetry: bool = Field(False, description="Send OpenTelemetry traces (needs the extra `otel`).")

    smtp_url: SecretStr | None = Field(
        None,
        description="Where mail goes: `smtp://user:password@host:587` (STARTTLS) or `smtps://…:465`. "
        "Unset, in development only: to the inbox at `/dev/inbox`.",
    )
    mail_from: str | None = Field(
        None,
        description="The sender of mail, as `Name <address>` or an address.",
        examples=["Example <hello@example.com>"],
    )
    mail_templates: str | None = Field(
        None, description="A folder of templates for mail that replace or add to the built-in ones, file by file."
    )
    link_url: str | None = Field(
        None,
        description="Where the pages are that links in mail lead to (`/verify`, `/reset`, …). "
        "Unset: `AUTHAPI_PUBLIC_URL`, where the service has plain ones of its own.",
    )

    issuer: str | None = Field(None, description="`iss` of access tokens. Unset: `AUTHAPI_PUBLIC_URL`.")
    audience: str = Field("authapi", min_length=1, description="`aud` of access tokens.")
    client_id: str = Field("authapi", min_length=1, description="`client_id` of access tokens (RFC 9068).")
    signing_algorithm: Literal["ES256", "EdDSA", "RS256"] = Field("ES256", description="How access tokens are signed.")
    signing_key_lifetime: int = Field(
        30 * DAY, ge=3600, description="Seconds after which the worker moves on to the next signing key."
    )
    access_token_lifetime: int = Field(
        900, ge=60, le=LONGEST_ACCESS_TOKEN, description="Seconds an access token is valid."
    )
    refresh_reuse_window: float = Field(
        10,
        ge=0,
        le=60,
        description="Seconds in which the parent of the current refresh token gets the same successor again. "
        "0: strict single use.",
    )
    session_idle_lifetime: int = Field(
        7 * DAY, ge=60, description="Seconds without a refresh after which a session expires."
    )
    session_short_idle_lifetime: int = Field(
        DAY, ge=60, description="The same for sessions started with `remember_me: false`."
    )
    session_absolute_lifetime: int | None = Field(
        None, ge=60, description="Seconds after sign-in at which a session expires, used or not. Unset: never."
    )
    sessions_per_user: int = Field(
        50, ge=1, le=500, description="Live sessions a person may have; a further one ends the oldest."
    )
    tombstone_lifetime: int = Field(
        30 * DAY, ge=DAY, description="Seconds an ended session is kept, so that its end can be explained."
    )

    email_verification: Literal["off", "optional", "required"] = Field(
        "optional",
        description="Whether people must prove their address. `required`: before they can sign in, and a sign-up does "
        "not tell whether the address is taken. `optional`: they are asked to. `off`: they are not.",
    )
    erase_after: int = Field(
        14 * DAY,
        ge=0,
        description="Seconds in which somebody who deleted their account can come back by signing in. After that, and "
        "an hour after their last session, they are erased.",
    )
    unverified_lifetime: int = Field(
        30 * DAY,
        ge=DAY,
        description="Seconds after which an account is deleted whose address was never proved. Only where "
        "`AUTHAPI_EMAIL_VERIFICATION` is `required`.",
    )

    audit_lifetime: int = Field(365 * DAY, ge=30 * DAY, description="Seconds after which audit events are deleted.")
    audit_client_lifetime: int = Field(
        90 * DAY, ge=7 * DAY, description="Seconds after which address and user agent are taken off audit events."
    )

    password_min_length: int = Field(
        8, ge=8, le=64, description="The fewest bytes a password may have, as UTF-8 (NFC)."
    )
    argon2_memory: int = Field(19456, ge=8192, description="Memory of one Argon2id hash, in KiB.")
    argon2_time: int = Field(2, ge=1, le=20, description="Passes of Argon2id.")
    argon2_lanes: int = Field(1, ge=1, le=16, description="Parallelism of Argon2id.")
    hash_threads: int | None = Field(None, ge=1, le=64, description="Threads that hash passwords. Unset: one a core.")

    sign_in_free_failures: int = Field(
        5,
        ge=1,
        le=100,
        description="Failed sign-ins of one account, or of one known device, before each further one makes the next "
        "wait: 1, 2, 4 … 900 seconds. Forgotten within a day.",
    )
    sign_in_free_failures_per_address: int = Field(
        50,
        ge=1,
        le=10_000,
        description="The same for one address (IPv6: one /64), whatever the accounts. More, because the people of an "
        "office share an address and each of them mistypes.",
    )

    limits_scale: float = Field(1, gt=0, description="Every rate limit is multiplied by this.")
    limits: dict[str, str] = Field(
        {},
        description='Other rates for limits by name (limits.md), as in `{"password.login.address": "600/15 minutes"}`.',
        examples=['{"password.login.address": "600/15 minutes"}'],
    )

    database_pool: int = Field(20, ge=2, le=500, description="The most connections to Postgres that a process opens.")
    prepared_statements: bool = Field(True, description="Off for PgBouncer in transaction mode.")

    @field_validator("earlier_secrets", "allowed_origins", "trusted_proxies", "operator_networks", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _driver(cls, value: str) -> str:
        scheme, separator, rest = value.partition("://")
        if not separator or scheme not in ("postgres", "postgresql", "postgresql+asyncpg"):
            raise ValueError("must start with postgresql://")
        return f"postgresql+asyncpg://{rest}"

    @field_validator("secret", "earlier_secrets")
    @classmethod
    def _long(cls, value: SecretStr | tuple[SecretStr, ...]) -> SecretStr | tuple[SecretStr, ...]:
        secrets = value if isinstance(value, tuple) else (value,)
        if any(len(secret.get_secret_value()) < SMALLEST_SECRET for secret in secrets):
            raise ValueError(
                f"must have at least {SMALLEST_SECRET} characters; `openssl rand -base64 48` makes a good one"
            )
        return value

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, value: SecretStr | None) -> SecretStr | None:
        parts = urlsplit(value.get_secret_value() if value else "smtp://unset")
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("must be smtp://user:password@host:587 or smtps://user:password@host:465")
        return value

    @field_validator("mail_from")
    @classmethod
    def _sender(cls, value: str | None) -> str | None:
        local, _, domain = parseaddr(value or "a@b")[1].rpartition("@")
        if not local or not domain or not (value or "").isprintable():
            raise ValueError("must be an address, or a name and an address: Example <hello@example.com>")
        return value

    @field_validator("public_url", "link_url", "allowed_origins")
    @classmethod
    def _no_slash(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        return (
            tuple(origin.rstrip("/") for origin in value) if isinstance(value, tuple) else value and value.rstrip("/")
        )

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """As a browser writes them, or they would never match. `*` is refused further down."""
        for origin in value:
            usual = USUAL_PORTS.get(origin.partition("://")[0])
            if origin != "*" and (not ORIGIN.fullmatch(origin) or (usual and origin.endswith(usual))):
                raise ValueError(
                    "must be origins as browsers send them, such as https://app.example.com or http://localhost:5173: "
                    "in lower case, without a path, and without the usual port"
                )
        return value

    @model_validator(mode="after")
    def _https(self) -> Self:
        if self.env == "production" and not self.public_url.startswith("https://"):
            raise ValueError(
                "AUTHAPI_PUBLIC_URL must start with https:// in production (or set AUTHAPI_ENV=development)"
            )
        if "*" in self.allowed_origins:
            raise ValueError(
                "AUTHAPI_ALLOWED_ORIGINS must name each origin; * would let any page call with a person's tokens"
            )
        return self

    @model_validator(mode="after")
    def _mail(self) -> Self:
        if self.env == "production" and (self.smtp_url is None or self.mail_from is None):
            raise ValueError(
                "AUTHAPI_SMTP_URL and AUTHAPI_MAIL_FROM must be set in production, where people are sent mail "
                "(or set AUTHAPI_ENV=development)"
            )
        if not (self.link_url or "https://").startswith("https://" if self.env == "production" else "http"):
            raise ValueError("AUTHAPI_LINK_URL must start with https:// (or, in development, http://)")
        return self

    @property
    def page_origins(self) -> tuple[str, ...]:
        """Whose pages may use the cookie: the service's own origin, and those that are allowed."""
        url = urlsplit(self.public_url)
        origin = f"{url.scheme}://{url.netloc.rpartition('@')[2]}".lower()
        return (origin.removesuffix(USUAL_PORTS.get(url.scheme, "")), *self.allowed_origins)

    @property
    def token_issuer(self) -> str:
        return self.issuer or self.public_url

    @property
    def sender(self) -> str:
        """With the host it runs on in development, where nobody must have an address."""
        return self.mail_from or f"authapi@{urlsplit(self.public_url).hostname}"

    @property
    def shows_docs(self) -> bool:
        return self.env == "development" if self.docs is None else self.docs


def load() -> Settings:
    """The settings from the environment. Raises Misconfigured with every fault at once."""
    try:
        return Settings()
    except ValidationError as error:
        raise Misconfigured(
            "\n".join(_fault(item["loc"], item["msg"], item["type"]) for item in error.errors())
        ) from None


def _fault(location: tuple[int | str, ...], message: str, kind: str) -> str:
    name = f"AUTHAPI_{str(location[0]).upper()}: " if location else ""
    return f"{name}{'is not set' if kind == 'missing' else message.removeprefix('Value error, ')}"
