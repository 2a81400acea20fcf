"""TURN-B: RFC 8656, from Allocate to the channels."""
import os
import socket
import struct
import time

import stun
from client import Client, Peer
from report import check
from stun import Credential

FOUR, SIX = b"\1\0\0\0", b"\2\0\0\0"
REFUSED_PEERS = ["0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.9.9.9", "169.254.169.254", "172.16.0.1", "192.0.0.1",
                 "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
                 "255.255.255.255", "198.51.101.7"]
REFUSED_PEERS_6 = ["::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1",
                   "100::1", "2001::1", "2001:0:7f00:1::", "2002:7f00:1::1", "2002:808:808::1", "fc00::1", "fd12::1", "fe80::1", "fec0::1",
                   "ff02::1", "2001:10::1"]


def lifetime(seconds):
    return (stun.LIFETIME, struct.pack(">I", seconds))


def transports(lab):
    """TURN-B1: clients reach the server over UDP, TCP, TLS and DTLS"""
    with Peer() as peer:
        for name, server in lab.back_ends.items():
            for transport in ("udp", "tcp", "tls"):
                with lab.client(server=server, transport=transport) as c:
                    check("TURN-B1", f"{name} {transport} allocates", c.allocate().ok)
                    c.permit(peer.address)
                    c.send_to(peer.address, b"there")
                    data, source = peer.receive()
                    check("TURN-B1", f"{name} {transport} to the peer", (data, source), (b"there", c.relayed))
                    peer.send(b"back", c.relayed)
                    message = c.next_message()
                    check("TURN-B1", f"{name} {transport} to the client",
                          (message.get(stun.DATA_ATTRIBUTE), message.address(stun.XOR_PEER_ADDRESS)), (b"back", peer.address))
                    c.refresh(0)


def without_allocation(lab):
    """TURN-B2: without an allocation a request gets 437, an indication and ChannelData nothing"""
    with lab.client() as c, Peer() as peer:
        for method in (stun.REFRESH, stun.CREATE_PERMISSION, stun.CHANNEL_BIND, stun.CONNECT):
            answer = c.request(method, lambda t: [(stun.CHANNEL_NUMBER, b"\x40\0\0\0"), (stun.XOR_PEER_ADDRESS, stun.xor_address(*peer.address, t))])
            check("TURN-B2", f"method {method}", answer.error, 437)
            check("TURN-B2", "signed", answer.signed_by(lab.alice.key(c.realm)))
        check("TURN-B2", "deletion", c.refresh(0).error, 437)
        check("TURN-B2", "Send", c.answer(c.plain(stun.SEND, [(stun.DATA_ATTRIBUTE, b"x")], stun.INDICATION)), None)
        for octets in (b"\x40\0\0\4abcd", b"\x4F\xFF\0\0", b"\x50\0\0\0", b"\x7F\xFF\0\0", b"\x40"):
            check("TURN-B2", octets.hex(), c.answer(octets), None)


def other_credentials(lab):
    """TURN-B3: another user name than the allocation's gets 441"""
    others = {"another user": lab.bob, "an ephemeral user": lab.ephemeral(), "a token": lab.token().native(), "a browser's token": lab.token().browser()}
    for name, owner in (("alice", lab.alice), ("ephemeral", lab.ephemeral(":dora")), ("native", lab.token().native()), ("browser", lab.token().browser())):
        with lab.client(owner) as c, Peer() as peer:
            c.allocate()
            for other, credential in others.items():
                if credential.token is None:
                    check("TURN-B3", f"{other} for {name}: permission", c.permit(peer.address, credential=credential).error, 441)
                    check("TURN-B3", f"{other} for {name}: channel", c.bind(0x4000, peer.address, credential=credential).error, 441)
                check("TURN-B3", f"{other} for {name}: deletion", c.refresh(0, credential=credential).error, 441)
                check("TURN-B3", f"{other} for {name}: Allocate", c.allocate(credential=credential).error, 437)
                if name in ("alice", "ephemeral") or other in ("another user", "an ephemeral user"):
                    check("TURN-B3", f"{other} for {name}: Refresh", c.refresh(credential=credential).error, 441)
            check("TURN-B3", f"{name} goes on", c.permit(peer.address).ok)


