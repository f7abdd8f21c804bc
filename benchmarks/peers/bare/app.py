"""What a request costs before it does anything: FastAPI, two models, a token."""

import secrets

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class RefreshIn(BaseModel):
    refresh_token: str


class RefreshedOut(BaseModel):
    access_token: str
    refresh_token: str
    expires_in: int


class SessionOut(BaseModel):
    id: str
    email: str


@app.post("/refresh")
async def refresh(body: RefreshIn) -> RefreshedOut:
    return RefreshedOut(access_token=body.refresh_token, refresh_token=secrets.token_urlsafe(32), expires_in=900)


@app.get("/session")
async def session() -> SessionOut:
    return SessionOut(id="7d1e", email="ada@example.com")
