"""Start MiniStack's SNS and SQS on loopback, with the gaps closed that the shop relies on.

Run as `<environment>/bin/python infra/emulator/cartwright_emulator`. Everything in MiniStack's
SNS and SQS runs on one event loop, so no replacement in this directory takes a lock. Its modules
replace private functions of one MiniStack version; nothing else of MiniStack is changed.

Environment, beside MiniStack's own (`harness.providers.emulator.environment` sets it all):
  GATEWAY_PORT             the port; 4566 when unset
  STATE_DIR, PERSIST_STATE where topics and queues are kept over a clean stop; 1 to keep them
  EMULATOR_SAVE_EVERY_S    also save this often, so that a crash loses no more than that; unset: off
  EMULATOR_PUBLISH_JOURNAL where to note which messages topics took; unset: nowhere
  CARTWRIGHT_PARENT_PID    stop when this parent process ends (Linux)
"""

import pinned_version

# Before MiniStack is imported: another version may not even have the names that are replaced.
pinned_version.require()

import server  # noqa: E402  it imports MiniStack, so only after the check

server.run()
