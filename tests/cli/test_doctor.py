"""`authapi doctor`."""

import asyncio
import secrets
from datetime import timedelta

import pytest
from pydantic import SecretStr

from authapi.core.settings import Misconfigured, Settings
from authapi.doctor import database, mail, redis, rules, service
from authapi.doctor.findings import Finding
from tests.cli.conftest import Call, sql
from tests.support.smtp import MailServer

GOOD = "q3L0vX8c+Vt7ZkGmJ2nB5sRyPwUaEoI1dHfTxMbNzK9"


@pytest.fixture
def production(own_database: str, own_redis: str, mail_server: MailServer) -> Settings:
    return Settings(
        _env_file=None,
        database_url=own_database,
        redis_url=own_redis,
        secret=GOOD,
        public_url="https://auth.example.com",
        smtp_url=mail_server.url,
        mail_from="Example <hello@example.com>",
        trusted_proxies=("10.0.0.0/24",),
    )


def only(findings: list[Finding], level: str) -> list[str]:
    return [finding.subject for finding in findings if finding.level == level]


async def test_a_fresh_installation_has_nothing_to_put_right(production: Settings) -> None:
    findings = await service.examine(production)
    errors = [finding for finding in findings if finding.level == "error"]
    assert [e.message for e in errors if "fsync" not in e.message] == []  # the tests' server is a fast one
    assert {"database", "migrations", "redis", "mail", "clock", "secret", "keys"} <= set(only(findings, "ok"))
    # neither a worker nor an instance runs yet, and the tests' role owns the tables
    assert set(only(findings, "warning")) == {"worker", "redis", "audit"}


async def test_each_finding_has_its_fix(production: Settings) -> None:
    for finding in await service.examine(production):
        assert bool(finding.fix) == (finding.level != "ok"), finding


async def test_a_database_that_is_not_migrated(production: Settings, empty_database: str) -> None:
    findings = await service.examine(production.model_copy(update={"database_url": empty_database}))
    assert "migrations" in only(findings, "error")
    assert any("authapi migrate up" in finding.fix for finding in findings)


async def test_servers_that_are_away(production: Settings) -> None:
    away = {"database_url": "postgresql+asyncpg://u:hidden@127.0.0.1:1/x", "redis_url": "redis://:hidden@127.0.0.1:1/0"}
    findings = await service.examine(production.model_copy(update=away))
    assert only(findings, "error") == ["database", "redis"]
    assert not any("hidden" in str(finding) for finding in findings)


async def test_a_mail_server_that_is_away_or_refuses_the_login(production: Settings, mail_server: MailServer) -> None:
    for url, reason in {
        "smtp://u:hidden@127.0.0.1:1": "SMTPConnectError",
        f"smtp://u:hidden@127.0.0.1:{mail_server.port}": "SMTPAuthenticationError 535",
    }.items():
        findings = await service.examine(production.model_copy(update={"smtp_url": SecretStr(url)}))
        (finding,) = [each for each in findings if each.subject == "mail"]
        assert finding.level == "error"
        assert reason in finding.message
        assert "hidden" not in str(finding)


@pytest.mark.parametrize(
    ("number", "age", "failed", "said"),
    [
        (0, 0, 0, []),
        (9, 200, 0, []),
        (9, 600, 0, ["9 messages wait, the oldest for 10 minutes."]),
        (0, 0, 2, ["2 mess"]),
    ],
)
def test_mail_that_does_not_get_out(number: int, age: float, failed: int, said: list[str]) -> None:
    found = list(mail.judge_outbox(number, age, failed=failed))
    assert len(found) == len(said)
    assert all(finding.message.startswith(words) for finding, words in zip(found, said, strict=True))


async def test_a_database_that_does_not_exist(production: Settings) -> None:
    url = f"{production.database_url}_not"
    findings = await service.examine(production.model_copy(update={"database_url": url}))
    assert any("does not exist" in finding.message for finding in findings if finding.level == "error")


async def test_a_worker_that_has_been_silent(production: Settings, own_database: str) -> None:
    insert = (
        "INSERT INTO jobs.pgqueuer_schedules (expression, entrypoint, updated) VALUES ('x', 'y', now() - $1::interval)"
    )
    await _run(own_database, insert, timedelta(hours=1))
    findings = await service.examine(production)
    assert [finding.level for finding in findings if "60 minutes" in finding.message] == ["error"]


async def test_keys_of_another_secret(production: Settings, call: Call, environment: dict[str, str]) -> None:
    await asyncio.to_thread(call, "keys", "rotate", "--force", environment=environment)
    findings = await service.examine(production)
    assert "keys" in only(findings, "error")
    assert any("AUTHAPI_EARLIER_SECRETS" in finding.fix for finding in findings)


