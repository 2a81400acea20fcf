"""STUN, TURN and RFC 7635 tokens, written from the RFCs. It shares no code with the server or its client."""
import base64
import hashlib
import hmac
import os
import socket
import struct
import time
import zlib

COOKIE = 0x2112A442
BINDING, ALLOCATE, REFRESH, SEND, DATA, CREATE_PERMISSION, CHANNEL_BIND = 1, 3, 4, 6, 7, 8, 9
CONNECT, CONNECTION_BIND, CONNECTION_ATTEMPT = 10, 11, 12
REQUEST, INDICATION, SUCCESS, ERROR = 0, 1, 2, 3

MAPPED_ADDRESS, USERNAME, MESSAGE_INTEGRITY, ERROR_CODE, UNKNOWN_ATTRIBUTES = 0x01, 0x06, 0x08, 0x09, 0x0A
CHANNEL_NUMBER, LIFETIME, XOR_PEER_ADDRESS, DATA_ATTRIBUTE, REALM, NONCE = 0x0C, 0x0D, 0x12, 0x13, 0x14, 0x15
XOR_RELAYED_ADDRESS, REQUESTED_FAMILY, EVEN_PORT, REQUESTED_TRANSPORT, DONT_FRAGMENT = 0x16, 0x17, 0x18, 0x19, 0x1A
ACCESS_TOKEN, MESSAGE_INTEGRITY_SHA256, PASSWORD_ALGORITHM, USERHASH = 0x1B, 0x1C, 0x1D, 0x1E
XOR_MAPPED_ADDRESS, RESERVATION_TOKEN, CONNECTION_ID = 0x20, 0x22, 0x2A
ADDITIONAL_FAMILY, ADDRESS_ERROR_CODE, PASSWORD_ALGORITHMS, ICMP = 0x8000, 0x8001, 0x8002, 0x8004
SOFTWARE, ALTERNATE_SERVER, FINGERPRINT, THIRD_PARTY, MOBILITY_TICKET = 0x8022, 0x8023, 0x8028, 0x802E, 0x8030

UDP = (REQUESTED_TRANSPORT, bytes([17, 0, 0, 0]))
TCP = (REQUESTED_TRANSPORT, bytes([6, 0, 0, 0]))
OFFERED_ALGORITHMS = bytes([0, 2, 0, 0, 0, 1, 0, 0])


def padded(length):
    return (length + 3) // 4 * 4


def message_type(method, message_class):
    """RFC 8489 section 5: the two bits of the class stand between those of the method."""
    return ((method & 0xF80) << 2) | ((method & 0x70) << 1) | (method & 0xF) | ((message_class & 2) << 7) | ((message_class & 1) << 4)


def new_transaction():
    return os.urandom(12)


def attribute(kind, value, pad=b"\0"):
    return struct.pack(">HH", kind, len(value)) + value + pad * (padded(len(value)) - len(value))


def build(method, message_class, transaction, attributes, key=None, sha256=False, both=False, fingerprint=False, after=b"", pad=b"\0"):
    body = b"".join(attribute(kind, value, pad) for kind, value in attributes)
    head = struct.pack(">H", message_type(method, message_class))
    tail = struct.pack(">I", COOKIE) + transaction

    def header(length):
        return head + struct.pack(">H", length) + tail

    if key is not None:
        for name, size, digest in [(MESSAGE_INTEGRITY, 20, hashlib.sha1), (MESSAGE_INTEGRITY_SHA256, 32, hashlib.sha256)]:
            if not both and (size == 32) != sha256:
                continue
            body += attribute(name, hmac.new(key, header(len(body) + 4 + size) + body, digest).digest())
    body += after
    if fingerprint:
        crc = zlib.crc32(header(len(body) + 8) + body) ^ 0x5354554E
        body += attribute(FINGERPRINT, struct.pack(">I", crc & 0xFFFFFFFF))
    return header(len(body)) + body


def xor_address(host, port, transaction):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    mask = struct.pack(">I", COOKIE) + transaction
    octets = bytes(a ^ b for a, b in zip(socket.inet_pton(family, host), mask))
    return struct.pack(">BBH", 0, 2 if family == socket.AF_INET6 else 1, port ^ (COOKIE >> 16)) + octets


def read_address(value, transaction=None):
    family = socket.AF_INET6 if value[1] == 2 else socket.AF_INET
    mask = struct.pack(">I", COOKIE) + transaction if transaction is not None else bytes(16)
    port = struct.unpack(">H", value[2:4])[0] ^ (COOKIE >> 16 if transaction is not None else 0)
    return socket.inet_ntop(family, bytes(a ^ b for a, b in zip(value[4:], mask))), port


