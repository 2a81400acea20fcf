"""TURN-A: RFC 8489, from the first octet to the credentials."""
import base64
import collections
import hashlib
import hmac
import os
import struct
import time

import stun
from client import Client, Peer
from report import check
from stun import Credential


def changed(octets, index, value):
    octets = bytearray(octets)
    octets[index] = value
    return bytes(octets)


def framing(lab):
    """TURN-A1: what is no STUN message is dropped, and the next one is answered"""
    for transport in ("udp",):
        with lab.client(transport=transport) as c:
            binding = c.plain(stun.BINDING, [(stun.SOFTWARE, b"abcd")])
            cases = {"first bits 10": changed(binding, 0, 0x80), "first bits 11": changed(binding, 0, 0xC0),
                     "length 1": changed(binding, 3, 1), "length 2": changed(binding, 3, 2), "length beyond": changed(binding, 3, 12),
                     "length short": changed(binding, 3, 4), "octets behind": binding + bytes(4), "one octet behind": binding + b"\0",
                     "empty": b"", "one octet": b"\0", "19 octets": binding[:19], "attribute beyond": changed(binding, 23, 5),
                     "attribute far beyond": changed(changed(binding, 22, 255), 23, 255)}
            for i in range(4, 8):
                cases[f"cookie octet {i}"] = changed(binding, i, binding[i] ^ 1)
            for name, octets in cases.items():
                check("TURN-A1", name, c.answer(octets), None)
            check("TURN-A1", "the right one", c.answer(binding).ok)


def types(lab):
    """TURN-A2: method and class are interleaved"""
    with lab.client() as c:
        check("TURN-A2", "Allocate is 0x0003", stun.message_type(stun.ALLOCATE, stun.REQUEST), 3)
        answer = c.challenge()
        check("TURN-A2", "its error is 0x0113", answer.octets[:2].hex(), "0113")
        check("TURN-A2", "its success is 0x0103", c.allocate().octets[:2].hex(), "0103")
        check("TURN-A2", "Binding success is 0x0101", c.exchange(c.plain(stun.BINDING)).octets[:2].hex(), "0101")
        with Peer() as peer:
            c.permit(peer.address)
            peer.send(b"x", c.relayed)
            check("TURN-A2", "Data is 0x0017", c.next()[:2].hex(), "0017")


def responses(lab):
    """TURN-A3: a response repeats transaction and method"""
    with lab.client() as c:
        for method, attributes in ((stun.BINDING, []), (stun.ALLOCATE, [stun.UDP]), (stun.REFRESH, []),
                                   (stun.CREATE_PERMISSION, []), (stun.CHANNEL_BIND, [])):
            for build in (c.plain, c.signed):
                octets = build(method, attributes)
                answer = c.exchange(octets)
                check("TURN-A3", f"method {method}", (answer.transaction, answer.method), (octets[8:20], method))


def padding(lab):
    """TURN-A4: padding is zero when sent and ignored when received"""
    with lab.client() as c, Peer() as peer:
        messages = [c.challenge(), c.allocate(pad=b"\xA5"), c.permit(peer.address, pad=b"\xFF"), c.refresh(pad=b"\x01")]
        check("TURN-A4", "padding is ignored", [m.ok for m in messages[1:]], [True] * 3)
        for length in range(0, 9):
            peer.send(b"\xFF" * length, c.relayed)
            data = c.next_message()
            check("TURN-A4", f"data of {length}", data.get(stun.DATA_ATTRIBUTE), b"\xFF" * length)
            messages.append(data)
            c.send_to(peer.address, b"y" * length)
            check("TURN-A4", f"sent {length}", peer.receive()[0], b"y" * length)
        messages.append(c.request(stun.ALLOCATE, [stun.UDP, (0x7FFF, b"abc")]))
        for message in messages:
            check("TURN-A4", "padding sent", message.padding.strip(b"\0"), b"")
        check("TURN-A4", "user name padded with ones", lab.allocate_once(lab.alice, pad=b"\xFF").ok)


