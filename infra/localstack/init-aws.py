# GENERATED from infra/topology.yaml: change that, then run
#   python -m harness.topology.localstack > infra/localstack/init-aws.py
# LocalStack runs this in its own process when it is ready: a Python for each call, as `awslocal`
# starts one, is a minute on a busy machine. What is raised here becomes ERROR in its health.
import boto3
from botocore.config import Config

CALLS = [
    # Topics
    ('sns', 'create_topic', {'Name': 'auth-events'}),
    ('sns', 'create_topic', {'Name': 'catalog-events'}),
    ('sns', 'create_topic', {'Name': 'inventory-events'}),
    ('sns', 'create_topic', {'Name': 'order-events'}),
    ('sns', 'create_topic', {'Name': 'payment-events'}),
    ('sns', 'create_topic', {'Name': 'notification-events'}),
    # Dead-letter queues
    ('sqs', 'create_queue', {'QueueName': 'cart-inbox-dlq', 'Attributes': {'MessageRetentionPeriod': '1209600'}}),
    ('sqs', 'create_queue', {'QueueName': 'catalog-inbox-dlq', 'Attributes': {'MessageRetentionPeriod': '1209600'}}),
    ('sqs', 'create_queue', {'QueueName': 'inventory-inbox-dlq', 'Attributes': {'MessageRetentionPeriod': '1209600'}}),
    ('sqs', 'create_queue', {'QueueName': 'order-inbox-dlq', 'Attributes': {'MessageRetentionPeriod': '1209600'}}),
    ('sqs', 'create_queue', {'QueueName': 'payment-inbox-dlq', 'Attributes': {'MessageRetentionPeriod': '1209600'}}),
    ('sqs', 'create_queue', {'QueueName': 'notification-inbox-dlq', 'Attributes': {'MessageRetentionPeriod': '1209600'}}),
    # Queues, each with its dead-letter queue
    ('sqs', 'create_queue', {'QueueName': 'cart-inbox', 'Attributes': {'VisibilityTimeout': '15', 'ReceiveMessageWaitTimeSeconds': '20', 'MessageRetentionPeriod': '1209600', 'RedrivePolicy': '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:cart-inbox-dlq", "maxReceiveCount": "5"}'}}),
    ('sqs', 'create_queue', {'QueueName': 'catalog-inbox', 'Attributes': {'VisibilityTimeout': '15', 'ReceiveMessageWaitTimeSeconds': '20', 'MessageRetentionPeriod': '1209600', 'RedrivePolicy': '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:catalog-inbox-dlq", "maxReceiveCount": "5"}'}}),
    ('sqs', 'create_queue', {'QueueName': 'inventory-inbox', 'Attributes': {'VisibilityTimeout': '15', 'ReceiveMessageWaitTimeSeconds': '20', 'MessageRetentionPeriod': '1209600', 'RedrivePolicy': '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:inventory-inbox-dlq", "maxReceiveCount": "5"}'}}),
    ('sqs', 'create_queue', {'QueueName': 'order-inbox', 'Attributes': {'VisibilityTimeout': '15', 'ReceiveMessageWaitTimeSeconds': '20', 'MessageRetentionPeriod': '1209600', 'RedrivePolicy': '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:order-inbox-dlq", "maxReceiveCount": "5"}'}}),
    ('sqs', 'create_queue', {'QueueName': 'payment-inbox', 'Attributes': {'VisibilityTimeout': '15', 'ReceiveMessageWaitTimeSeconds': '20', 'MessageRetentionPeriod': '1209600', 'RedrivePolicy': '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:payment-inbox-dlq", "maxReceiveCount": "5"}'}}),
    ('sqs', 'create_queue', {'QueueName': 'notification-inbox', 'Attributes': {'VisibilityTimeout': '15', 'ReceiveMessageWaitTimeSeconds': '20', 'MessageRetentionPeriod': '1209600', 'RedrivePolicy': '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:notification-inbox-dlq", "maxReceiveCount": "5"}'}}),
    # Subscriptions: raw, filtered by event type
    ('sns', 'subscribe', {'TopicArn': 'arn:aws:sns:us-east-1:000000000000:order-events', 'Protocol': 'sqs', 'Endpoint': 'arn:aws:sqs:us-east-1:000000000000:cart-inbox', 'Attributes': {'RawMessageDelivery': 'true', 'FilterPolicy': '{"event_type": ["order.confirmed"]}', 'RedrivePolicy': '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:cart-inbox-dlq"}'}}),
    ('sns', 'subscribe', {'TopicArn': 'arn:aws:sns:us-east-1:000000000000:inventory-events', 'Protocol': 'sqs', 'Endpoint': 'arn:aws:sqs:us-east-1:000000000000:catalog-inbox', 'Attributes': {'RawMessageDelivery': 'true', 'FilterPolicy': '{"event_type": ["stock.low", "stock.replenished"]}', 'RedrivePolicy': '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:catalog-inbox-dlq"}'}}),
    ('sns', 'subscribe', {'TopicArn': 'arn:aws:sns:us-east-1:000000000000:order-events', 'Protocol': 'sqs', 'Endpoint': 'arn:aws:sqs:us-east-1:000000000000:inventory-inbox', 'Attributes': {'RawMessageDelivery': 'true', 'FilterPolicy': '{"event_type": ["order.placed", "order.confirmed", "order.cancelled", "order.returned"]}', 'RedrivePolicy': '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:inventory-inbox-dlq"}'}}),
    ('sns', 'subscribe', {'TopicArn': 'arn:aws:sns:us-east-1:000000000000:inventory-events', 'Protocol': 'sqs', 'Endpoint': 'arn:aws:sqs:us-east-1:000000000000:order-inbox', 'Attributes': {'RawMessageDelivery': 'true', 'FilterPolicy': '{"event_type": ["stock.reserved", "stock.rejected", "stock.released", "stock.committed", "stock.returned", "stock.reservation_expired"]}', 'RedrivePolicy': '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:order-inbox-dlq"}'}}),
    ('sns', 'subscribe', {'TopicArn': 'arn:aws:sns:us-east-1:000000000000:payment-events', 'Protocol': 'sqs', 'Endpoint': 'arn:aws:sqs:us-east-1:000000000000:order-inbox', 'Attributes': {'RawMessageDelivery': 'true', 'FilterPolicy': '{"event_type": ["payment.action_required", "payment.authorized", "payment.declined", "payment.captured", "payment.voided", "payment.refunded"]}', 'RedrivePolicy': '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:order-inbox-dlq"}'}}),
    ('sns', 'subscribe', {'TopicArn': 'arn:aws:sns:us-east-1:000000000000:inventory-events', 'Protocol': 'sqs', 'Endpoint': 'arn:aws:sqs:us-east-1:000000000000:payment-inbox', 'Attributes': {'RawMessageDelivery': 'true', 'FilterPolicy': '{"event_type": ["stock.reserved"]}', 'RedrivePolicy': '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:payment-inbox-dlq"}'}}),
    ('sns', 'subscribe', {'TopicArn': 'arn:aws:sns:us-east-1:000000000000:order-events', 'Protocol': 'sqs', 'Endpoint': 'arn:aws:sqs:us-east-1:000000000000:payment-inbox', 'Attributes': {'RawMessageDelivery': 'true', 'FilterPolicy': '{"event_type": ["order.confirmed", "order.cancellation_requested", "order.returned"]}', 'RedrivePolicy': '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:payment-inbox-dlq"}'}}),
    ('sns', 'subscribe', {'TopicArn': 'arn:aws:sns:us-east-1:000000000000:auth-events', 'Protocol': 'sqs', 'Endpoint': 'arn:aws:sqs:us-east-1:000000000000:notification-inbox', 'Attributes': {'RawMessageDelivery': 'true', 'FilterPolicy': '{"event_type": ["customer.registered"]}', 'RedrivePolicy': '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:notification-inbox-dlq"}'}}),
    ('sns', 'subscribe', {'TopicArn': 'arn:aws:sns:us-east-1:000000000000:order-events', 'Protocol': 'sqs', 'Endpoint': 'arn:aws:sqs:us-east-1:000000000000:notification-inbox', 'Attributes': {'RawMessageDelivery': 'true', 'FilterPolicy': '{"event_type": ["order.confirmed", "order.action_required", "order.cancelled", "order.refunded"]}', 'RedrivePolicy': '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:notification-inbox-dlq"}'}}),
]
session = boto3.Session("test", "test", region_name="us-east-1")
config = Config(
    connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 3}
)
client = {
    name: session.client(name, endpoint_url="http://127.0.0.1:4566", config=config)
    for name in ("sns", "sqs")
}
for service, operation, arguments in CALLS:
    getattr(client[service], operation)(**arguments)