def relayed_addresses(lab):
    """TURN-B5: a relayed transport address belongs to one allocation; TURN-B16: ports are random, from 49152 to 65535"""
    clients = [lab.client(server=server) for server in lab.back_ends.values() for _ in range(40)]
    try:
        for c in clients:
            c.allocate()
        ports = [c.relayed[1] for c in clients]
        check("TURN-B5", "all differ", len(set(c.relayed for c in clients)), len(clients))
        check("TURN-B16", "range", all(49152 <= port <= 65535 for port in ports))
        steps = {b - a for a, b in zip(ports, ports[1:])}
        check("TURN-B16", "no steps", len(steps) > len(ports) * 0.8)
        check("TURN-B16", "spread", max(ports) - min(ports) > 8000)
        check("TURN-B16", "odd and even", 20 < sum(port % 2 for port in ports) < 100)
    finally:
        for c in clients:
            c.refresh(0)
            c.close()


def allocate_is_authenticated(lab):
    """TURN-B6: Allocate must be authenticated"""
    with lab.client() as c:
        check("TURN-B6", "plain", c.exchange(c.plain(stun.ALLOCATE, [stun.UDP])).error, 401)
        names = [stun.UDP, (stun.USERNAME, b"alice"), (stun.REALM, c.realm or b"raw.example"), (stun.NONCE, b"x")]
        check("TURN-B6", "names without integrity", c.exchange(c.plain(stun.ALLOCATE, names)).error, 401)
        check("TURN-B6", "empty key", c.request(stun.ALLOCATE, [stun.UDP], key=b"").error, 401)
        check("TURN-B6", "zero key", c.request(stun.ALLOCATE, [stun.UDP], key=bytes(16)).error, 401)
        check("TURN-B6", "key in place of the password", c.request(stun.ALLOCATE, [stun.UDP], key=b"secret").error, 401)


def tuple_in_use(lab):
    """TURN-B7: a 5-tuple in use gets 437, a retransmission the first answer"""
    for transport in ("udp", "tcp"):
        for credential in (lab.alice, lab.ephemeral(), lab.token().native(), lab.token().browser()):
            with lab.client(credential, transport=transport) as c:
                first = c.signed(stun.ALLOCATE, [stun.UDP, lifetime(900)])
                answer = c.exchange(first)
                check("TURN-B7", "first", answer.ok)
                check("TURN-B7", "second", c.allocate().error, 437)
                check("TURN-B7", "again", c.exchange(first).octets, answer.octets)
                for other in (lab.bob, lab.token().native(), lab.token().browser(), lab.ephemeral(":zoe")):
                    check("CLIENT-8", "another user with the transaction id", c.request(
                        stun.ALLOCATE, [stun.UDP], credential=other, transaction=first[8:20]).error, 437)
                check("TURN-B7", "and again", c.exchange(first).octets, answer.octets)
                c.refresh(0)
                check("TURN-B7", "free again", c.allocate().ok)


def requested_transport(lab):
    """TURN-B8: REQUESTED-TRANSPORT missing or malformed gets 400, another protocol 442"""
    with lab.client() as c:
        check("TURN-B8", "missing", c.request(stun.ALLOCATE).error, 400)
        for length in (0, 1, 2, 3, 5, 8):
            check("TURN-B8", f"{length} octets", c.allocate(transport=(stun.REQUESTED_TRANSPORT, b"\x11" + bytes(7))[:1] + ((b"\x11" + bytes(7))[:length],)).error, 400)
        for protocol in (0, 1, 16, 18, 33, 132, 255):
            check("TURN-B8", f"protocol {protocol}", c.allocate(transport=(stun.REQUESTED_TRANSPORT, bytes([protocol, 0, 0, 0]))).error, 442)
        check("TURN-B8", "reserved octets are ignored", c.allocate(transport=(stun.REQUESTED_TRANSPORT, bytes([17, 1, 2, 3]))).ok)
    check("TURN-B8", "TCP where it is off", lab.allocate_once(lab.password_user, lab.password, transport=stun.TCP).error, 442)


def dont_fragment(lab):
    """TURN-B9: DONT-FRAGMENT is honoured"""
    for name, server in lab.back_ends.items():
        with lab.client(server=server) as c, Peer() as peer:
            answer = c.allocate((stun.DONT_FRAGMENT, b""))
            if not answer.ok:
                check("TURN-B9", f"{name} refuses", (answer.error, answer.get(stun.UNKNOWN_ATTRIBUTES)), (420, b"\0\x1A"))
                continue
            c.permit(peer.address)
            for length in (0, 1, 1000, 1400):
                c.send_to(peer.address, b"d" * length, (stun.DONT_FRAGMENT, b""))
                check("TURN-B9", f"{name} {length}", peer.receive()[0], b"d" * length)
    with lab.client() as c:
        check("CLIENT-8", "DONT-FRAGMENT with a value", c.allocate((stun.DONT_FRAGMENT, b"\0")).error, 400)