class Message:
    """A message as it came. Reading it checks what a receiver may rely on."""

    def __init__(self, octets):
        self.octets = octets
        kind, length, cookie = struct.unpack(">HHI", octets[:8])
        assert kind < 0x4000 and cookie == COOKIE and length % 4 == 0 and length == len(octets) - 20, octets.hex()
        self.message_class = ((kind >> 7) & 2) | ((kind >> 4) & 1)
        self.method = ((kind >> 2) & 0xF80) | ((kind >> 1) & 0x70) | (kind & 0xF)
        self.transaction = octets[8:20]
        self.attributes, self.offsets = [], {}
        self.padding = b""
        at = 20
        while at < len(octets):
            name, size = struct.unpack(">HH", octets[at:at + 4])
            self.attributes.append((name, octets[at + 4:at + 4 + size]))
            self.offsets.setdefault(name, at)
            self.padding += octets[at + 4 + size:at + 4 + padded(size)]
            at += 4 + padded(size)
        assert at == len(octets), "an attribute is longer than its message"

    def all(self, name):
        return [value for kind, value in self.attributes if kind == name]

    def get(self, name):
        return (self.all(name) or [None])[0]

    def has(self, name):
        return self.get(name) is not None

    @property
    def error(self):
        value = self.get(ERROR_CODE)
        return None if value is None else (value[2] & 7) * 100 + value[3]

    @property
    def ok(self):
        return self.message_class == SUCCESS

    @property
    def lifetime(self):
        value = self.get(LIFETIME)
        return None if value is None else struct.unpack(">I", value)[0]

    def address(self, name=XOR_RELAYED_ADDRESS):
        value = self.get(name)
        return None if value is None else read_address(value, self.transaction)

    def addresses(self, name=XOR_RELAYED_ADDRESS):
        return [read_address(value, self.transaction) for value in self.all(name)]

    def signed_by(self, key, name=MESSAGE_INTEGRITY):
        if name not in self.offsets:
            return False
        at, size = self.offsets[name], 20 if name == MESSAGE_INTEGRITY else 32
        covered = self.octets[:2] + struct.pack(">H", at + 4 + size - 20) + self.octets[4:at]
        digest = hashlib.sha1 if size == 20 else hashlib.sha256
        return hmac.new(key, covered, digest).digest() == self.octets[at + 4:at + 4 + size]

    def fingerprint_is_right(self):
        at = self.offsets.get(FINGERPRINT)
        crc = zlib.crc32(self.octets[:at]) ^ 0x5354554E
        return at == len(self.octets) - 8 and struct.pack(">I", crc & 0xFFFFFFFF) == self.octets[at + 4:]

    def __repr__(self):
        if self.message_class == ERROR:
            return f"{self.error}"
        return f"class {self.message_class} of method {self.method}" + (f", LIFETIME {self.lifetime}" if self.has(LIFETIME) else "")


class Credential:
    """How a client signs: the user name, the key for a realm, and what else its requests carry."""

    def __init__(self, username, password=None, key=None, token=None, sha256=False, algorithm=0, realm=None):
        self.username = username if isinstance(username, bytes) else username.encode()
        self.password, self.fixed_key, self.token = password, key, token
        self.sha256, self.algorithm, self.realm = sha256, algorithm, realm

    def key(self, realm):
        if self.fixed_key is not None:
            return self.fixed_key
        joined = self.username + b":" + realm + b":" + self.password.encode()
        return hashlib.sha256(joined).digest() if self.algorithm == 2 else hashlib.md5(joined).digest()

    def but(self, **changes):
        copy = Credential.__new__(Credential)
        copy.__dict__.update(self.__dict__)
        copy.__dict__.update(changes)
        return copy


def ephemeral(secret, name, seconds, before=""):
    """The REST scheme: the user name has its end before or behind a colon."""
    username = f"{before}{int(time.time()) + seconds}{name}"
    password = base64.b64encode(hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()).decode()
    return Credential(username, password)


class Token:
    """A self-contained token (RFC 7635 section 6.2) under a long-term key."""

    def __init__(self, kid, key, server_name, mac_length=20, age=0.0, lifetime=600, mac_key=None, nonce=None, timestamp=None):
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.kid = kid

        # HMAC pads its key with zeros, so a key that ends in zero would be the same when cut.
        self.mac_key = mac_key if mac_key is not None else os.urandom(mac_length - 1) + b"\1"
        nonce = nonce if nonce is not None else os.urandom(12)
        now = time.time() - age
        if timestamp is None:
            timestamp = (int(now) << 16) | int((now - int(now)) * 64000)
        content = struct.pack(">H", len(self.mac_key)) + self.mac_key + struct.pack(">QI", timestamp, lifetime)
        self.octets = struct.pack(">H", len(nonce)) + nonce + AESGCM(key).encrypt(nonce, content, server_name.encode())

    def native(self, octets=None, sha256=None, kid=None):
        sha256 = len(self.mac_key) == 32 if sha256 is None else sha256
        key = hashlib.sha1(self.mac_key).digest() if len(self.mac_key) == 32 and not sha256 else self.mac_key
        return Credential(kid or self.kid, key=key, token=self.octets if octets is None else octets, sha256=sha256)

    def browser(self, text=None, algorithm=0):
        text = base64.urlsafe_b64encode(self.octets).rstrip(b"=").decode() if text is None else text
        return Credential(f"{self.kid}~{text}", base64.b64encode(self.mac_key).decode(), algorithm=algorithm)
