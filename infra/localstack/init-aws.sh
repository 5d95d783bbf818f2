#!/usr/bin/env bash
# GENERATED from infra/topology.yaml: change that, then run
#   python -m harness.topology.localstack > infra/localstack/init-aws.sh
# LocalStack runs this when it is ready. The calls of a step run side by side, because each starts
# a Python of its own; the next step begins when all of them have succeeded.
set -euo pipefail

calls=()
aside() { awslocal "$@" > /dev/null & calls+=("$!"); }
step_done() { for call in "${calls[@]}"; do wait "$call"; done; calls=(); }

# Topics
aside sns create-topic --region us-east-1 --name auth-events
aside sns create-topic --region us-east-1 --name catalog-events
aside sns create-topic --region us-east-1 --name inventory-events
aside sns create-topic --region us-east-1 --name order-events
aside sns create-topic --region us-east-1 --name payment-events
aside sns create-topic --region us-east-1 --name notification-events
step_done

# Dead-letter queues
aside sqs create-queue --region us-east-1 --queue-name cart-inbox-dlq --attributes '{"MessageRetentionPeriod": "1209600"}'
aside sqs create-queue --region us-east-1 --queue-name catalog-inbox-dlq --attributes '{"MessageRetentionPeriod": "1209600"}'
aside sqs create-queue --region us-east-1 --queue-name inventory-inbox-dlq --attributes '{"MessageRetentionPeriod": "1209600"}'
aside sqs create-queue --region us-east-1 --queue-name order-inbox-dlq --attributes '{"MessageRetentionPeriod": "1209600"}'
aside sqs create-queue --region us-east-1 --queue-name payment-inbox-dlq --attributes '{"MessageRetentionPeriod": "1209600"}'
aside sqs create-queue --region us-east-1 --queue-name notification-inbox-dlq --attributes '{"MessageRetentionPeriod": "1209600"}'
step_done

# Queues, each with its dead-letter queue
aside sqs create-queue --region us-east-1 --queue-name cart-inbox --attributes '{"VisibilityTimeout": "15", "ReceiveMessageWaitTimeSeconds": "20", "MessageRetentionPeriod": "1209600", "RedrivePolicy": "{\"deadLetterTargetArn\": \"arn:aws:sqs:us-east-1:000000000000:cart-inbox-dlq\", \"maxReceiveCount\": \"5\"}"}'
aside sqs create-queue --region us-east-1 --queue-name catalog-inbox --attributes '{"VisibilityTimeout": "15", "ReceiveMessageWaitTimeSeconds": "20", "MessageRetentionPeriod": "1209600", "RedrivePolicy": "{\"deadLetterTargetArn\": \"arn:aws:sqs:us-east-1:000000000000:catalog-inbox-dlq\", \"maxReceiveCount\": \"5\"}"}'
aside sqs create-queue --region us-east-1 --queue-name inventory-inbox --attributes '{"VisibilityTimeout": "15", "ReceiveMessageWaitTimeSeconds": "20", "MessageRetentionPeriod": "1209600", "RedrivePolicy": "{\"deadLetterTargetArn\": \"arn:aws:sqs:us-east-1:000000000000:inventory-inbox-dlq\", \"maxReceiveCount\": \"5\"}"}'
aside sqs create-queue --region us-east-1 --queue-name order-inbox --attributes '{"VisibilityTimeout": "15", "ReceiveMessageWaitTimeSeconds": "20", "MessageRetentionPeriod": "1209600", "RedrivePolicy": "{\"deadLetterTargetArn\": \"arn:aws:sqs:us-east-1:000000000000:order-inbox-dlq\", \"maxReceiveCount\": \"5\"}"}'
aside sqs create-queue --region us-east-1 --queue-name payment-inbox --attributes '{"VisibilityTimeout": "15", "ReceiveMessageWaitTimeSeconds": "20", "MessageRetentionPeriod": "1209600", "RedrivePolicy": "{\"deadLetterTargetArn\": \"arn:aws:sqs:us-east-1:000000000000:payment-inbox-dlq\", \"maxReceiveCount\": \"5\"}"}'
aside sqs create-queue --region us-east-1 --queue-name notification-inbox --attributes '{"VisibilityTimeout": "15", "ReceiveMessageWaitTimeSeconds": "20", "MessageRetentionPeriod": "1209600", "RedrivePolicy": "{\"deadLetterTargetArn\": \"arn:aws:sqs:us-east-1:000000000000:notification-inbox-dlq\", \"maxReceiveCount\": \"5\"}"}'
step_done

