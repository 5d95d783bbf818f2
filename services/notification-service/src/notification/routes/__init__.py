"""HTTP in, HTTP out: one blueprint for each thing that clients speak of."""

from notification.routes.messages import messages
from notification.routes.preferences import preferences
from notification.routes.suppressions import suppressions

__all__ = ["messages", "preferences", "suppressions"]
