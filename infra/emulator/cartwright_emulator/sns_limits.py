"""PublishBatch as a whole: its size, its emptiness, and binary attributes of its entries.

Restores: "the maximum total payload size (the sum of the individual lengths of all of the batched
messages) [is] 256 KB (262,144 bytes)"; over it the call fails with BatchRequestTooLong, without
entries with EmptyBatchRequest (https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html).
MiniStack checks each entry alone, so ten large orders in one batch would pass here and block an
outbox on AWS; and it loses the value of a Binary attribute.
"""

from ministack.services import sns

_publish_batch = sns._publish_batch
_parse_batch_entries = sns._parse_batch_entries


def install() -> None:
    sns._publish_batch = publish_batch
    sns._parse_batch_entries = parse_batch_entries


def publish_batch(params: dict) -> tuple:
    entries = sns._parse_batch_entries(params)
    if not entries:
        return sns._error(
            "EmptyBatchRequest", "The batch request doesn't contain any entries.", 400
        )
    total = sum(
        sns._message_payload_size(entry["message"], entry["message_attributes"])
        for entry in entries
    )
    if total > sns._SNS_MAX_PAYLOAD_BYTES:
        return sns._error(
            "BatchRequestTooLong",
            "The length of all the messages put together is more than the limit.",
            400,
        )
    return _publish_batch(params)


def parse_batch_entries(params: dict) -> list[dict]:
    entries = _parse_batch_entries(params)
    if any(name.endswith(".BinaryValue") for name in params):
        for number, entry in enumerate(entries, start=1):
            prefix = f"PublishBatchRequestEntries.member.{number}."
            own = {
                name.removeprefix(prefix): value
                for name, value in params.items()
                if name.startswith(prefix)
            }
            entry["message_attributes"] = sns._parse_message_attributes(own)
    return entries