# Subscriptions: raw, filtered by event type
aside sns subscribe --region us-east-1 --topic-arn arn:aws:sns:us-east-1:000000000000:order-events --protocol sqs --notification-endpoint arn:aws:sqs:us-east-1:000000000000:cart-inbox --attributes '{"RawMessageDelivery": "true", "FilterPolicy": "{\"event_type\": [\"order.confirmed\"]}", "RedrivePolicy": "{\"deadLetterTargetArn\": \"arn:aws:sqs:us-east-1:000000000000:cart-inbox-dlq\"}"}'
aside sns subscribe --region us-east-1 --topic-arn arn:aws:sns:us-east-1:000000000000:inventory-events --protocol sqs --notification-endpoint arn:aws:sqs:us-east-1:000000000000:catalog-inbox --attributes '{"RawMessageDelivery": "true", "FilterPolicy": "{\"event_type\": [\"stock.low\", \"stock.replenished\"]}", "RedrivePolicy": "{\"deadLetterTargetArn\": \"arn:aws:sqs:us-east-1:000000000000:catalog-inbox-dlq\"}"}'
aside sns subscribe --region us-east-1 --topic-arn arn:aws:sns:us-east-1:000000000000:order-events --protocol sqs --notification-endpoint arn:aws:sqs:us-east-1:000000000000:inventory-inbox --attributes '{"RawMessageDelivery": "true", "FilterPolicy": "{\"event_type\": [\"order.placed\", \"order.confirmed\", \"order.cancelled\", \"order.returned\"]}", "RedrivePolicy": "{\"deadLetterTargetArn\": \"arn:aws:sqs:us-east-1:000000000000:inventory-inbox-dlq\"}"}'
aside sns subscribe --region us-east-1 --topic-arn arn:aws:sns:us-east-1:000000000000:inventory-events --protocol sqs --notification-endpoint arn:aws:sqs:us-east-1:000000000000:order-inbox --attributes '{"RawMessageDelivery": "true", "FilterPolicy": "{\"event_type\": [\"stock.reserved\", \"stock.rejected\", \"stock.released\", \"stock.committed\", \"stock.returned\", \"stock.reservation_expired\"]}", "RedrivePolicy": "{\"deadLetterTargetArn\": \"arn:aws:sqs:us-east-1:000000000000:order-inbox-dlq\"}"}'
aside sns subscribe --region us-east-1 --topic-arn arn:aws:sns:us-east-1:000000000000:payment-events --protocol sqs --notification-endpoint arn:aws:sqs:us-east-1:000000000000:order-inbox --attributes '{"RawMessageDelivery": "true", "FilterPolicy": "{\"event_type\": [\"payment.action_required\", \"payment.authorized\", \"payment.declined\", \"payment.captured\", \"payment.voided\", \"payment.refunded\"]}", "RedrivePolicy": "{\"deadLetterTargetArn\": \"arn:aws:sqs:us-east-1:000000000000:order-inbox-dlq\"}"}'
aside sns subscribe --region us-east-1 --topic-arn arn:aws:sns:us-east-1:000000000000:inventory-events --protocol sqs --notification-endpoint arn:aws:sqs:us-east-1:000000000000:payment-inbox --attributes '{"RawMessageDelivery": "true", "FilterPolicy": "{\"event_type\": [\"stock.reserved\"]}", "RedrivePolicy": "{\"deadLetterTargetArn\": \"arn:aws:sqs:us-east-1:000000000000:payment-inbox-dlq\"}"}'
aside sns subscribe --region us-east-1 --topic-arn arn:aws:sns:us-east-1:000000000000:order-events --protocol sqs --notification-endpoint arn:aws:sqs:us-east-1:000000000000:payment-inbox --attributes '{"RawMessageDelivery": "true", "FilterPolicy": "{\"event_type\": [\"order.confirmed\", \"order.cancellation_requested\", \"order.returned\"]}", "RedrivePolicy": "{\"deadLetterTargetArn\": \"arn:aws:sqs:us-east-1:000000000000:payment-inbox-dlq\"}"}'
aside sns subscribe --region us-east-1 --topic-arn arn:aws:sns:us-east-1:000000000000:auth-events --protocol sqs --notification-endpoint arn:aws:sqs:us-east-1:000000000000:notification-inbox --attributes '{"RawMessageDelivery": "true", "FilterPolicy": "{\"event_type\": [\"customer.registered\"]}", "RedrivePolicy": "{\"deadLetterTargetArn\": \"arn:aws:sqs:us-east-1:000000000000:notification-inbox-dlq\"}"}'
aside sns subscribe --region us-east-1 --topic-arn arn:aws:sns:us-east-1:000000000000:order-events --protocol sqs --notification-endpoint arn:aws:sqs:us-east-1:000000000000:notification-inbox --attributes '{"RawMessageDelivery": "true", "FilterPolicy": "{\"event_type\": [\"order.confirmed\", \"order.action_required\", \"order.cancelled\", \"order.refunded\"]}", "RedrivePolicy": "{\"deadLetterTargetArn\": \"arn:aws:sqs:us-east-1:000000000000:notification-inbox-dlq\"}"}'
step_done
