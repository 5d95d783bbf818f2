"""AWS clients with every timeout and retry stated. No other module calls boto3."""

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from common.settings import ServiceSettings

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

CONNECT_TIMEOUT_S = 1
# Longer than the longest long poll (20 s), or every idle poll would count as a failure.
READ_TIMEOUT_S = 25
# The outbox rows are locked meanwhile; the outbox itself tries again.
PUBLISH_TIMEOUT_S = 2
# Two attempts: the outbox and the queue retry for longer, and better, than a client can.
ATTEMPTS_MAX = 2


def _config(read_timeout_s: int, attempts_max: int) -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        retries={"mode": "standard", "total_max_attempts": attempts_max},
    )


def sns(settings: ServiceSettings) -> "SNSClient":
    return boto3.client(
        "sns",
        endpoint_url=settings.aws_endpoint_url,
        region_name=settings.aws_region,
        config=_config(PUBLISH_TIMEOUT_S, attempts_max=1),
    )


def sqs(settings: ServiceSettings) -> "SQSClient":
    return boto3.client(
        "sqs",
        endpoint_url=settings.aws_endpoint_url,
        region_name=settings.aws_region,
        config=_config(READ_TIMEOUT_S, ATTEMPTS_MAX),
    )
