"""Debian's aioice: two relays for each case, and data between them. CASES has a list of [name, transport, port, user, password]."""
import asyncio
import json
import os

from aioice import turn


class Receiver(asyncio.DatagramProtocol):
    def __init__(self):
        self.received = asyncio.Queue()

    def connection_made(self, transport):
        pass

    def connection_lost(self, error):
        pass

    def datagram_received(self, data, address):
        self.received.put_nowait((data, address))


async def relay(name, transport, port, user, password):
    ends = [await turn.create_turn_endpoint(Receiver, ("127.0.0.1", port), user, password, transport=transport) for _ in range(2)]
    (here, this), (there, that) = ends
    addresses = [end.get_extra_info("sockname") for end, _ in ends]

    # Both ends bind a channel, and the first datagram may come before the other end has bound its own.
    for i in range(50):
        here.sendto(b"there", addresses[1])
        there.sendto(b"back", addresses[0])
        try:
            data = await asyncio.wait_for(asyncio.gather(this.received.get(), that.received.get()), 0.2)
            assert data == [(b"back", addresses[1]), (b"there", addresses[0])], data
            break
        except asyncio.TimeoutError:
            continue
    else:
        raise TimeoutError(name)
    for end, _ in ends:
        end.close()
    print(f"{name} over {transport}: relayed")


async def run():
    await asyncio.gather(*(relay(*case) for case in json.loads(os.environ["CASES"])))
    await asyncio.sleep(0.1)


asyncio.run(run())
