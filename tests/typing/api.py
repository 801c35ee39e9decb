"""How a user of the package may type it; ``test_types.py`` has mypy read this against the built wheel."""

import bluerock_hooks
from bluerock_hooks.events import KINDS, Event, McpMessage

running: bool = bluerock_hooks.start()
version: str = bluerock_hooks.__version__

kinds: tuple[type[Event], ...] = KINDS
message = McpMessage(event="server_received_request", id=1, method="tools/call")
outcome: str | None = message.outcome
