"""What long work says meanwhile."""

from collections.abc import Callable

Notify = Callable[[str], None]
"""Called with a message for the user."""
