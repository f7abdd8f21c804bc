"""`/config`: what a front end needs to draw its forms."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from authapi.core.http import InContext
from authapi.methods.password.rules import LONGEST
from authapi.signin.service import AMR

router = APIRouter(tags=["sign-in"])


class PasswordRulesOut(BaseModel):
    min_bytes: int = Field(examples=[8])
    max_bytes: int = Field(examples=[1024])


class LifetimesOut(BaseModel):
    """In seconds."""

    access_token: int = Field(examples=[900])
    session_idle: int = Field(description="Without a refresh; with `remember_me`.", examples=[604800])
    session_short_idle: int = Field(description="Without a refresh; without `remember_me`.", examples=[86400])
    session_absolute: int | None = Field(description="Since sign-in, used or not; null: none.", examples=[None])


class ConfigOut(BaseModel):
    methods: list[str] = Field(description="The login methods that are on.", examples=[["password"]])
    email_verification: Literal["off", "optional", "required"] = Field(
        description="Whether people are asked to prove their address. `required`: before they can sign in.",
        examples=["optional"],
    )
    password: PasswordRulesOut
    lifetimes: LifetimesOut
    refresh_reuse_window: float = Field(description="Seconds in which a retry gets the same successor.", examples=[10])


@router.get("/config", operation_id="config", summary="What this service offers")
async def config(ctx: InContext) -> ConfigOut:
    """Which login methods are on, the rules for passwords, and the lifetimes."""
    settings = ctx.settings
    return ConfigOut(
        methods=sorted(AMR),
        email_verification=settings.email_verification,
        password=PasswordRulesOut(min_bytes=settings.password_min_length, max_bytes=LONGEST),
        lifetimes=LifetimesOut(
            access_token=settings.access_token_lifetime,
            session_idle=settings.session_idle_lifetime,
            session_short_idle=settings.session_short_idle_lifetime,
            session_absolute=settings.session_absolute_lifetime,
        ),
        refresh_reuse_window=settings.refresh_reuse_window,
    )