@pytest.mark.parametrize(
    ("changes", "level", "subject"),
    [
        ({"public_url": "https://localhost"}, "error", "addresses"),
        ({"public_url": "https://127.0.0.1:8000"}, "error", "addresses"),
        ({"allowed_origins": ("http://app.example.com",)}, "error", "addresses"),
        ({"trusted_proxies": ()}, "warning", "proxies"),
        ({"trusted_proxies": ("0.0.0.0/0",)}, "error", "proxies"),
        ({"trusted_proxies": ("::/0",)}, "error", "proxies"),
        ({"operator_networks": ("0.0.0.0/0",)}, "error", "proxies"),
        ({"docs": True}, "warning", "settings"),
        ({"limits_scale": 10}, "warning", "settings"),
        ({"earlier_secrets": (GOOD[::-1],)}, "warning", "secret"),
        ({"secret": "a" * 40}, "error", "secret"),
        ({"secret": "zyxwvutsrqponmlkjihgfedcba" * 2}, "error", "secret"),
        ({"secret": "please-change-me-please-change-me-now"}, "error", "secret"),
        ({"secret": "seven lazy horses jumped over my garden fence"}, "warning", "secret"),
    ],
)
def test_settings_that_are_weak(changes: dict[str, object], level: str, subject: str) -> None:
    values: dict[str, object] = {
        "database_url": "postgresql://db/x",
        "redis_url": "redis://r/0",
        "secret": GOOD,
        "public_url": "https://auth.example.com",
        "smtp_url": "smtp://mail.example.com",
        "mail_from": "hello@example.com",
        "trusted_proxies": ("10.0.0.0/24",),
    }
    assert [f for f in rules.judge(_settings(values), metrics_folder=None) if f.level != "ok"] == []
    findings = [f for f in rules.judge(_settings(values | changes), metrics_folder=None) if f.level != "ok"]
    assert [(finding.level, finding.subject) for finding in findings] == [(level, subject)]


def _settings(values: dict[str, object]) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[arg-type]


def test_random_secrets_are_not_said_to_read_like_words() -> None:
    made = [secrets.token_urlsafe(48) for _ in range(2000)]
    assert [secret for secret in made if rules.WORDS.fullmatch(secret)] == []


def test_random_secrets_are_not_called_weak() -> None:
    for _ in range(300):
        for secret in (secrets.token_hex(16), secrets.token_urlsafe(48), secrets.token_urlsafe(24)):
            assert rules.weakness(SecretStr(secret)) is None, secret


def test_a_metrics_folder_that_is_missing() -> None:
    settings = _settings({"env": "development", "database_url": "postgresql://x/x", "redis_url": "x", "secret": GOOD})
    assert "metrics" in only(rules.judge(settings, metrics_folder="/nowhere/at/all"), "error")


@pytest.mark.parametrize(
    ("policy", "level"), [("noeviction", "ok"), ("volatile-lru", "error"), ("allkeys-lru", "error"), ("", "warning")]
)
def test_a_redis_that_evicts(policy: str, level: str) -> None:
    assert redis.judge_policy(policy, limited=True).level == level


@pytest.mark.parametrize(("skew", "level"), [(0.4, "ok"), (-2.0, "warning"), (31.0, "error"), (-3600.0, "error")])
def test_a_clock_that_is_wrong(skew: float, level: str) -> None:
    assert [finding.level for finding in database.judge_clock(skew)] == [level]


def test_each_fault_of_the_settings_is_a_finding() -> None:
    assert len(rules.faults(Misconfigured("one\ntwo"))) == 2


def test_the_exit_code_tells_and_nothing_secret_is_shown(
    call: Call, environment: dict[str, str], outside: dict[str, str], own_database: str
) -> None:
    with_password = own_database.replace("authapi@", "authapi:hidden-password@")
    changes = {"AUTHAPI_DATABASE_URL": with_password, "AUTHAPI_SECRET": GOOD}
    well = call("doctor", environment=environment | changes)
    assert (well.returncode, well.stderr) == (0, ""), well.stdout
    weak = call("doctor", environment=environment | {"AUTHAPI_SECRET": "change-me " * 5})
    assert weak.returncode == 1
    missing = call("doctor", environment=outside)
    assert missing.returncode == 1
    assert "AUTHAPI_SECRET" in missing.stdout
    for run in (well, weak):
        assert not any(word in run.stdout for word in ("hidden-password", GOOD, "change-me"))


async def _run(url: str, statement: str, *values: object) -> None:
    await asyncio.to_thread(sql, url, statement, *values)
