"""A client that sends what it is told to, right or wrong, over UDP, TCP or TLS."""
import itertools
import random
import socket
import ssl
import struct

import stun
from stun import Credential, Message

TIMEOUT = 5

# The server keeps the allocation of a client that is gone: one that got its port again would be answered 437.
ADDRESSES = itertools.count(random.randrange(1 << 20))


def new_address():
    number = next(ADDRESSES)
    return f"127.{64 + (number >> 14) % 64}.{(number >> 7) % 128}.{1 + number % 128}"


class Client:
    def __init__(self, server, credential=None, transport="udp", address=None, alpn=None):
        self.server, self.credential, self.transport = server, credential, transport
        host, port = server
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.socket = socket.socket(family, kind)
        self.socket.settimeout(TIMEOUT)
        self.socket.bind((address or (host if ":" in host else new_address()), 0))
        self.socket.connect(server)
        self.here = self.socket.getsockname()[:2]
        if transport == "tls":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols(alpn or ["stun.turn"])
            self.socket = context.wrap_socket(self.socket)
        if transport != "udp":
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.realm = self.nonce = None
        self.relayed = None
        self.waiting = []

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # Octets

    def send(self, octets):
        if self.transport == "udp":
            self.socket.send(octets)
        else:
            self.socket.sendall(octets)

    def receive(self, timeout=TIMEOUT):
        """The next packet or message, as octets; None after the time or at the end of the stream."""
        self.socket.settimeout(timeout)
        try:
            if self.transport == "udp":
                return self.socket.recv(70000)
            while True:
                if len(self.buffer) >= 4:
                    length = struct.unpack(">H", self.buffer[2:4])[0]
                    length = stun.padded(length) + 4 if self.buffer[0] & 0xC0 == 0x40 else length + 20
                    if len(self.buffer) >= length:
                        message, self.buffer = self.buffer[:length], self.buffer[length:]
                        return message
                more = self.socket.recv(70000)
                if not more:
                    return None
                self.buffer += more
        except (TimeoutError, socket.timeout, ConnectionError, ssl.SSLError):
            return None

    def is_closed(self, timeout=TIMEOUT):
        """Whether the server ends the stream within the time."""
        self.socket.settimeout(timeout)
        try:
            return not self.socket.recv(70000)
        except (TimeoutError, socket.timeout):
            return False
        except (ConnectionError, ssl.SSLError):
            return True

    # Messages

    def exchange(self, octets):
        """The answer to a request that is answered in any case. Data that comes before it is kept."""
        transaction = octets[8:20]
        for _ in range(3):
            self.send(octets)
            while (packet := self.receive()) is not None:
                if packet[0] & 0xC0 == 0 and packet[8:20] == transaction:
                    return Message(packet)
                self.waiting.append(packet)
        return None

    def answer(self, octets):
        """The answer, or None if the server answers only the Binding request that follows."""
        probe = stun.build(stun.BINDING, stun.REQUEST, stun.new_transaction(), [])
        self.send(octets)
        self.send(probe)
        found = None
        while (packet := self.receive()) is not None:
            if packet[0] & 0xC0 != 0:
                self.waiting.append(packet)
            elif packet[8:20] == probe[8:20]:
                return found
            else:
                found = Message(packet)
        return found

    def plain(self, method, attributes=(), message_class=stun.REQUEST, transaction=None, **options):
        return stun.build(method, message_class, transaction or stun.new_transaction(), attributes, **options)

    def challenge(self):
        answer = self.exchange(self.plain(stun.ALLOCATE, [stun.UDP]))
        self.realm, self.nonce = answer.get(stun.REALM), answer.get(stun.NONCE)
        return answer

    def signed(self, method, attributes=(), credential=None, transaction=None, without=(), **options):
        """A signed request. Attributes may be a function of the transaction id, which masks addresses."""
        credential = credential or self.credential
        if self.nonce is None:
            self.challenge()
        transaction = transaction or stun.new_transaction()
        attributes = list(attributes(transaction) if callable(attributes) else attributes)
        realm = self.realm if credential.realm is None else credential.realm
        signing = [(stun.USERNAME, credential.username), (stun.REALM, realm), (stun.NONCE, self.nonce)]
        if credential.algorithm:
            signing += [(stun.PASSWORD_ALGORITHM, struct.pack(">HH", credential.algorithm, 0)),
                        (stun.PASSWORD_ALGORITHMS, stun.OFFERED_ALGORITHMS)]
        if credential.token is not None and method in (stun.ALLOCATE, stun.REFRESH):
            signing.append((stun.ACCESS_TOKEN, credential.token))
        attributes += [pair for pair in signing if pair[0] not in without]
        options.setdefault("sha256", credential.sha256)
        options.setdefault("key", credential.key(realm))
        return stun.build(method, stun.REQUEST, transaction, attributes, **options)

    def request(self, method, attributes=(), **options):
        return self.exchange(self.signed(method, attributes, **options))

    def allocate(self, *attributes, transport=stun.UDP, **options):
        answer = self.request(stun.ALLOCATE, [transport, *attributes], **options)
        if answer is not None and answer.ok:
            self.relayed = answer.address()
        return answer

    def refresh(self, lifetime=None, *attributes, **options):
        seconds = [] if lifetime is None else [(stun.LIFETIME, struct.pack(">I", lifetime))]
        return self.request(stun.REFRESH, seconds + list(attributes), **options)

    def permit(self, *peers, **options):
        return self.request(stun.CREATE_PERMISSION, lambda t: [
            (stun.XOR_PEER_ADDRESS, stun.xor_address(host, port, t)) for host, port in peers], **options)

    def bind(self, channel, peer, **options):
        return self.request(stun.CHANNEL_BIND, lambda t: [
            (stun.CHANNEL_NUMBER, struct.pack(">HH", channel, 0)), (stun.XOR_PEER_ADDRESS, stun.xor_address(*peer, t))], **options)

    def send_to(self, peer, data, *attributes, message_class=stun.INDICATION):
        t = stun.new_transaction()
        parts = [] if peer is None else [(stun.XOR_PEER_ADDRESS, stun.xor_address(*peer, t))]
        parts += [] if data is None else [(stun.DATA_ATTRIBUTE, data)]
        self.send(stun.build(stun.SEND, message_class, t, parts + list(attributes)))

    def on_channel(self, channel, data, pad=None):
        pad = self.transport != "udp" if pad is None else pad
        self.send(struct.pack(">HH", channel, len(data)) + data + bytes(-len(data) % 4 if pad else 0))

    def next(self, timeout=TIMEOUT):
        return self.waiting.pop(0) if self.waiting else self.receive(timeout)

    def next_message(self, timeout=TIMEOUT):
        packet = self.next(timeout)
        return None if packet is None else Message(packet)


class Peer:
    """A UDP socket beside the server."""

    def __init__(self, host="127.0.0.1"):
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.address = self.socket.getsockname()[:2]

    def receive(self, timeout=TIMEOUT):
        self.socket.settimeout(timeout)
        try:
            data, source = self.socket.recvfrom(70000)
            return data, source[:2]
        except (TimeoutError, socket.timeout):
            return None, None

    def send(self, data, to):
        self.socket.sendto(data, to)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
