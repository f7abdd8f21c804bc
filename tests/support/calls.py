"""Every call of the service, with a good body where it takes one."""

from dataclasses import dataclass, field
from typing import Any

from tests.support.people import PASSWORD, PREFIX


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    body: dict[str, Any] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


CAROL = {"email": "carol@example.com", "password": PASSWORD}
BODIES = [
    Call("POST", f"{PREFIX}/signup", {**CAROL, "first_name": "Carol", "last_name": "Shaw", "remember_me": True}),
    Call("POST", f"{PREFIX}/login", {"email": "ada@example.com", "password": PASSWORD, "remember_me": True}),
    Call("POST", f"{PREFIX}/refresh", {"refresh_token": "rt_AQd1"}),
    Call("POST", f"{PREFIX}/logout", {"refresh_token": "rt_AQd1", "scope": "this"}),
]
CALLS = [
    *BODIES,
    Call("GET", f"{PREFIX}/session"),
    Call("GET", f"{PREFIX}/sessions"),
    Call("DELETE", f"{PREFIX}/sessions/00000000-0000-4000-8000-000000000000"),
    Call("GET", f"{PREFIX}/config"),
    Call("GET", "/.well-known/jwks.json"),
    Call("GET", "/health/live"),
    Call("GET", "/health/ready"),
    Call("GET", "/metrics"),
    Call("GET", "/problems/not_found"),
]