def reservations(lab):
    """TURN-B10: RESERVATION-TOKEN; TURN-B13: EVEN-PORT"""
    for name, server in lab.back_ends.items():
        with lab.client(server=server) as c, lab.client(server=server) as d, lab.client(server=server) as e, lab.client(server=server) as f:
            answer = c.allocate((stun.EVEN_PORT, b"\x80"))
            token = answer.get(stun.RESERVATION_TOKEN)
            check("TURN-B13", f"{name} even", (c.relayed[1] % 2, len(token)), (0, 8))
            check("TURN-B10", f"{name} unknown", d.allocate((stun.RESERVATION_TOKEN, os.urandom(8))).error, 508)
            for other in ((stun.EVEN_PORT, b"\0"), (stun.REQUESTED_FAMILY, FOUR), (stun.ADDITIONAL_FAMILY, SIX)):
                check("TURN-B10", f"with {other[0]:04X}", d.allocate((stun.RESERVATION_TOKEN, token), other).error, 400)
            for length in (0, 4, 7, 9, 16):
                check("TURN-B10", f"token of {length}", d.allocate((stun.RESERVATION_TOKEN, (token * 2)[:length])).error, 400)
            check("TURN-B13", "next port", d.allocate((stun.RESERVATION_TOKEN, token)).address(), (c.relayed[0], c.relayed[1] + 1))
            check("TURN-B10", "token used twice", e.allocate((stun.RESERVATION_TOKEN, token)).error, 508)
            check("TURN-B13", "R bit off", e.allocate((stun.EVEN_PORT, b"\x7F")).has(stun.RESERVATION_TOKEN), False)
            check("TURN-B13", "even without R", e.relayed[1] % 2, 0)
            check("TURN-B13", "over IPv6", f.allocate((stun.EVEN_PORT, b"\x80"), (stun.REQUESTED_FAMILY, SIX)).address()[1] % 2, 0)
            with Peer() as peer:
                d.permit(peer.address)
                d.send_to(peer.address, b"reserved")
                check("TURN-B13", "the reserved port relays", peer.receive(), (b"reserved", d.relayed))
            for length in (0, 2, 4):
                with lab.client(server=server) as g:
                    check("TURN-B13", f"EVEN-PORT of {length}", g.allocate((stun.EVEN_PORT, bytes(length))).error, 400)
    ports = []
    for _ in range(30):
        with lab.client() as c:
            ports.append(c.allocate((stun.EVEN_PORT, b"\0")).address()[1] % 2)
            c.refresh(0)
    check("TURN-B13", "thirty even ports", sum(ports), 0)


def families(lab):
    """TURN-B11: two family attributes exclude each other; TURN-B12: 440; TURN-B14: both families"""
    with lab.client() as c:
        check("TURN-B11", "both", c.allocate((stun.REQUESTED_FAMILY, FOUR), (stun.ADDITIONAL_FAMILY, SIX)).error, 400)
        check("TURN-B11", "in another order", c.allocate((stun.ADDITIONAL_FAMILY, SIX), (stun.REQUESTED_FAMILY, SIX)).error, 400)
        for family in (0, 3, 7, 255):
            check("TURN-B12", f"family {family}", c.allocate((stun.REQUESTED_FAMILY, bytes([family, 0, 0, 0]))).error, 440)
        for length in (0, 1, 2, 3, 5, 8):
            check("CLIENT-8", f"family of {length} octets", c.allocate((stun.REQUESTED_FAMILY, bytes([1] + [0] * 7)[:length])).error, 400)
            check("CLIENT-8", f"second family of {length} octets", c.allocate((stun.ADDITIONAL_FAMILY, bytes([2] + [0] * 7)[:length])).error, 400)
        check("TURN-B14", "IPv4 as the second", c.allocate((stun.ADDITIONAL_FAMILY, FOUR)).error, 400)
        check("TURN-B14", "with a reservation", c.allocate((stun.ADDITIONAL_FAMILY, SIX), (stun.EVEN_PORT, b"\x80")).error, 400)
    for name, server in lab.back_ends.items():
        for family, value in ((4, FOUR), (6, SIX)):
            with lab.client(server=server) as c:
                check("TURN-B12", f"{name} IPv{family}", ":" in c.allocate((stun.REQUESTED_FAMILY, value)).address()[0], family == 6)
        with lab.client(server=server) as c, Peer() as four, Peer("::1") as six:
            answer = c.allocate((stun.ADDITIONAL_FAMILY, SIX))
            check("TURN-B14", f"{name} two relays", [":" in host for host, _ in answer.addresses()], [False, True])
            c.permit(four.address, six.address)
            for peer, relay in zip((four, six), answer.addresses()):
                c.send_to(peer.address, b"x")
                check("TURN-B14", f"{name} relays", peer.receive(), (b"x", relay))
                peer.send(b"y", relay)
                check("TURN-B14", f"{name} back", c.next_message().address(stun.XOR_PEER_ADDRESS), peer.address)
    check("TURN-B12", "IPv6 where there is none", lab.allocate_once(lab.password_user, lab.password, (stun.REQUESTED_FAMILY, SIX)).error, 440)
    answer = lab.allocate_once(lab.password_user, lab.password, (stun.ADDITIONAL_FAMILY, SIX))
    value = answer.get(stun.ADDRESS_ERROR_CODE)
    check("TURN-B14", "one and the reason", (len(answer.addresses()), value[0], (value[2] & 7) * 100 + value[3]), (1, 2, 440))