def duplicates(lab):
    """TURN-A5: the first of several attributes counts"""
    with lab.client() as c, Peer() as peer:
        first = c.allocate((stun.LIFETIME, struct.pack(">I", 1000)), (stun.LIFETIME, struct.pack(">I", 2000)))
        check("TURN-A5", "LIFETIME", first.lifetime, 1000)
        check("TURN-A5", "LIFETIME in Refresh", c.refresh(1200, (stun.LIFETIME, struct.pack(">I", 0))).lifetime, 1200)
        second = c.request(stun.CHANNEL_BIND, lambda t: [
            (stun.CHANNEL_NUMBER, b"\x40\1\0\0"), (stun.CHANNEL_NUMBER, b"\x10\0\0\0"),
            (stun.XOR_PEER_ADDRESS, stun.xor_address(*peer.address, t)),
            (stun.XOR_PEER_ADDRESS, stun.xor_address("224.0.0.1", 1, t))])
        check("TURN-A5", "channel and peer", second.ok)
        c.on_channel(0x4001, b"first")
        check("TURN-A5", "peer of the channel", peer.receive()[0], b"first")
        c.send_to(peer.address, b"one", (stun.DATA_ATTRIBUTE, b"two"))
        check("TURN-A5", "DATA", peer.receive()[0], b"one")
        check("TURN-A5", "wrong length of the second", c.refresh(700, (stun.LIFETIME, b"\0")).lifetime, 700)
        with lab.client() as d:
            answer = d.request(stun.ALLOCATE, [stun.UDP, (stun.USERNAME, b"alice"), (stun.USERNAME, b"mallory")], without=[stun.USERNAME])
            check("TURN-A5", "USERNAME", answer.ok)


def comprehension(lab):
    """TURN-A6: types from 0x8000 on may be ignored, others not"""
    for kind in (0x8005, 0x8009, 0x8021, 0x8025, 0x802F, 0x8031, 0x9000, 0xC000, 0xFFFF):
        with lab.client() as c:
            check("TURN-A6", f"{kind:04X} is ignored", c.allocate((kind, b"abc")).ok)
            check("TURN-A6", f"{kind:04X} in Binding", c.exchange(c.plain(stun.BINDING, [(kind, b"")])).ok)
    with lab.client() as c:
        for kind in (0x0002, 0x0003, 0x0004, 0x0005, 0x0007, 0x000B, 0x0010, 0x0011, 0x0021, 0x0024, 0x0025, 0x0029, 0x002B, 0x4000, 0x7FFF):
            answer = c.exchange(c.plain(stun.BINDING, [(kind, b"")]))
            check("TURN-A6", f"{kind:04X} is unknown", (answer.error, answer.get(stun.UNKNOWN_ATTRIBUTES)), (420, struct.pack(">H", kind)))


def unknown(lab):
    """TURN-A7: 420 with the list, after authentication"""
    with lab.client() as c:
        check("TURN-A7", "before authentication", c.exchange(c.plain(stun.ALLOCATE, [stun.UDP, (0x7FFE, b"")])).error, 401)
        check("TURN-A7", "wrong password", c.allocate((0x7FFE, b""), credential=lab.wrong).error, 401)
        for method in (stun.ALLOCATE, stun.REFRESH, stun.CREATE_PERMISSION, stun.CHANNEL_BIND):
            for count in (1, 2, 3, 17, 40, 100):
                kinds = list(range(0x7000, 0x7000 + count))
                answer = c.request(method, [stun.UDP] + [(kind, b"") for kind in kinds])
                listed = answer.get(stun.UNKNOWN_ATTRIBUTES) or b""
                check("TURN-A7", f"{count} in method {method}", (answer.error, list(struct.unpack(f">{len(listed) // 2}H", listed))), (420, kinds))
                check("TURN-A7", "signed", answer.signed_by(lab.alice.key(c.realm)))
        check("TURN-A7", "no allocation was made", c.allocate().ok)


def indications(lab):
    """TURN-A8: an indication with an unknown attribute is dropped"""
    with lab.client() as c, Peer() as peer:
        c.allocate()
        c.permit(peer.address)
        for kind in (0x0002, 0x0003, 0x0024, 0x7FFF):
            c.send_to(peer.address, b"unknown", (kind, b"1234"))
        for kind in (0x8005, 0xFFFF, stun.LIFETIME, stun.CHANNEL_NUMBER, stun.USERNAME):
            c.send_to(peer.address, struct.pack(">H", kind), (kind, b"1234"))
            check("TURN-A8", f"{kind:04X} passes", peer.receive()[0], struct.pack(">H", kind))
        check("TURN-A8", "Binding indication", c.answer(c.plain(stun.BINDING, [(0x7FFF, b"")], stun.INDICATION)), None)


