"""What the shop is made of (infra/topology.yaml), and its topics and queues made on SNS and SQS.

Sends no event and starts no process.
"""