def between_families(lab):
    """TURN-B31: a client of either family has relays of either, and each reaches peers of its own"""
    for name, server in lab.back_ends.items():
        for here in ("127.0.0.1", "::1"):
            for there, value in (("127.0.0.1", FOUR), ("::1", SIX)):
                with lab.client(server=server, host=here) as c, Peer(there) as peer:
                    c.allocate((stun.REQUESTED_FAMILY, value))
                    check("TURN-B31", f"{name} from {here} to {there}", c.permit(peer.address).ok)
                    c.send_to(peer.address, b"there", (stun.DONT_FRAGMENT, b""))
                    check("TURN-B31", "arrives", peer.receive(), (b"there", c.relayed))
                    peer.send(b"back", c.relayed)
                    check("TURN-B31", "and back", c.next_message().address(stun.XOR_PEER_ADDRESS), peer.address)
                    check("TURN-B31", "another family", c.permit(("203.0.113.1" if ":" in there else "2001:db8::1", 1)).error, 443)
                    c.refresh(0)


def lifetimes(lab):
    """TURN-B17: the lifetime lies between default and maximum; TURN-B18: what success carries; TURN-B19: Refresh"""
    for wanted, given in ((None, 600), (0, 600), (1, 600), (599, 600), (600, 600), (601, 601), (3599, 3599), (3600, 3600), (3601, 3600), (0xFFFFFFFF, 3600)):
        with lab.client() as c:
            answer = c.allocate(*([] if wanted is None else [lifetime(wanted)]))
            check("TURN-B17", f"Allocate with {wanted}", answer.lifetime, given)
            check("TURN-B18", "attributes", [answer.has(kind) for kind in (stun.XOR_RELAYED_ADDRESS, stun.LIFETIME, stun.XOR_MAPPED_ADDRESS, stun.MESSAGE_INTEGRITY)], [True] * 4)
            check("TURN-B18", "mapped", answer.address(stun.XOR_MAPPED_ADDRESS), c.here)
            if wanted != 0:
                check("TURN-B19", f"Refresh with {wanted}", c.refresh(wanted).lifetime, given)
            check("TURN-B19", "zero", c.refresh(0).lifetime, 0)
            check("TURN-B19", "gone", c.refresh().error, 437)
            check("TURN-B19", "and new", c.allocate().ok)
    with lab.client() as c:
        c.allocate()
        for length in (0, 1, 2, 3, 5, 8):
            check("CLIENT-8", f"LIFETIME of {length} octets", c.refresh(None, (stun.LIFETIME, bytes(length))).error, 400)
            with lab.client() as d:
                check("CLIENT-8", f"LIFETIME of {length} octets in Allocate", d.allocate((stun.LIFETIME, bytes(length))).error, 400)
        check("TURN-B19", "still there", c.refresh().ok)


def dual(lab):
    """TURN-B20: Refresh of a family that the allocation lacks gets 443, of two only the named one is touched"""
    with lab.client() as c, Peer() as four, Peer("::1") as six:
        c.allocate()
        check("TURN-B20", "IPv6 is not there", c.refresh(600, (stun.REQUESTED_FAMILY, SIX)).error, 443)
        check("TURN-B20", "nor to delete", c.refresh(0, (stun.REQUESTED_FAMILY, SIX)).error, 443)
        check("TURN-B20", "IPv4 is", c.refresh(600, (stun.REQUESTED_FAMILY, FOUR)).ok)
        c.refresh(0)
        relays = c.allocate((stun.ADDITIONAL_FAMILY, SIX)).addresses()
        c.bind(0x4000, six.address)
        c.bind(0x4001, four.address)
        check("TURN-B20", "delete IPv6", c.refresh(0, (stun.REQUESTED_FAMILY, SIX)).lifetime, 0)
        check("TURN-B20", "IPv6 permission", c.permit(six.address).error, 443)
        check("TURN-B20", "Refresh of IPv6", c.refresh(600, (stun.REQUESTED_FAMILY, SIX)).error, 443)
        c.on_channel(0x4001, b"goes on")
        check("TURN-B20", "IPv4 goes on", four.receive(), (b"goes on", relays[0]))
        with Peer() as other:
            check("TURN-B20", "the channel of IPv6 is free", c.bind(0x4000, other.address).ok)
        check("TURN-B20", "delete IPv4, the last", c.refresh(0, (stun.REQUESTED_FAMILY, FOUR)).lifetime, 0)
        check("TURN-B20", "all gone", c.refresh().error, 437)
        for value in (b"", b"\2", b"\3\0\0\0", b"\0\0\0\0"):
            c.allocate()
            check("TURN-B20", f"family {value.hex()}", c.refresh(600, (stun.REQUESTED_FAMILY, value)).error, 400)


