"""The code in the README, to be run as it stands."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
ADDRESS = "http://127.0.0.1:8000"


def block(language: str, first_line: str) -> str:
    """The block of code that begins like this."""
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return next(text for text in blocks if text.startswith(first_line))


def with_status(script: str) -> str:
    """Each answer that is shown is followed by a line with its HTTP code."""
    return re.sub(r"^curl -sw '\\n'", r"curl -sw '\\n%{http_code}\\n'", script, flags=re.MULTILINE)