def unexpected(lab):
    """TURN-A9: known attributes that a method does not expect are ignored"""
    known = [0x01, 0x09, 0x0A, 0x0C, 0x0D, 0x12, 0x13, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x20, 0x22, 0x2A]
    read = {stun.ALLOCATE: {0x0D, 0x17, 0x18, 0x19, 0x1A, 0x22}, stun.REFRESH: {0x0D, 0x17}, stun.CREATE_PERMISSION: {0x12},
            stun.CHANNEL_BIND: {0x0C, 0x12}}
    with lab.client() as c, Peer() as peer:
        check("TURN-A9", "Allocate", c.allocate(*[(kind, b"1") for kind in known if kind not in read[stun.ALLOCATE]]).ok)
        check("TURN-A9", "Refresh", c.refresh(600, *[(kind, b"1") for kind in known if kind not in read[stun.REFRESH]]).ok)
        for method in (stun.CREATE_PERMISSION, stun.CHANNEL_BIND):
            extra = [(kind, b"12345") for kind in known if kind not in read[method]]
            answer = c.request(method, lambda t: [(stun.CHANNEL_NUMBER, b"\x40\0\0\0")] * (method == stun.CHANNEL_BIND) + [
                (stun.XOR_PEER_ADDRESS, stun.xor_address(*peer.address, t))] + extra)
            check("TURN-A9", f"method {method}", answer.ok)
        check("TURN-A9", "Binding", c.exchange(c.plain(stun.BINDING, [(kind, b"") for kind in known])).ok)


def unexpected_messages(lab):
    """TURN-A10: responses and other methods are dropped in silence"""
    with lab.client() as c:
        for method in (stun.BINDING, stun.ALLOCATE, stun.REFRESH, stun.SEND, stun.DATA, stun.CREATE_PERMISSION):
            for kind in (stun.SUCCESS, stun.ERROR):
                check("TURN-A10", f"method {method} class {kind}", c.answer(c.plain(method, [], kind)), None)
        for method in (0, 2, 5, stun.SEND, stun.DATA, stun.CONNECTION_ATTEMPT, 0xD, 0x7F, 0x80, 0xFFF):
            check("TURN-A10", f"request of method {method:X}", c.answer(c.plain(method)), None)
        for method in (stun.BINDING, stun.ALLOCATE, stun.REFRESH, stun.DATA, 0xFFF):
            check("TURN-A10", f"indication of method {method:X}", c.answer(c.plain(method, [], stun.INDICATION)), None)


def binding(lab):
    """TURN-A11: Binding needs no credentials, and XOR-MAPPED-ADDRESS is coded (TURN-A12)"""
    for transport in ("udp", "tcp", "tls"):
        for host in ("127.0.0.1", "::1"):
            with lab.client(transport=transport, host=host) as c:
                answer = c.exchange(c.plain(stun.BINDING))
                check("TURN-A11", f"{transport} {host}", answer.ok)
                check("TURN-A12", f"{transport} {host}", answer.address(stun.XOR_MAPPED_ADDRESS), c.here)
                check("TURN-A12", "family octets", answer.get(stun.XOR_MAPPED_ADDRESS)[:2], b"\0\2" if ":" in host else b"\0\1")


