"""`python -m harness.faults --ports '{…}' --upstreams '{…}'`: all proxies, and their desk."""

import argparse
import asyncio
import json
import signal
from collections.abc import Mapping

from harness.faults import places
from harness.faults.http_proxy import HttpProxy
from harness.faults.http_rules import HttpRulebook
from harness.faults.journal import Journal
from harness.faults.message_proxy import MessageProxy
from harness.faults.rules import Rulebook
from harness.faults.server import Desk
from harness.faults.tcp_proxy import TcpProxy

HOST = "127.0.0.1"


async def serve(
    ports: Mapping[str, int], upstreams: Mapping[str, int], visibility_timeout_s: int
) -> None:
    """ports: by `places`' names. upstreams: by the topology's; what is no place is a service.

    Returns when asked to end.
    """
    journal, rules, http_rules = Journal(), Rulebook(), HttpRulebook()
    messages = MessageProxy((HOST, upstreams["aws"]), rules, journal, visibility_timeout_s)
    lines = {
        place: TcpProxy(
            place, (HOST, ports[places.proxy_name(place)]), (HOST, upstreams[place]), journal
        )
        for place in places.PLACES
        if place != "aws"
    }
    for line in lines.values():
        await line.enable()
    for service in upstreams.keys() - set(places.PLACES):
        edge = HttpProxy(service, (HOST, upstreams[service]), http_rules, journal)
        await asyncio.start_server(edge.serve, HOST, ports[places.proxy_name(service)])
    desk = Desk(messages, lines, rules, http_rules, journal)
    await asyncio.start_server(messages.serve, HOST, ports[places.proxy_name("aws")])
    await asyncio.start_server(desk.serve, HOST, ports[places.DESK])
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m harness.faults", description=__doc__)
    parser.add_argument("--ports", type=json.loads, required=True)
    parser.add_argument("--upstreams", type=json.loads, required=True)
    parser.add_argument("--visibility-timeout-s", type=int, required=True)
    wanted = parser.parse_args()
    asyncio.run(serve(wanted.ports, wanted.upstreams, wanted.visibility_timeout_s))


if __name__ == "__main__":
    main()
