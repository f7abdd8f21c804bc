"""OpenTelemetry traces, where they are wanted."""

from typing import TYPE_CHECKING

from fastapi.telemetry import TelemetryConfig

from authapi.core.settings import Misconfigured, Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

SERVICE = "authapi"


def options(settings: Settings) -> TelemetryConfig:
    """For `FastAPI(telemetry=...)`, on or off: by default FastAPI would export by itself where the environment says so,
    and put validation errors and exceptions, which quote what was sent, into its logs."""
    return {
        "tracing": settings.telemetry,
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "auto_configure": False,
        "exclude": lambda scope: str(scope.get("path", "")).startswith(("/health/", "/metrics")),
    }


def instrument(exporter: "SpanExporter | None" = None) -> "TracerProvider":
    """Traces requests, Postgres and Redis to where the OTEL_EXPORTER_OTLP_* variables point, in the background.

    The caller shuts the provider down at the end, which sends what is left. Raises Misconfigured without the extra.
    """
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
        from opentelemetry.instrumentation.redis import RedisInstrumentor
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        from authapi.core.spans import Redacting
    except ImportError:
        raise Misconfigured("AUTHAPI_TELEMETRY is on, but `authapi[otel]` is not installed") from None
    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}), shutdown_on_exit=False)
    provider.add_span_processor(Redacting(BatchSpanProcessor(exporter or OTLPSpanExporter())))
    trace.set_tracer_provider(provider)
    AsyncPGInstrumentor(capture_parameters=False).instrument(tracer_provider=provider)  # type: ignore[no-untyped-call]
    RedisInstrumentor().instrument(tracer_provider=provider)
    return provider