def permissions(lab):
    """TURN-B22: a permission is for an address with any port; TURN-B23: CreatePermission"""
    with lab.client() as c, Peer() as one, Peer() as two, Peer("127.0.0.3") as stranger:
        c.allocate()
        check("TURN-B23", "port 0", c.permit(("127.0.0.1", 0)).ok)
        for peer in (one, two):
            peer.send(b"any port", c.relayed)
            check("TURN-B22", "any port", c.next_message().address(stun.XOR_PEER_ADDRESS), peer.address)
            c.send_to(peer.address, b"to any port")
            check("TURN-B22", "to any port", peer.receive()[0], b"to any port")
        stranger.send(b"no permission", c.relayed)
        c.send_to(stranger.address, b"no permission")
        one.send(b"after", c.relayed)
        check("TURN-B22", "another address", c.next_message().get(stun.DATA_ATTRIBUTE), b"after")
        check("TURN-B22", "to another address", stranger.receive(0.05)[0], None)
        check("TURN-B23", "no peer", c.request(stun.CREATE_PERMISSION).error, 400)
        check("TURN-B23", "another family", c.permit(("::1", 1)).error, 443)
        check("TURN-B23", "forbidden", c.permit(("224.0.0.1", 1)).error, 403)
        for bad in (("224.0.0.1", 1), ("::1", 1), ("0.0.0.0", 1)):
            check("TURN-B23", f"with {bad[0]}, as a whole", c.permit(("127.0.0.3", 1), bad).error, 443 if ":" in bad[0] else 403)
        stranger.send(b"still none", c.relayed)
        one.send(b"marker", c.relayed)
        check("TURN-B23", "nothing was permitted", c.next_message().get(stun.DATA_ATTRIBUTE), b"marker")
        for value in (b"", b"\0\1", b"\0\1\0\0", b"\0\1\0\0abc", b"\0\1\0\0abcde", b"\0\2\0\0abcd", b"\0\3\0\0abcd", b"\0\0\0\0abcd"):
            check("TURN-B23", f"peer {value.hex()}", c.request(stun.CREATE_PERMISSION, [(stun.XOR_PEER_ADDRESS, value)]).error, 400)
        check("TURN-B23", "several", c.permit(*[(f"127.0.0.{i}", 1) for i in range(1, 11)]).ok)
        stranger.send(b"now", c.relayed)
        check("TURN-B23", "now", c.next_message().get(stun.DATA_ATTRIBUTE), b"now")
    with lab.client(server=lab.quota) as c:
        c.allocate()
        check("TURN-B23", "four peers", c.permit(*[(f"203.0.113.{i}", 1) for i in range(4)]).ok)
        check("TURN-B23", "a fifth", c.permit(("203.0.113.9", 1)).error, 508)
        check("TURN-B23", "one of the four", c.permit(("203.0.113.2", 9)).ok)
        c.refresh(0)


def send(lab):
    """TURN-B24: Send needs a peer, data and a permission, zero octets are data"""
    for name, server in lab.back_ends.items():
        for transport in ("udp", "tcp", "tls"):
            with lab.client(server=server, transport=transport) as c, Peer() as peer:
                c.allocate()
                c.send_to(peer.address, b"no permission")
                c.permit(peer.address)
                c.send_to(None, b"no peer")
                c.send_to(peer.address, None)
                c.send_to(("127.0.0.1", 0), b"port 0")
                c.send_to(peer.address, b"as a request", message_class=stun.REQUEST)
                for length in (0, 1, 2, 3, 4, 1000, 0, 0, 0, 5, 8000):
                    c.send_to(peer.address, b"z" * length)
                    check("TURN-B24", f"{name} {transport} {length}", peer.receive()[0], b"z" * length)
                for length in (0, 0, 1, 0, 7000):
                    peer.send(b"q" * length, c.relayed)
                    message = c.next_message()
                    check("TURN-B24", f"{name} {transport} {length} back", message and message.get(stun.DATA_ATTRIBUTE), b"q" * length)
                c.bind(0x4000, peer.address)
                for length in (0, 0, 3, 0, 0, 0):
                    c.on_channel(0x4000, b"c" * length)
                    check("TURN-B24", f"{name} {transport} {length} on a channel", peer.receive()[0], b"c" * length)
                    peer.send(b"b" * length, c.relayed)
                    packet = c.next()
                    check("TURN-B24", f"{name} {transport} {length} from the channel", packet and packet[:4], struct.pack(">HH", 0x4000, length))
                for _ in range(20):
                    c.on_channel(0x4000, b"")
                check("TURN-B24", f"{name} {transport} a burst of nothing", [peer.receive()[0] for _ in range(20)], [b""] * 20)
                c.refresh(0)


