"""For operators: health and metrics. For whoever meets a problem: what it means."""

from ipaddress import ip_address
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from authapi.core import metrics, problems
from authapi.core.context import Context
from authapi.core.http import Client, FromClient, InContext
from authapi.core.problems import Action, NotFound, Problem
from authapi.operations import service
from authapi.outbox import service as outbox

router = APIRouter(tags=["operations"])


class LiveOut(BaseModel):
    status: Literal["ok"] = "ok"


class ReadyOut(BaseModel):
    mode: Literal["ok", "degraded", "down"]
    parts: dict[str, str] | None = Field(
        description="Told to operators only (`AUTHAPI_OPERATOR_NETWORKS`).",
        examples=[{"postgres": "ok", "redis": "ok"}],
    )


class MeaningOut(BaseModel):
    code: str = Field(examples=["token_reused"])
    status: int = Field(examples=[401])
    title: str = Field(examples=["The refresh token was used before. To be safe, the session has been ended."])
    action: Action = Field(examples=["reauthenticate"])


@router.get("/health/live", operation_id="health_live", summary="Does the process run?")
async def live() -> LiveOut:
    """Asks no other part."""
    return LiveOut()


@router.get(
    "/health/ready",
    operation_id="health_ready",
    summary="Can it serve?",
    responses={
        503: {
            "model": ReadyOut,
            "description": "The database cannot be reached, or the process is about to end.",
            "content": {
                "application/json": {"example": {"mode": "down", "parts": {"postgres": "unreachable", "redis": "ok"}}}
            },
        }
    },
)
async def ready(response: Response, ctx: InContext, client: FromClient) -> ReadyOut:
    """`ok`; `degraded` when only Redis is away, and everything still works; `down` (503) without the database, or while
    the process takes its leave."""
    readiness = await service.readiness(ctx)
    response.status_code = 503 if readiness.mode == "down" else 200
    return ReadyOut(mode=readiness.mode, parts=readiness.parts if _is_operator(ctx, client) else None)


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {
            "content": {
                "text/plain": {
                    "schema": {"type": "string"},
                    "example": 'authapi_refresh_total{rotation="rotated"} 12.0\n',
                }
            }
        },
        **problems.responses(NotFound),
    },
)
async def prometheus(ctx: InContext, client: FromClient) -> Response:
    """Only for the networks in `AUTHAPI_OPERATOR_NETWORKS`; there is nothing here for others."""
    if not _is_operator(ctx, client):
        raise NotFound()
    return Response(metrics.render() + await outbox.gauges(ctx), media_type=metrics.CONTENT_TYPE)


@router.get(
    "/problems/{code}", operation_id="problem", summary="What a problem means", responses=problems.responses(NotFound)
)
async def meaning(code: str) -> MeaningOut:
    """The `type` of every problem leads here."""
    for problem in Problem.every():
        if problem.code == code:
            return MeaningOut(code=code, status=problem.status, title=problem.title, action=problem.action)
    raise NotFound()


def _is_operator(ctx: Context, client: Client) -> bool:
    try:
        address = ip_address(client.ip)
    except ValueError:
        return False
    return any(address in network for network in ctx.settings.operator_networks)
