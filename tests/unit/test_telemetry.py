"""Traces carry no secrets, and say what is missing."""

import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from authapi.core import telemetry
from authapi.core.settings import Misconfigured, Settings
from authapi.core.spans import Redacting

TOKEN = "rt_" + "aB3-_" * 8
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"


def settings(*, on: bool) -> Settings:
    return Settings(
        _env_file=None,
        env="development",
        database_url="postgresql://x@127.0.0.1/x",
        redis_url="redis://127.0.0.1/0",
        secret="x" * 40,
        telemetry=on,
    )


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    yield exporter
    exporter.shutdown()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Redacting(SimpleSpanProcessor(exporter)))
    return provider


async def test_the_query_string_of_a_request_is_not_exported(
    exporter: InMemorySpanExporter, provider: TracerProvider
) -> None:
    options = telemetry.options(settings(on=True)) | {"tracer_provider": provider}
    app = FastAPI(telemetry=options)

    @app.post("/things/{thing}")
    async def write(thing: str) -> None: ...

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        sent = {"json": {"password": "hunter3"}, "headers": {"cookie": "hunter4"}}
        await client.post(f"/things/1?code=hunter2&token={TOKEN}", **sent)  # type: ignore[arg-type]
        await client.get("/health/live")
    (span,) = exporter.get_finished_spans()
    assert (span.attributes or {})["url.query"] == "[redacted]"
    assert (span.attributes or {})["http.route"] == "/things/{thing}"
    assert "hunter" not in span.to_json()
    assert TOKEN not in span.to_json()


def test_attributes_and_exceptions_are_cleaned(exporter: InMemorySpanExporter, provider: TracerProvider) -> None:
    hidden: dict[str, Any] = dict.fromkeys(("url.full", "http.target", "db.statement.parameters", "password"), "hunter")
    seen: dict[str, Any] = {"db.statement": "SELECT 1", "note": f"Bearer {JWT}", "many": [TOKEN, "b"], "count": 3}
    with (
        pytest.raises(ValueError, match="DETAIL"),
        provider.get_tracer("test").start_as_current_span("work", attributes=hidden | seen),
    ):
        raise ValueError(f"duplicate\nDETAIL:  Key (email)=(hunter@example.com) exists, {TOKEN}")
    (span,) = exporter.get_finished_spans()
    shown = span.to_json()
    assert "hunter" not in shown
    assert TOKEN not in shown
    assert JWT not in shown
    assert (span.attributes or {})["db.statement"] == "SELECT 1"
    assert (span.attributes or {})["count"] == 3


def test_off_means_off() -> None:
    assert not telemetry.options(settings(on=False))["tracing"]
    assert not telemetry.options(settings(on=True))["auto_configure"]


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(Misconfigured, match=r"authapi\[otel\]"):
        telemetry.instrument()


def test_asyncpg_is_traced_without_parameters(exporter: InMemorySpanExporter) -> None:
    from opentelemetry import trace
    from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
    from opentelemetry.instrumentation.redis import RedisInstrumentor

    before = trace._TRACER_PROVIDER
    provider = telemetry.instrument(exporter)
    try:
        instrumentor = AsyncPGInstrumentor()  # type: ignore[no-untyped-call]
        assert instrumentor.is_instrumented_by_opentelemetry
        assert instrumentor.capture_parameters is False
    finally:
        AsyncPGInstrumentor().uninstrument()  # type: ignore[no-untyped-call]
        RedisInstrumentor().uninstrument()
        provider.shutdown()
        trace._TRACER_PROVIDER = before