def from_peers(lab):
    """TURN-B25: a peer's datagram passes only under a permission, as ChannelData where a channel is bound"""
    for name, server in lab.back_ends.items():
        with lab.client(server=server) as c, Peer() as peer, Peer() as other, Peer("127.0.0.4") as stranger:
            c.allocate()
            stranger.send(b"none", c.relayed)
            c.bind(0x4003, peer.address)
            stranger.send(b"none", c.relayed)
            peer.send(b"on the channel", c.relayed)
            check("TURN-B25", f"{name} channel", c.next(), b"\x40\3\0\x0Eon the channel")
            other.send(b"other port", c.relayed)
            check("TURN-B25", f"{name} other port", c.next_message().get(stun.DATA_ATTRIBUTE), b"other port")


def icmp(lab):
    """TURN-B26: ICMP errors reach the client in a Data indication"""
    for name, server in lab.back_ends.items():
        if name == "Portable":
            continue
        with lab.client(server=server) as c, lab.client(server=server, host="::1") as d:
            for client, host, kind in ((c, "127.0.0.1", (3, 3)), (d, "::1", (1, 4))):
                with Peer(host) as gone:
                    closed = gone.address
                client.allocate((stun.REQUESTED_FAMILY, SIX if ":" in host else FOUR))
                client.permit(closed)
                client.send_to(closed, b"nobody")
                message = client.next_message()
                value = message.get(stun.ICMP)
                both = struct.unpack(">H", value[2:4])[0]
                check("TURN-B26", f"{name} {host}", (message.address(stun.XOR_PEER_ADDRESS), both >> 9, both & 0x1FF, message.has(stun.DATA_ATTRIBUTE)), (closed, *kind, False))


