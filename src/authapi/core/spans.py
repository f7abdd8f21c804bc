"""Takes out of spans what must not leave the process. Needs the extra `otel`."""

from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Event, ReadableSpan, Span, SpanProcessor
from opentelemetry.trace.status import Status
from opentelemetry.util.types import Attributes, AttributeValue

from authapi.core.redaction import REDACTED, clean, is_secret

HIDDEN = frozenset({"url.query", "url.full", "http.target", "http.url", "db.statement.parameters"})
HIDDEN_STARTS = (
    *("http.request.header.", "http.response.header.", "http.request.body", "http.response.body"),
    "db.query.parameter.",
)


class Redacting(SpanProcessor):
    """Stands between the tracer and the processor that exports: what that one gets is a cleaned copy."""

    def __init__(self, exporting: SpanProcessor) -> None:
        self._exporting = exporting

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self._exporting.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        self._exporting.on_end(cleaned(span))

    def shutdown(self) -> None:
        self._exporting.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._exporting.force_flush(timeout_millis)


def cleaned(span: ReadableSpan) -> ReadableSpan:
    """The status keeps its code only: its description is the message of an exception."""
    return ReadableSpan(
        name=clean(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_attributes(span.attributes),
        events=[Event(event.name, _attributes(event.attributes), event.timestamp) for event in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _attributes(attributes: Mapping[str, AttributeValue] | None) -> Attributes:
    return {name: _value(name, value) for name, value in (attributes or {}).items()}


def _value(name: str, value: AttributeValue) -> AttributeValue:
    if name in HIDDEN or name.startswith(HIDDEN_STARTS) or is_secret(name.rpartition(".")[2]):
        return REDACTED
    if isinstance(value, str):
        return clean(value)
    return value if isinstance(value, bool | int | float) else clean(str(value))
