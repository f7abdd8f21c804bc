"""Every message that is written is sent by somebody."""

import re
from typing import get_args

import pytest

from authapi.outbox.messages import Message
from tests.support.contract.source import SOURCE

SENDING = re.compile(r"\b(outbox\.put|outbox\.values|tell)\(")


@pytest.mark.parametrize("name", [kind.__name__ for kind in get_args(Message)])
def test_a_message_is_sent_by_somebody(name: str) -> None:
    texts = [path.read_text() for path in SOURCE.rglob("*.py") if path.parent.name != "outbox"]
    assert any(f"{name}(" in text and SENDING.search(text) for text in texts)