def source(lab):
    """TURN-A13: the answer leaves from the address and port that were asked"""
    import socket
    for host in ("127.0.0.1", "127.0.0.2", "::1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.bind(("::1" if ":" in host else "127.0.0.1", 0))
            s.sendto(stun.build(stun.BINDING, 0, os.urandom(12), []), (host, lab.main["port"]))
            check("TURN-A13", host, s.recvfrom(2000)[1][:2], (host, lab.main["port"]))
            s.sendto(stun.build(stun.ALLOCATE, 0, os.urandom(12), [stun.UDP]), (host, lab.main["port"]))
            check("TURN-A13", f"challenge from {host}", s.recvfrom(2000)[1][:2], (host, lab.main["port"]))


def retransmission(lab):
    """TURN-A14: a retransmitted request has the same outcome"""
    with lab.client() as c, Peer() as peer:
        def twice(name, octets):
            first, second = c.exchange(octets), c.exchange(octets)
            check("TURN-A14", name, (second.octets if first.ok else second.error), (first.octets if first.ok else first.error))
            return first
        twice("Binding", c.plain(stun.BINDING))
        twice("challenge", c.plain(stun.ALLOCATE, [stun.UDP]))
        twice("refused Allocate", c.signed(stun.ALLOCATE))
        c.relayed = twice("Allocate", c.signed(stun.ALLOCATE, [stun.UDP, (stun.ADDITIONAL_FAMILY, b"\2\0\0\0")])).address()
        twice("Refresh", c.signed(stun.REFRESH))
        peers = lambda t: [(stun.XOR_PEER_ADDRESS, stun.xor_address(*peer.address, t))]
        twice("CreatePermission", c.signed(stun.CREATE_PERMISSION, peers))
        twice("ChannelBind", c.signed(stun.CHANNEL_BIND, lambda t: [(stun.CHANNEL_NUMBER, b"\x40\0\0\0")] + peers(t)))
        twice("refused ChannelBind", c.signed(stun.CHANNEL_BIND, lambda t: [(stun.CHANNEL_NUMBER, b"\x40\1\0\0")] + peers(t)))
        twice("deletion of one family", c.signed(stun.REFRESH, [(stun.LIFETIME, bytes(4)), (stun.REQUESTED_FAMILY, b"\2\0\0\0")]))
        twice("deletion", c.signed(stun.REFRESH, [(stun.LIFETIME, bytes(4))]))
        twice("deletion without an allocation", c.signed(stun.REFRESH, [(stun.LIFETIME, bytes(4))]))
    for credential in (lab.token().native(), lab.token().browser(), lab.ephemeral()):
        with lab.client(credential) as c:
            for octets in (c.signed(stun.ALLOCATE, [stun.UDP]), c.signed(stun.REFRESH), c.signed(stun.REFRESH, [(stun.LIFETIME, bytes(4))])):
                check("TURN-A14", "other credentials", c.exchange(octets).octets, c.exchange(octets).octets)


def streams(lab):
    """TURN-A16: messages stand back to back and may be cut anywhere"""
    for transport in ("tcp", "tls"):
        with lab.client(transport=transport) as c:
            many = [c.plain(stun.BINDING, [(stun.SOFTWARE, b"x" * i)]) for i in range(20)]
            c.send(b"".join(many))
            check("TURN-A16", f"{transport} back to back", [c.next_message().transaction for _ in many], [m[8:20] for m in many])
            for octet in many[0] + many[3]:
                c.send(bytes([octet]))
            check("TURN-A16", f"{transport} octet by octet", [c.next_message().transaction for _ in range(2)], [many[0][8:20], many[3][8:20]])
            c.allocate()
            with Peer() as peer:
                c.bind(0x4000, peer.address)
                data = b"".join(struct.pack(">HH", 0x4000, n) + b"d" * n + bytes(-n % 4) for n in range(9))
                for cut in (1, 3, 4, 5, 7, 11):
                    for at in range(0, len(data), cut):
                        c.send(data[at:at + cut])
                    check("TURN-A16", f"{transport} ChannelData in pieces of {cut}", [peer.receive()[0] for _ in range(9)], [b"d" * n for n in range(9)])


def tls(lab):
    """TURN-A17: forward-secret suites only"""
    import ssl
    def handshake(**options):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if "version" in options:
            context.minimum_version = context.maximum_version = options["version"]
        if "ciphers" in options:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(options["ciphers"])
        import socket
        try:
            with socket.create_connection(("127.0.0.1", lab.main["tls"]), 5) as raw, context.wrap_socket(raw) as secure:
                return secure.cipher()[0]
        except (ssl.SSLError, OSError):
            return None
    check("TURN-A17", "TLS 1.3", handshake(version=ssl.TLSVersion.TLSv1_3) is not None)
    check("TURN-A17", "TLS 1.2", handshake(version=ssl.TLSVersion.TLSv1_2) is not None)
    check("TURN-A17", "ECDHE", (handshake(ciphers="ECDHE+AESGCM:@SECLEVEL=0") or "").startswith("ECDHE"))
    import warnings
    warnings.simplefilter("ignore")
    for name in ("AES128-SHA:@SECLEVEL=0", "AES256-GCM-SHA384:@SECLEVEL=0", "NULL:eNULL:@SECLEVEL=0", "aNULL:@SECLEVEL=0", "ADH:@SECLEVEL=0"):
        check("TURN-A17", name, handshake(ciphers=name), None)
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        check("TURN-A17", str(version), handshake(version=version), None)


def fingerprint(lab):
    """TURN-A18: FINGERPRINT is checked, must be last, and is never demanded"""
    with lab.client() as c:
        right = c.plain(stun.BINDING, fingerprint=True)
        answer = c.exchange(right)
        check("TURN-A18", "answered with one", answer.has(stun.FINGERPRINT) and answer.fingerprint_is_right())
        check("TURN-A18", "not demanded", c.exchange(c.plain(stun.BINDING)).has(stun.FINGERPRINT), False)
        for index in range(20, 28):
            if index in (22,):
                continue
            check("TURN-A18", f"octet {index} changed", c.answer(changed(right, index, right[index] ^ 1)) is not None and index < 22, index < 22)
        check("TURN-A18", "transaction changed", c.answer(changed(right, 19, right[19] ^ 1)), None)
        for length in (0, 1, 2, 3, 5, 8):
            check("TURN-A18", f"length {length}", c.answer(changed(right, 23, length)), None)
        check("TURN-A18", "not last", c.answer(c.plain(stun.BINDING, [(stun.FINGERPRINT, right[24:28]), (stun.SOFTWARE, b"abcd")])), None)
        check("TURN-A18", "twice", c.answer(c.plain(stun.BINDING, [(stun.FINGERPRINT, right[24:28])], fingerprint=True)), None)
        answer = c.allocate(fingerprint=True)
        check("TURN-A18", "signed", answer.ok and answer.fingerprint_is_right())
        check("TURN-A18", "error", c.allocate(fingerprint=True).fingerprint_is_right())
        check("TURN-A18", "before the integrity", c.answer(c.signed(stun.REFRESH, [(stun.FINGERPRINT, bytes(4))])), None)


def behind_integrity(lab):
    """TURN-A19: attributes behind the integrity are not acted on"""
    lifetime = stun.attribute(stun.LIFETIME, struct.pack(">I", 3000))
    for credential in (lab.alice, lab.alice.but(sha256=True)):
        with lab.client(credential) as c:
            check("TURN-A19", "LIFETIME", c.allocate(after=lifetime).lifetime, 600)
            check("TURN-A19", "unknown attribute", c.refresh(after=stun.attribute(0x7FFF, b"")).ok)
            check("TURN-A19", "deletion", c.refresh(after=stun.attribute(stun.LIFETIME, bytes(4))).lifetime, 600)
            check("TURN-A19", "permission", c.request(stun.CREATE_PERMISSION, after=stun.attribute(
                stun.XOR_PEER_ADDRESS, stun.xor_address("127.0.0.1", 1, os.urandom(12)))).error, 400)
            check("TURN-A19", "user name", c.request(stun.REFRESH, without=[stun.USERNAME], after=stun.attribute(stun.USERNAME, b"alice")).error, 400)


def integrity(lab):
    """TURN-A20: MESSAGE-INTEGRITY, and TURN-A21: MESSAGE-INTEGRITY-SHA256"""
    for claim, name, size, credential in (("TURN-A20", stun.MESSAGE_INTEGRITY, 20, lab.alice),
                                          ("TURN-A21", stun.MESSAGE_INTEGRITY_SHA256, 32, lab.alice.but(sha256=True))):
        with lab.client(credential) as c:
            right = c.signed(stun.ALLOCATE, [stun.UDP])
            start = len(right) - size
            for index in [12, 19, 20, 24, 33] + list(range(start, len(right))):
                answer = c.exchange(changed(right, index, right[index] ^ 0x40))
                check(claim, f"octet {index} changed", answer.error in (400, 401, 420, 438))
            for length in (0, 4, 12, 16, 20, 24, 28, 32, 36, 64):
                if length == size:
                    continue
                short = c.plain(stun.ALLOCATE, [stun.UDP, (stun.USERNAME, b"alice"), (stun.REALM, c.realm), (stun.NONCE, c.nonce),
                                                (name, os.urandom(length))])
                check(claim, f"length {length}", c.exchange(short).error, 400)
            for length in (16, 20, 24, 28):
                if size == 32:
                    cut = bytearray(right[:start + length])
                    cut[2:4] = struct.pack(">H", len(cut) - 20)
                    cut[start - 2:start] = struct.pack(">H", length)
                    check(claim, f"truncated to {length}", c.exchange(bytes(cut)).error, 400)
            answer = c.exchange(right)
            check(claim, "the right one", answer.ok and answer.signed_by(credential.key(c.realm), name))
            check(claim, "answer has only this kind", answer.has(stun.MESSAGE_INTEGRITY if size == 32 else stun.MESSAGE_INTEGRITY_SHA256), False)
            both = c.refresh(both=True)
            check(claim, "both", both.ok)
    with lab.client() as c:
        octets = bytearray(c.signed(stun.ALLOCATE, [stun.UDP], both=True))
        octets[-40] ^= 1
        check("TURN-A21", "both, SHA-1 wrong and SHA-256 over it wrong", c.exchange(bytes(octets)).error, 401)


def long_term(lab):
    """TURN-A22: the key is MD5 of user, realm and password, prepared as OpaqueString"""
    import unicodedata
    for name, password in lab.users.items():
        prepared = [unicodedata.normalize("NFC", "".join(" " if unicodedata.category(ch) == "Zs" else ch for ch in text))
                    for text in (name, password)]
        for algorithm in (0, 1, 2):
            for sha256 in (False, True):
                credential = Credential(prepared[0], prepared[1], algorithm=algorithm, sha256=sha256)
                check("TURN-A22" if algorithm < 2 else "TURN-A23", f"{name} with {algorithm}", lab.allocate_once(credential).ok)
                check("TURN-A28", f"{name}, wrong password", lab.allocate_once(credential.but(password=prepared[1] + "x")).error, 401)
    realm = lab.allocate_once(lab.password_user, lab.password, keep="challenge").get(stun.REALM).decode()
    check("TURN-A22", "REALM is prepared", realm, unicodedata.normalize("NFC", realm.replace("\u00A0", " ")))
    check("TURN-A22", "and serves", lab.allocate_once(lab.password_user, lab.password).ok)


def algorithms(lab):
    """TURN-A23: PASSWORD-ALGORITHMS, and TURN-A27: both or none, as offered"""
    with lab.client() as c:
        check("TURN-A23", "offer", c.challenge().get(stun.PASSWORD_ALGORITHMS), stun.OFFERED_ALGORITHMS)
        check("TURN-A23", "SHA-256 key", c.allocate(credential=lab.alice.but(algorithm=2)).ok)
        sha256 = lab.alice.but(algorithm=2)
        wrong = {"no list": ([stun.PASSWORD_ALGORITHMS], []), "no choice": ([stun.PASSWORD_ALGORITHM], []),
                 "list in another order": ([stun.PASSWORD_ALGORITHMS], [(stun.PASSWORD_ALGORITHMS, bytes([0, 1, 0, 0, 0, 2, 0, 0]))]),
                 "shorter list": ([stun.PASSWORD_ALGORITHMS], [(stun.PASSWORD_ALGORITHMS, bytes([0, 2, 0, 0]))]),
                 "MD5 only": ([stun.PASSWORD_ALGORITHMS], [(stun.PASSWORD_ALGORITHMS, bytes([0, 1, 0, 0]))]),
                 "longer list": ([stun.PASSWORD_ALGORITHMS], [(stun.PASSWORD_ALGORITHMS, stun.OFFERED_ALGORITHMS + bytes([0, 3, 0, 0]))]),
                 "empty list": ([stun.PASSWORD_ALGORITHMS], [(stun.PASSWORD_ALGORITHMS, b"")]),
                 "choice 0": ([stun.PASSWORD_ALGORITHM], [(stun.PASSWORD_ALGORITHM, bytes([0, 0, 0, 0]))]),
                 "choice 3": ([stun.PASSWORD_ALGORITHM], [(stun.PASSWORD_ALGORITHM, bytes([0, 3, 0, 0]))]),
                 "choice with parameters": ([stun.PASSWORD_ALGORITHM], [(stun.PASSWORD_ALGORITHM, bytes([0, 2, 0, 1, 0, 0, 0, 0]))]),
                 "choice of two octets": ([stun.PASSWORD_ALGORITHM], [(stun.PASSWORD_ALGORITHM, bytes([0, 2]))])}
        for name, (without, more) in wrong.items():
            answer = c.request(stun.REFRESH, more, credential=sha256, without=without)
            check("TURN-A27", name, (answer.error, answer.has(stun.NONCE)), (400, False))
        check("TURN-A27", "the MD5 key under SHA-256", c.refresh(credential=sha256, key=lab.alice.key(c.realm)).error, 401)
        check("TURN-A27", "neither", c.refresh().ok)
        check("TURN-A27", "both", c.refresh(credential=sha256).ok)


def nonces(lab):
    """TURN-A24: the cookie and features, TURN-A25, TURN-A29, TURN-A30"""
    with lab.client() as c, lab.client() as d:
        answer = c.challenge()
        check("TURN-A25", "401 with REALM and NONCE", (answer.error, answer.has(stun.REALM), answer.has(stun.NONCE)), (401, True, True))
        check("TURN-A25", "no integrity", answer.has(stun.MESSAGE_INTEGRITY), False)
        for method in (stun.REFRESH, stun.CREATE_PERMISSION, stun.CHANNEL_BIND):
            other = c.exchange(c.plain(method))
            check("TURN-A25", f"method {method}", (other.error, other.has(stun.REALM), other.has(stun.NONCE)), (401, True, True))
        check("TURN-A24", "cookie", c.nonce[:9], b"obMatJos2")
        check("TURN-A24", "features", base64.b64decode(c.nonce[9:13]), bytes([0x80, 0, 0]))
        with lab.client(server=lab.password) as p:
            p.challenge()
            check("TURN-A24", "features without tokens", (p.nonce[:9], base64.b64decode(p.nonce[9:13])), (b"obMatJos2", bytes([0xC0, 0, 0])))
        stale = {"another client's": None, "made up": b"0123456789abcdef", "cookie only": c.nonce[:13], "one character": b"a",
                 "changed": c.nonce[:-2] + bytes([c.nonce[-2] ^ 1]) + c.nonce[-1:], "features stripped": c.nonce[:9] + b"AAAA" + c.nonce[13:],
                 "longer": c.nonce + b"A"}
        d.challenge()
        stale["another client's"] = d.nonce
        for name, nonce in stale.items():
            answer = c.request(stun.ALLOCATE, [stun.UDP, (stun.NONCE, nonce)], without=[stun.NONCE])
            check("TURN-A29", name, (answer.error, answer.has(stun.REALM), answer.has(stun.NONCE)), (438, True, True))
            check("TURN-A29", "fresh", answer.get(stun.NONCE) != nonce)
        seen = collections.Counter()
        for _ in range(20):
            with lab.client() as e:
                for _ in range(5):
                    e.challenge()
                    seen[e.nonce] += 1
        check("TURN-A30", "a hundred nonces", len(seen), 100)
        import socket
        for host in ("127.0.0.2", "::1"):
            with lab.client(host=host) as e:
                e.realm, e.nonce = c.realm, c.nonce
                check("TURN-A30", f"nonce of another address at {host}", e.allocate().error, 438)


def without(lab):
    """TURN-A26: integrity without USERNAME, REALM or NONCE is 400 without a challenge; TURN-A33: impossible lengths"""
    with lab.client() as c:
        for name in (stun.USERNAME, stun.REALM, stun.NONCE):
            for method in (stun.ALLOCATE, stun.REFRESH, stun.CREATE_PERMISSION, stun.CHANNEL_BIND):
                answer = c.request(method, [stun.UDP], without=[name])
                check("TURN-A26", f"without {name:02X} in {method}", (answer.error, answer.has(stun.NONCE), answer.has(stun.REALM)), (400, False, False))
            for value, error in ((b"", 400), (b"x" * 764, 400), (b"x" * 2000, 400), (b"\xFF\xFE", 400 if name != stun.NONCE else 438)):
                answer = c.request(stun.ALLOCATE, [stun.UDP, (name, value)], without=[name])
                check("TURN-A33", f"{name:02X} of {len(value)}", answer.error, error)
        for length, error in ((508, 401), (509, 400), (513, 400)):
            check("TURN-A33", f"user name of {length}", c.allocate(credential=Credential("u" * length, "p")).error, error)
        for length, error in ((127, 401), (128, 400), (255, 400)):
            check("TURN-A33", f"realm of {length} characters", c.allocate(credential=lab.alice.but(realm=b"r" * length)).error, error)
            check("TURN-A33", f"realm of {length} wide characters", c.allocate(credential=lab.alice.but(realm="\u20AC".encode() * length)).error, error)
            answer = c.request(stun.ALLOCATE, [stun.UDP, (stun.NONCE, b"n" * length)], without=[stun.NONCE])
            check("TURN-A33", f"nonce of {length} characters", answer.error, 438 if error == 401 else 400)


def wrong_credentials(lab):
    """TURN-A28: a wrong user and a wrong password both get 401 with a challenge"""
    with lab.client() as c:
        answers = [c.allocate(credential=credential) for credential in
                   (Credential("mallory", "secret"), lab.wrong, Credential("", "secret").but(username=b"ALICE"), Credential("alice ", "secret"),
                    Credential("bob", "secre"), lab.alice.but(realm=b"other.example"))]
        for answer in answers:
            shape = [kind for kind, _ in answer.attributes]
            check("TURN-A28", "401 with a challenge", (answer.error, answer.has(stun.REALM), answer.has(stun.NONCE)), (401, True, True))
            check("TURN-A28", "alike", shape, [kind for kind, _ in answers[0].attributes])
            check("TURN-A28", "unsigned", answer.has(stun.MESSAGE_INTEGRITY), False)


def authenticated(lab):
    """TURN-A31: authenticated answers carry integrity of the request's kind and no USERNAME, REALM or NONCE"""
    with Peer() as peer:
        for credential, name in ((lab.alice, stun.MESSAGE_INTEGRITY), (lab.alice.but(sha256=True), stun.MESSAGE_INTEGRITY_SHA256),
                                 (lab.alice.but(sha256=True, algorithm=2), stun.MESSAGE_INTEGRITY_SHA256),
                                 (lab.alice.but(algorithm=2), stun.MESSAGE_INTEGRITY)):
            with lab.client(credential) as c:
                answers = [c.allocate(), c.refresh(), c.permit(peer.address), c.bind(0x4000, peer.address), c.allocate(), c.permit(),
                           c.bind(0x3000, peer.address), c.permit(("224.0.0.1", 1)), c.refresh(0), c.refresh(), c.permit(peer.address)]
                check("TURN-A31", "outcomes", [a.error for a in answers], [None, None, None, None, 437, 400, 400, 403, None, 437, 437])
                for answer in answers:
                    check("TURN-A31", repr(answer), answer.signed_by(credential.key(c.realm), name))
                    check("TURN-A31", "nothing else", [answer.has(kind) for kind in (stun.USERNAME, stun.REALM, stun.NONCE)], [False] * 3)


def userhash(lab):
    """TURN-A32: USERHASH stands for a user name"""
    with lab.client(lab.password_user, lab.password) as c:
        c.challenge()
        digest = hashlib.sha256(c.credential.username + b":" + c.realm).digest()
        for name, value, error in (("right", digest, None), ("unknown", os.urandom(32), 401), ("short", digest[:31], 400), ("empty", b"", 400),
                                   ("long", digest + b"\0", 400)):
            answer = c.request(stun.ALLOCATE, [stun.UDP, (stun.USERHASH, value)], without=[stun.USERNAME])
            check("TURN-A32", name, answer.error, error)
        answer = c.request(stun.REFRESH, [(stun.USERHASH, digest)], without=[stun.USERNAME], credential=c.credential.but(algorithm=2, sha256=True))
        check("TURN-A32", "with SHA-256", answer.ok)
        check("TURN-A32", "no name in the answer", answer.has(stun.USERHASH), False)


def errors(lab):
    """TURN-A34: ERROR-CODE has class, number and a phrase; TURN-A36: SOFTWARE"""
    with lab.client() as c:
        answers = [c.challenge(), c.request(stun.ALLOCATE), c.allocate(transport=(stun.REQUESTED_TRANSPORT, b"\xFF\0\0\0")),
                   c.refresh(), c.request(stun.ALLOCATE, [stun.UDP, (0x7FFF, b"")]), c.request(stun.ALLOCATE, [stun.UDP], without=[stun.REALM]),
                   c.request(stun.REFRESH, [(stun.NONCE, b"made up")], without=[stun.NONCE])]
        check("TURN-A34", "codes", [a.error for a in answers], [401, 400, 442, 437, 420, 400, 438])
        for answer in answers:
            value = answer.get(stun.ERROR_CODE)
            check("TURN-A34", "reserved bits", (value[0], value[1], value[2] & 0xF8), (0, 0, 0))
            check("TURN-A34", "class and number", 3 <= value[2] <= 6 and value[3] < 100)
            check("TURN-A34", "phrase", 0 < len(value[4:].decode()) < 128)
            check("TURN-A34", "one", len(answer.all(stun.ERROR_CODE)), 1)
        for answer in answers + [c.allocate(), c.refresh(), c.exchange(c.plain(stun.BINDING)), c.refresh(0)]:
            check("TURN-A36", repr(answer), 0 < len((answer.get(stun.SOFTWARE) or b"").decode()) < 128)


def reflection(lab):
    """TURN-A37: an answer to a stranger is at most three times as long on the wire as what was sent"""
    frame = 18 + 20 + 8
    with lab.client() as c:
        c.realm, c.nonce = b"r", b"n"
        requests = [c.plain(method, attributes, fingerprint=fingerprint)
                    for method in (stun.BINDING, stun.ALLOCATE, stun.REFRESH, stun.CREATE_PERMISSION, stun.CHANNEL_BIND, stun.CONNECT, stun.CONNECTION_BIND)
                    for attributes in ([], [stun.UDP], [(0x7FFF, b"")], [(kind, b"") for kind in range(0x7000, 0x7080)])
                    for fingerprint in (False, True)]
        requests += [c.signed(method, credential=credential) for method in (stun.ALLOCATE, stun.REFRESH) for credential in
                     (Credential("", "").but(username=b"u"), lab.token().native(), Credential("k~AQID", "p"))]
        requests += [c.plain(stun.ALLOCATE, [(stun.MESSAGE_INTEGRITY, b"")]), c.plain(stun.ALLOCATE, [(stun.MESSAGE_INTEGRITY, bytes(20))])]
        for octets in requests:
            answer = c.answer(octets)
            length = 0 if answer is None else frame + len(answer.octets)
            check("TURN-A37", f"{octets[:4].hex()} of {len(octets)} got {length}", length <= 3 * (frame + len(octets)))


ALL = [framing, types, responses, padding, duplicates, comprehension, unknown, indications, unexpected, unexpected_messages, binding, source,
       retransmission, streams, tls, fingerprint, behind_integrity, integrity, long_term, algorithms, nonces, without, wrong_credentials,
       authenticated, userhash, errors, reflection]
