"""Which answer leads to which call: what Schemathesis cannot infer from names, said as links (OpenAPI 3.1 §4.8.20)."""

from collections import Counter
from copy import deepcopy
from typing import Any, ClassVar

import httpx
from schemathesis import Case
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance, use_after_free

from tests.support.people import PREFIX, bearer

GIVING = ((f"{PREFIX}/signup", "201"), (f"{PREFIX}/login", "200"), (f"{PREFIX}/refresh", "200"))
TAKING = ("refresh", "logout")
PRESENT = {"requestBody": {"refresh_token": "$response.body#/refresh_token"}, "x-schemathesis": {"merge_body": True}}


def linked(document: dict[str, Any]) -> dict[str, Any]:
    """The document, and that the refresh token of one answer is what the next call presents."""
    made = deepcopy(document)
    for path, status in GIVING:
        answer = made["paths"][path]["post"]["responses"][status]
        answer["links"] = {operation: {"operationId": operation, **PRESENT} for operation in TAKING}
    return made


def walking(machine: type[Any], url: str, member: dict[str, str]) -> type[Any]:
    """Who goes along the links: a member who is signed in, logs in again, and shows the newest access token.

    Three checks are left out. What makes an address or a password no good, no schema can say; a session may be ended
    twice, as the document says; and a call that was to lack its token gets it here all the same.
    """

    class Walk(machine):  # type: ignore[misc]
        followed: ClassVar[Counter[str]] = Counter()
        faults: ClassVar[list[str]] = []
        begun: ClassVar[int] = 0
        access_token: str

        def setup(self) -> None:
            Walk.begun += 1
            self.access_token = httpx.post(f"{url}{PREFIX}/login", json=member).json()["access_token"]

        def before_call(self, case: Case[Any]) -> None:
            super().before_call(case)
            if case.path == f"{PREFIX}/login" and isinstance(case.body, dict):
                case.body |= member
            if case.headers is not None:
                case.headers.pop("X-Auth-Mode", None)  # it would need a page of ours, and give no token to go on with

        def get_call_kwargs(self, case: Case[Any]) -> dict[str, Any]:
            return {"headers": bearer(self.access_token)}

        def after_call(self, response: Any, case: Case[Any]) -> None:
            super().after_call(response, case)
            self.followed[f"{case.method} {case.path} {response.status_code}"] += 1
            if response.status_code < 300 and case.path in dict(GIVING):
                self.access_token = response.json()["access_token"]

        def validate_response(self, response: Any, case: Case[Any], **more: Any) -> None:
            left_out = [positive_data_acceptance, negative_data_rejection, use_after_free]
            try:
                case.validate_response(
                    response, excluded_checks=left_out, transport_kwargs=more or None, recorder=self.recorder
                )
            except Exception as fault:
                self.faults.append(str(fault))
                raise

    return Walk
