import http.client
import json
from typing import Any
from urllib.parse import urlsplit

PASSWORD = "correct horse battery staple"
TOKEN = "better-auth.session_token"
CACHED = "better-auth.session_data"


class Client:
    def __init__(self, base: str) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=30)

    def call(
        self, method: str, path: str, fields: dict[str, str] | None = None, *, cookie: str = ""
    ) -> tuple[int, Any, dict[str, str]]:
        """The status, the body and the cookies that were set, each as `NAME=value`."""
        headers = {"Content-Type": "application/json"} if method == "POST" else {}
        if cookie:
            headers |= {"Cookie": cookie, "Origin": "http://app.example"}
        self.connection.request(method, path, json.dumps(fields or {}) if method == "POST" else None, headers)
        answer = self.connection.getresponse()
        body = answer.read()
        pairs = [header.split(";")[0] for header in answer.headers.get_all("Set-Cookie", [])]
        return answer.status, json.loads(body) if body else None, {pair.split("=")[0]: pair for pair in pairs}

    def sign_up(self, email: str, *, at: str = "/api/auth") -> tuple[int, Any, dict[str, str]]:
        return self.call("POST", f"{at}/sign-up/email", {"name": "A Person", "email": email, "password": PASSWORD})

    def sign_in(self, email: str, password: str, *, at: str = "/api/auth") -> tuple[int, Any, dict[str, str]]:
        return self.call("POST", f"{at}/sign-in/email", {"email": email, "password": password})