def channels(lab):
    """TURN-B27: ChannelBind; TURN-B29: ChannelData; TURN-B30: the first octet"""
    with lab.client() as c, Peer() as peer, Peer() as other:
        c.allocate()
        for number in (0, 1, 0x3FFF, 0x5000, 0x7FFF, 0x8000, 0xFFFF):
            check("TURN-B27", f"number {number:04X}", c.bind(number, peer.address).error, 400)
        check("TURN-B27", "no number", c.permit(peer.address).ok and c.request(stun.CHANNEL_BIND, lambda t: [
            (stun.XOR_PEER_ADDRESS, stun.xor_address(*peer.address, t))]).error, 400)
        check("TURN-B27", "no peer", c.request(stun.CHANNEL_BIND, [(stun.CHANNEL_NUMBER, b"\x40\0\0\0")]).error, 400)
        for length in (0, 1, 2, 3, 5, 8):
            check("CLIENT-8", f"number of {length} octets", c.request(stun.CHANNEL_BIND, lambda t: [
                (stun.CHANNEL_NUMBER, b"\x40\0\0\0\0\0\0\0"[:length]), (stun.XOR_PEER_ADDRESS, stun.xor_address(*peer.address, t))]).error, 400)
        check("TURN-B27", "another family", c.bind(0x4000, ("::1", 9)).error, 443)
        check("TURN-B27", "forbidden", c.bind(0x4000, ("224.0.0.1", 9)).error, 403)
        check("TURN-B27", "port 0", c.bind(0x4000, ("127.0.0.1", 0)).error, 400)
        check("TURN-B27", "reserved octets are ignored", c.request(stun.CHANNEL_BIND, lambda t: [
            (stun.CHANNEL_NUMBER, b"\x40\0\xFF\xFF"), (stun.XOR_PEER_ADDRESS, stun.xor_address(*peer.address, t))]).ok)
        check("TURN-B27", "again", c.bind(0x4000, peer.address).ok)
        check("TURN-B27", "number of another peer", c.bind(0x4000, other.address).error, 400)
        check("TURN-B27", "peer of another number", c.bind(0x4001, peer.address).error, 400)
        check("TURN-B27", "last number", c.bind(0x4FFF, other.address).ok)
    with lab.client() as c, Peer("127.0.0.5") as peer:
        c.allocate()
        c.bind(0x4000, peer.address)
        peer.send(b"x", (c.relayed))
        check("TURN-B27", "installs a permission", c.next()[:4].hex(), "40000001")
        with Peer("127.0.0.5") as second:
            second.send(b"y", c.relayed)
            check("TURN-B27", "for every port", c.next_message().get(stun.DATA_ATTRIBUTE), b"y")
    with lab.client(server=lab.quota) as c:
        c.allocate()
        check("TURN-B27", "four channels", [c.bind(0x4000 + i, ("203.0.113.1", 1000 + i)).error for i in range(5)], [None] * 4 + [508])
        c.refresh(0)
    for name, server in lab.back_ends.items():
        for transport in ("udp", "tcp", "tls"):
            with lab.client(server=server, transport=transport) as c, Peer() as peer:
                c.allocate()
                c.bind(0x4000, peer.address)
                if transport == "udp":
                    for octets in (b"\x40\0\0\5abcd", b"\x40\0\xFF\xFFabcd", b"\x40\0\0", b"\x40", b"\x40\1\0\1a", b"\x4F\xFF\0\1a"):
                        c.send(octets)
                    c.send(b"\x40\0\0\3abc")
                    c.send(b"\x40\0\0\3abc\0")
                    c.send(b"\x40\0\0\3abc\xFF\xFF\xFF\xFF\xFF")
                    check("TURN-B29", f"{name} with and without padding", [peer.receive()[0] for _ in range(3)], [b"abc"] * 3)
                else:
                    c.send(b"\x40\1\0\1a\0\0\0" + b"\x40\0\0\1b\xFF\xFF\xFF")
                    check("TURN-B29", f"{name} {transport} unbound is dropped, padding ignored", peer.receive()[0], b"b")
                for length in range(0, 10):
                    peer.send(b"p" * length, c.relayed)
                    pad = bytes(-length % 4) if transport != "udp" else b""
                    check("TURN-B29", f"{name} {transport} {length} octets", c.next(), struct.pack(">HH", 0x4000, length) + b"p" * length + pad)
    with lab.client() as c:
        for octet in list(range(0x04, 0x100, 4)):
            check("TURN-B30", f"first octet {octet:02X}", c.answer(bytes([octet, 0, 0, 0]) + os.urandom(16)), None)


def quotas(lab):
    """TURN-B15: an exhausted quota gets 486; TURN-B33: what one user may take is limited; CLIENT-3"""
    def use(credentials, hosts=None):
        clients = [lab.client(credential, lab.quota, address=host) for credential, host in zip(credentials, hosts or ["127.0.0.1"] * 99)]
        errors = [c.allocate().error for c in clients]
        for c, error in zip(clients, errors):
            if error is None:
                c.refresh(0)
            c.close()
        return errors
    three = [None, None, None, 486, 486]
    for claim in ("TURN-B15", "TURN-B33", "CLIENT-3"):
        check(claim, "a static user", use([lab.alice] * 5), three)
    check("CLIENT-3", "a user with another character", use([Credential("ti~lde", "secret")] * 5), three)
    check("CLIENT-3", "an ephemeral user", use([lab.ephemeral()] * 5), three)
    check("CLIENT-3", "an ephemeral user of many names", use([lab.ephemeral(seconds=60 + i) for i in range(5)]), three)
    check("CLIENT-3", "SHA-256 does not make another user", use([lab.alice, lab.alice.but(sha256=True), lab.alice.but(algorithm=2), lab.alice.but(algorithm=1)]), three[:4])
    check("CLIENT-3", "others have their own", use([lab.alice] * 3 + [lab.bob] * 3 + [lab.ephemeral(":alice")] * 3), [None] * 9)
    token = lab.token()
    check("CLIENT-3", "a token", use([token.native()] * 4), [None, None, 486, 486])
    token = lab.token()
    check("CLIENT-3", "a token in both profiles", use([token.native(), token.browser(), token.native(), token.browser()]), [None, None, 486, 486])
    check("CLIENT-3", "the place is given back", use([token.browser()] * 3), [None, None, 486])
    for kind in ("native", "browser"):
        token = lab.token(lifetime=300)
        each = [use([getattr(token, kind)()], [f"127.0.0.{i}"])[0] for i in (1, 2, 3, 1, 2, 3)]
        check("CLIENT-3", f"addresses of a token, {kind}", each, [None, None, 486, None, None, 486])


