"""SendMessage and SendMessageBatch refuse a message with more than ten attributes.

Restores: "Each message can have up to 10 attributes"
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html).
MiniStack takes any number, so a message would pass here and be refused on AWS.
"""

from ministack.services import sqs

MAX_ATTRIBUTES = 10


def install() -> None:
    """After `sqs_arrivals`: a refused message is not announced."""
    send = sqs._act_send_message

    def limited(request: dict, url: str) -> dict:
        count = len(request.get("MessageAttributes") or {})
        if count > MAX_ATTRIBUTES:
            raise sqs._Err(
                "InvalidParameterValue",
                f"Number of message attributes [{count}] exceeds the allowed maximum "
                f"[{MAX_ATTRIBUTES}].",
            )
        return send(request, url)

    sqs._act_send_message = sqs._HANDLERS["SendMessage"] = limited
