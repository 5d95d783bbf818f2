"""The words spans of the shop use, for steps and checkers. OpenTelemetry semantic conventions 1.4x
where they have a word (messaging is still in development there), `app.` where they have none.

| span                       | kind     | made by                | parent, link                  |
|----------------------------|----------|------------------------|-------------------------------|
| `POST /orders` (the route) | SERVER   | every HTTP request     | the caller                    |
| `publish order.placed`     | PRODUCER | the outbox relay       | the span that wrote the event |
| `process order.placed`     | CONSUMER | a worker, per delivery | the publish span, and a link  |
"""

SERVICE_NAME = "service.name"  # auth, cart, catalog, inventory, order, payment, notification
SERVICE_ROLE = "service.role"
EVENT_TYPE = "app.event.type"  # order.placed
EVENT_ID = "app.event.id"  # the same for every delivery of one event
WEBHOOK_ID = "app.webhook.id"  # the provider's, the same each time it sends it
TOLD = (EVENT_ID, WEBHOOK_ID)  # what may have an effect
EFFECT = "app.effect"
EFFECT_APPLIED = "applied"
EFFECT_ROLLED_BACK = "rolled_back"  # the transaction failed: no effect, it comes again
EFFECT_DUPLICATE = "duplicate"  # seen before: the inbox refused it


def publish_span(event_type: str) -> str:
    """The name of the span that sends an event."""
    return f"publish {event_type}"


def process_span(event_type: str) -> str:
    """The name of the span that handles one delivery of an event."""
    return f"process {event_type}"
