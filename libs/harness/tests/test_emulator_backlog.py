"""What a receive costs the emulator when many messages wait, and who is woken: not timed."""

import json
import subprocess
from pathlib import Path

from harness.providers import emulator

REPO = Path(__file__).parents[3]

# Fills a queue, and counts how many of its messages each operation looks at.
LOOKS = """
import asyncio, json, sys
sys.path.insert(0, sys.argv[1])
import sqs_arrivals, sqs_delete, sqs_receive
from ministack.services import sqs

for replacement in (sqs_arrivals, sqs_receive, sqs_delete):
    replacement.install()

class Watched(list):
    looks = 0
    def __iter__(self):
        for item in super().__iter__():
            self.looks += 1
            yield item

def call(action, **request):
    before = messages.looks
    answer = asyncio.run(sqs._dispatch(action, {"QueueUrl": url, **request}, url))
    looks[action] = messages.looks - before
    return answer

looks, messages = {}, Watched()
dead = sqs._act_create_queue({"QueueName": "dead"}, "")["QueueUrl"]
policy = {"deadLetterTargetArn": sqs._get_q(dead)["attributes"]["QueueArn"], "maxReceiveCount": "5"}
url = sqs._act_create_queue(
    {"QueueName": "backlog", "Attributes": {"RedrivePolicy": json.dumps(policy)}}, ""
)["QueueUrl"]
sqs._get_q(url)["messages"] = messages
for i in range(1_000):
    sqs._act_send_message({"QueueUrl": url, "MessageBody": str(i)}, url)
got = call("ReceiveMessage", MaxNumberOfMessages=10)["Messages"]
handles = [{"Id": m["Body"], "ReceiptHandle": m["ReceiptHandle"]} for m in got]
call("DeleteMessageBatch", Entries=handles)
print(json.dumps({"received": len(got), "left": len(messages), "looks": looks}))
"""


# Two messages come at once: the first poll is woken, and has not run yet when the second looks.
POLLS = """
import asyncio, json, sys
sys.path.insert(0, sys.argv[1])
import sqs_arrivals
from ministack.services import sqs

async def main():
    queue = sqs._get_q(sqs._act_create_queue({"QueueName": "polled"}, "")["QueueUrl"])
    first = sqs_arrivals.of(queue)
    sqs_arrivals.announce(queue)
    second = sqs_arrivals.of(queue)
    print(json.dumps([first.is_set(), second.is_set()]))

asyncio.run(main())
"""


def told(script: str) -> object:
    """What *script* prints, run with the emulator's own Python."""
    env_dir = emulator.install(REPO, REPO / ".cartwright", emulator.find_uv())
    python, _ = emulator.command(REPO, env_dir)
    ran = subprocess.run(
        [python, "-c", script, str(REPO / emulator.PROGRAM)],
        check=True,
        capture_output=True,
        timeout=90,
    )
    return json.loads(ran.stdout)


def test_a_backlog_of_a_thousand_costs_no_more_than_the_ten_messages_taken() -> None:
    assert told(LOOKS) == {
        "received": 10,
        "left": 990,
        "looks": {"ReceiveMessage": 10, "DeleteMessageBatch": 10},
    }


def test_a_poll_that_begins_takes_nobodys_wake_up_away() -> None:
    assert told(POLLS) == [True, False]
