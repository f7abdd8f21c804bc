"""What `authapi dev` says once everything is up, with five lines to paste."""

from collections.abc import Iterable

_GREETING = """
authapi listens on {host}, port {port}
  API             {url}/api/v1/auth
  Documentation   {url}/docs
  Mail            {url}/dev/inbox
  Health          {url}/health/ready
{servers}
This is development: plain HTTP, documentation pages on, rate limits x{scale}, the secret from {secret}.
Ctrl-C stops everything; the data stay in {folder}.

Five lines to paste into another terminal:

{lines}
"""

_PERSON = """'{"email":"ada@example.com","password":"correct horse battery staple"}'"""
_JSON = "-H 'Content-Type: application/json'"
_CODE = r"-w '\n%{http_code}\n'"


def greeting(*, host: str, port: int, url: str, servers: Iterable[str], scale: str, secret: str, folder: str) -> str:
    return _GREETING.format(
        host=host,
        port=port,
        url=url,
        servers="".join(f"  {server}\n" for server in servers),
        scale=scale,
        secret=secret,
        folder=folder,
        lines="\n".join(lines(f"{url}/api/v1/auth")),
    )


def lines(api: str) -> tuple[str, str, str, str, str]:
    """For sh, bash and zsh, as often as one likes: a second signup is refused, and the others go on."""
    refresh = f'{{\\"refresh_token\\":\\"{_token("refresh_token")}\\"}}'
    bearer = f'-H "Authorization: Bearer {_token("access_token")}"'
    return (
        f"curl -sS {_CODE} {api}/signup {_JSON} -d {_PERSON}",
        f"T=$(curl -sS {_CODE} {api}/login {_JSON} -d {_PERSON}); printf '%s\\n' \"$T\"",
        f'T=$(curl -sS {_CODE} {api}/refresh {_JSON} -d "{refresh}"); printf \'%s\\n\' "$T"',
        f"curl -sS {_CODE} {api}/session {bearer}",
        f"curl -sS {_CODE} -X POST {api}/logout {bearer}",
    )


def _token(name: str) -> str:
    """Takes it out of the answer in $T with what every system has."""
    return f"""$(printf %s "$T" | sed -n 's/.*"{name}": *"\\([^"]*\\)".*/\\1/p')"""
