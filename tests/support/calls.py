"""Every call of the service, with a good body where it takes one."""

from dataclasses import dataclass, field
from typing import Any

from tests.support.people import PASSWORD, PREFIX

ME = "/api/v1/users/me"


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
    Call("POST", f"{PREFIX}/email/verify", {"email": "ada@example.com", "code": "493017"}),
    Call("POST", f"{PREFIX}/email/resend", {"email": "ada@example.com"}),
    Call("POST", f"{PREFIX}/email/change", {"email": "ada@example.org"}),
    Call("POST", f"{PREFIX}/email/change/confirm", {"code": "493017"}),
    Call("POST", f"{PREFIX}/email/change/stop", {"token": "ot_J5c1kq"}),
    Call("POST", f"{PREFIX}/password/forgot", {"email": "ada@example.com"}),
    Call("POST", f"{PREFIX}/password/reset", {"token": "ot_J5c1kq", "password": PASSWORD}),
    Call("POST", f"{PREFIX}/password/confirm", {"password": PASSWORD}),
    Call("POST", f"{PREFIX}/password/change", {"current_password": PASSWORD, "password": f"{PASSWORD} twice"}),
    Call("PATCH", ME, {"first_name": "Carol", "locale": "en", "time_zone": "Europe/London", "picture_url": None}),
    Call("POST", f"{PREFIX}/refresh", {"refresh_token": "rt_AQd1"}),
    Call("POST", f"{PREFIX}/logout", {"refresh_token": "rt_AQd1", "scope": "this"}),
]
CALLS = [
    *BODIES,
    Call("GET", f"{PREFIX}/session"),
    Call("GET", f"{PREFIX}/sessions"),
    Call("PATCH", f"{PREFIX}/sessions/00000000-0000-4000-8000-000000000000", {"label": "Phone"}),
    Call("DELETE", f"{PREFIX}/sessions/00000000-0000-4000-8000-000000000000"),
    Call("GET", ME),
    Call("GET", f"{ME}/export"),
    Call("DELETE", ME),
    Call("GET", f"{PREFIX}/csrf"),
    Call("GET", f"{PREFIX}/config"),
    Call("GET", "/.well-known/jwks.json"),
    Call("GET", "/health/live"),
    Call("GET", "/health/ready"),
    Call("GET", "/metrics"),
    Call("GET", "/problems/not_found"),
]