def peers(lab):
    """TURN-B32: 6to4 and Teredo are refused; TURN-B34: the server's own addresses are no peers"""
    with lab.client(server=lab.quota) as c:
        c.allocate((stun.ADDITIONAL_FAMILY, SIX))
        for host in REFUSED_PEERS + REFUSED_PEERS_6:
            claim = "TURN-B32" if host.startswith(("2002:", "2001:0:", "2001::", "192.88.")) else "TURN-B34"

            # The relays of this server are at 127.0.0.1 and ::1, and a permission has no port.
            if host not in ("127.0.0.1", "::1"):
                check(claim, f"permission for {host}", c.permit((host, 7000)).error, 403)
            check(claim, f"channel to {host}", c.bind(0x4000, (host, 7000)).error, 403)
        check("TURN-B34", "an address that is allowed", c.permit(("203.0.113.5", 7000), ("2001:db8::5", 7000)).ok)
        c.refresh(0)
    with lab.client() as c:
        c.allocate()
        for port in (lab.main["port"], lab.main["tls"], lab.main["management"]):
            check("TURN-B34", f"own port {port}", c.bind(0x4000, ("127.0.0.1", port)).error, 403)
            with lab.client(transport="tcp") as d:
                d.allocate(transport=stun.TCP)
                answer = d.request(stun.CONNECT, lambda t: [(stun.XOR_PEER_ADDRESS, stun.xor_address("127.0.0.1", port, t))])
                check("TURN-B34", f"Connect to {port}", answer.error, 403)


def numbers(lab):
    """TURN-B36: methods and attributes have their registered numbers; TURN-B35: error codes"""
    with lab.client() as c, Peer() as peer:
        answer = c.allocate((stun.EVEN_PORT, b"\x80"), (stun.MOBILITY_TICKET, b""))
        check("TURN-B36", "attributes of success", {0x16, 0x0D, 0x20, 0x22, 0x8030, 0x8022, 0x08} - {kind for kind, _ in answer.attributes}, set())
        check("TURN-B36", "methods", [c.refresh().ok, c.permit(peer.address).ok, c.bind(0x4000, peer.address).ok], [True] * 3)
    codes = {400: "TURN-B8", 401: "TURN-A25", 403: "TURN-B23", 405: "TURN-D1", 420: "TURN-A7", 437: "TURN-B2", 438: "TURN-A29", 440: "TURN-B12",
             441: "TURN-B3", 442: "TURN-B8", 443: "TURN-B20", 446: "TURN-C3", 447: "TURN-C3", 486: "TURN-B15", 508: "TURN-B10", 300: "TURN-A35"}
    check("TURN-B35", "each has its check under another claim", len(codes), 16)


def streams_of_others(lab):
    """CLIENT-8: a token stream that begins with octets of another protocol is closed at once"""
    beginnings = {"HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "one letter": b"G", "TLS": bytes.fromhex("160301020001000001"), "SSH": b"SSH-2.0-x\r\n",
                  "SIP": b"REGISTER sip:x SIP/2.0\r\n", "Redis": b"*1\r\n$4\r\nPING\r\n", "proxy, version 1": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
                  "proxy, version 2": bytes.fromhex("0d0a0d0a000d0a515549540a"), "RFC 4571": bytes.fromhex("001c000100002112a442"),
                  "another cookie": bytes.fromhex("000100002112a443"), "ChannelData": b"\x40\0\0\4abcd", "JSON": b'{"a":1}', "zeros": bytes(8),
                  "ones": b"\xFF" * 4, "an odd length": bytes.fromhex("00010003"), "SMTP": b"EHLO x\r\n", "MQTT": bytes.fromhex("100c00044d515454")}
    for transport in ("tcp", "tls"):
        for name, octets in beginnings.items():
            with lab.client(transport=transport) as c:
                c.send(octets)
                check("CLIENT-8", f"{name} over {transport}", c.is_closed())
        with lab.client(transport=transport) as c:
            c.allocate()
            c.send(b"\x40\0\0\4abcd")
            check("CLIENT-8", f"{transport}: ChannelData after an Allocate is dropped", c.exchange(c.plain(stun.BINDING)).ok)
            c.send(b"\0\1\0\0" + os.urandom(16))
            check("CLIENT-8", f"{transport}: another cookie later", c.is_closed())


ALL = [transports, without_allocation, other_credentials, relayed_addresses, allocate_is_authenticated, tuple_in_use, requested_transport,
       dont_fragment, reservations, families, between_families, lifetimes, dual, permissions, send, from_peers, icmp, channels, quotas, peers, numbers,
       streams_of_others]
