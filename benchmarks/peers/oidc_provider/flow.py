"""Signs a person in as an OAuth client does: authorization code with PKCE, at a provider that agrees at once."""

import base64
import hashlib
import http.client
import json
import secrets
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Client:
    def __init__(self, base: str) -> None:
        self.base = base
        self.connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=30)

    def sign_in(self, person: str) -> dict[str, Any]:
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        callback = f"{self.base}/callback"
        question = {
            "client_id": "bench",
            "response_type": "code",
            "redirect_uri": callback,
            "scope": "openid offline_access",
            "prompt": "consent",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "login_hint": person,
        }
        code = self._agreed(f"{self.base}/auth?{urlencode(question)}", callback)
        status, tokens = self.token(
            grant_type="authorization_code", code=code, redirect_uri=callback, code_verifier=verifier
        )
        if status != 200:
            raise SystemExit(f"The code was refused: {status} {tokens}")
        return tokens

    def refresh(self, token: str) -> tuple[int, dict[str, Any]]:
        return self.token(grant_type="refresh_token", refresh_token=token)

    def token(self, **fields: str) -> tuple[int, dict[str, Any]]:
        self.connection.request("POST", "/token", urlencode({"client_id": "bench"} | fields), FORM)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def _agreed(self, location: str, callback: str) -> str:
        cookies: dict[str, str] = {}
        for _ in range(6):
            if location.startswith(callback):
                return parse_qs(urlsplit(location).query)["code"][0]
            parts = urlsplit(location)
            sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}
            self.connection.request("GET", f"{parts.path}?{parts.query}", headers=sent)
            answer = self.connection.getresponse()
            body = answer.read()
            for header in answer.headers.get_all("Set-Cookie", []):
                cookies |= {morsel.key: morsel.value for morsel in SimpleCookie(header).values()}
            if answer.status != 303:
                raise SystemExit(f"{parts.path} answered {answer.status}: {body[:300]!r}")
            location = answer.headers["Location"]
            if location.startswith("/"):
                location = self.base + location
        raise SystemExit(f"The provider redirects without end: {location}")
