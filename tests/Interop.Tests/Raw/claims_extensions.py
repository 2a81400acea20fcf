"""TURN-C, D, E and G: TCP allocations, mobility, transports, and tokens."""
import base64
import hashlib
import os
import socket
import struct
import subprocess
import time
import urllib.request

import stun
from client import Client, Peer
from report import check
from stun import Credential

SIX = b"\2\0\0\0"


def listen(host="127.0.0.1"):
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    s.bind((host, 0))
    s.listen()
    s.settimeout(5)
    return s


def connect(c, peer, **options):
    return c.request(stun.CONNECT, lambda t: [(stun.XOR_PEER_ADDRESS, stun.xor_address(*peer, t))], **options)


def ends(accepted):
    try:
        return accepted.recv(10) == b""
    except ConnectionResetError:
        return True


def bind_connection(lab, control, identifier, credential=None, transport="tcp", own_nonce=True):
    data = lab.client(credential or control.credential, transport=transport)
    if not own_nonce:
        data.realm, data.nonce = control.realm, control.nonce
    return data, data.request(stun.CONNECTION_BIND, [(stun.CONNECTION_ID, identifier)])


def tcp_requests(lab):
    """TURN-C1: a TCP relay can be asked for over TCP and TLS only; TURN-C2: what does not go with it"""
    for transport, error in (("udp", 400), ("tcp", None), ("tls", None)):
        with lab.client(transport=transport) as c:
            check("TURN-C1", transport, c.allocate(transport=stun.TCP).error, error)
    for transport in ("tcp", "tls"):
        for more in ((stun.DONT_FRAGMENT, b""), (stun.EVEN_PORT, b"\0"), (stun.EVEN_PORT, b"\x80"), (stun.RESERVATION_TOKEN, bytes(8)), (stun.ADDITIONAL_FAMILY, SIX)):
            with lab.client(transport=transport) as c:
                check("TURN-C2", f"{more[0]:04X}", c.allocate(more, transport=stun.TCP).error, 400)
    with lab.client(transport="tcp") as c:
        check("TURN-C2", "a family does", c.allocate((stun.REQUESTED_FAMILY, SIX), transport=stun.TCP).address()[0], "::1")


def tcp_connect(lab):
    """TURN-C3: Connect opens a connection to a peer, or says 446, 447, 403, 400; TURN-C6: ConnectionBind; TURN-C7: the end"""
    for transport in ("tcp", "tls"):
        for credential in (lab.alice, lab.token().native(), lab.token().browser()):
            with lab.client(credential, transport=transport) as c, listen() as peer, listen("::1") as six:
                c.allocate(transport=stun.TCP)
                answer = connect(c, peer.getsockname())
                accepted, source = peer.accept()
                identifier = answer.get(stun.CONNECTION_ID)

                # A kid does not name its token, so without a connection there is no key to check.
                unknown = 400 if credential.token is None else 401
                check("TURN-C3", f"{transport} from the relay", (len(identifier), source), (4, c.relayed))
                check("TURN-C3", "again", connect(c, peer.getsockname()).error, 446)
                with socket.socket() as closed:
                    closed.bind(("127.0.0.1", 0))
                    check("TURN-C3", "closed port", connect(c, closed.getsockname()).error, 447)
                check("TURN-C3", "forbidden", connect(c, ("224.0.0.1", 1)).error, 403)
                check("TURN-C3", "itself", connect(c, c.relayed).error, 403)
                check("TURN-C3", "port 0", connect(c, ("127.0.0.1", 0)).error, 400)
                check("TURN-C3", "no peer", c.request(stun.CONNECT).error, 400)
                check("TURN-C3", "another family", connect(c, six.getsockname()[:2]).error in (400, 403, 443))
                for value in (b"", b"\0\1", b"\0\2\0\0abcd"):
                    check("TURN-C3", f"peer {value.hex()}", c.request(stun.CONNECT, [(stun.XOR_PEER_ADDRESS, value)]).error, 400)
                for wrong in (b"", b"\0", os.urandom(4), identifier + b"\0"):
                    data, refused = bind_connection(lab, c, wrong)
                    check("TURN-C6", f"id {wrong.hex()}", refused.error, unknown)
                    data.close()
                data, refused = bind_connection(lab, c, identifier, lab.bob)
                check("TURN-C6", "another user", refused.error, 441)
                data.close()
                data, refused = bind_connection(lab, c, identifier, transport="udp")
                check("TURN-C6", "over UDP", refused.error, 400)
                data.close()
                data = lab.client(credential, transport=transport)
                data.challenge()
                accepted.sendall(b"early")
                # Octets of the connection may stand right behind the request.
                octets = data.signed(stun.CONNECTION_BIND, [(stun.CONNECTION_ID, identifier)])
                bound = data.exchange(octets)
                check("TURN-C6", f"{transport} bound", bound.ok and bound.signed_by(credential.key(c.realm)))
                data.send(b"\0\1\2raw octets")
                accepted.settimeout(5)
                check("TURN-C6", "to the peer", accepted.recv(100), b"\0\1\2raw octets")
                got = data.buffer
                while len(got) < 5:
                    got += data.socket.recv(100)
                check("TURN-C6", "from the peer", got, b"early")
                second, refused = bind_connection(lab, c, identifier)
                check("TURN-C6", "twice", refused.error, unknown)
                second.close()
                data.buffer = b""
                accepted.close()
                check("TURN-C7", "the peer ends, and so does the data connection", data.is_closed())
                data.close()
                until = time.monotonic() + 5
                while (answer := connect(c, peer.getsockname())).error == 446 and time.monotonic() < until:
                    time.sleep(0.01)
                accepted, _ = peer.accept()
                data, bound = bind_connection(lab, c, answer.get(stun.CONNECTION_ID), own_nonce=False)
                check("TURN-C6", "with the nonce of the control connection", bound.ok)
                data.close()
                accepted.settimeout(5)
                check("TURN-C7", "the client ends, and so does the peer's", accepted.recv(10), b"")
                accepted.close()
                until = time.monotonic() + 5
                while (answer := connect(c, peer.getsockname())).error == 446 and time.monotonic() < until:
                    time.sleep(0.01)
                accepted, _ = peer.accept()
                data, bound = bind_connection(lab, c, answer.get(stun.CONNECTION_ID))
                c.refresh(0)
                check("TURN-C7", "the allocation ends, and so do both", (data.is_closed(), ends(accepted)), (True, True))
                data.close()


def tcp_incoming(lab):
    """TURN-C5: a peer's connection needs a permission and is announced"""
    with lab.client(transport="tcp") as c:
        c.allocate(transport=stun.TCP)
        with socket.create_connection(c.relayed) as stranger:
            stranger.settimeout(5)
            check("TURN-C5", "without a permission", ends(stranger))
        c.permit(("127.0.0.1", 0))
        with socket.create_connection(c.relayed) as peer:
            attempt = c.next_message()
            check("TURN-C5", "announced", (attempt.method, attempt.message_class, attempt.address(stun.XOR_PEER_ADDRESS)),
                  (stun.CONNECTION_ATTEMPT, stun.INDICATION, peer.getsockname()))
            data, bound = bind_connection(lab, c, attempt.get(stun.CONNECTION_ID))
            check("TURN-C5", "bound", bound.ok)
            data.send(b"hello")
            check("TURN-C5", "carries", peer.recv(10), b"hello")
            data.close()
        with Peer() as udp:
            c.send_to(udp.address, b"no datagram")
            check("TURN-C5", "no datagram leaves a TCP relay", udp.receive(0.1)[0], None)
        check("TURN-C5", "no channel on it", c.bind(0x4000, ("127.0.0.1", 9)).error, 400)
    with lab.client(transport="tcp") as c, listen() as peer:
        c.allocate()
        check("TURN-C3", "Connect on an allocation for datagrams", connect(c, peer.getsockname()).error, 437)


def mobility(lab):
    """TURN-D1: Allocate with an empty ticket; TURN-D2: Refresh with a ticket; TURN-D3: each move; CLIENT-2"""
    empty = (stun.MOBILITY_TICKET, b"")
    with lab.client() as c:
        check("TURN-D1", "a ticket in Allocate", c.allocate((stun.MOBILITY_TICKET, b"x")).error, 400)
        check("TURN-D1", "no ticket", c.allocate().has(stun.MOBILITY_TICKET), False)
    check("TURN-D1", "where it is off", lab.allocate_once(lab.password_user, lab.password, empty).error, 405)
    with lab.client(lab.password_user, lab.password) as c:
        c.allocate()
        check("TURN-D2", "a Refresh where it is off", c.refresh(600, (stun.MOBILITY_TICKET, os.urandom(48))).error, 405)
    credentials = {"static": (lab.alice, lab.bob), "ephemeral": (lab.ephemeral(), lab.ephemeral(":eve")),
                   "native": (lab.token().native(), lab.token().native()), "browser": (lab.token().browser(), lab.token().browser())}
    for transport in ("udp", "tcp"):
        for name, (owner, stranger) in credentials.items():
            with Peer() as peer, lab.client(owner, transport=transport) as c, lab.client(owner) as d, lab.client(stranger) as e:
                first = c.allocate(empty)
                ticket = first.get(stun.MOBILITY_TICKET)
                c.bind(0x4000, peer.address)
                refused = [e.refresh(lifetime, (stun.MOBILITY_TICKET, ticket)).error for lifetime in (None, 600, 0)]
                check("CLIENT-2", f"{name} over {transport}: a stranger with the ticket", refused, [441] * 3)
                check("TURN-D2", f"{name}: a stranger", refused, [441] * 3)
                check("CLIENT-2", "the stranger has nothing", e.permit(peer.address).error in (401, 437))
                for bad in (b"\0", ticket[:-1], ticket + b"\0", ticket[:-1] + bytes([ticket[-1] ^ 1]), os.urandom(len(ticket))):
                    check("TURN-D2", "a spoiled ticket", d.refresh(600, (stun.MOBILITY_TICKET, bad)).error, 400)
                check("TURN-D2", "from where the client is", c.refresh(600, (stun.MOBILITY_TICKET, ticket)).error, 400)
                octets = d.signed(stun.REFRESH, [(stun.MOBILITY_TICKET, ticket)])
                moved = d.exchange(octets)
                check("TURN-D2", f"{name} over {transport} moves", moved.ok)
                check("TURN-D3", "another ticket", moved.get(stun.MOBILITY_TICKET) not in (None, ticket))
                check("TURN-D3", "a retransmission gets the same", d.exchange(octets).octets, moved.octets)
                peer.send(b"to the old one", c.relayed)
                check("TURN-D3", "the old path serves", c.next()[4:], b"to the old one" + (b"\0\0" if transport == "tcp" else b""))
                check("TURN-D2", "a used ticket", d.refresh(600, (stun.MOBILITY_TICKET, ticket)).error, 400)
                d.on_channel(0x4000, b"from the new one")
                check("TURN-D3", "data on the new path", peer.receive(), (b"from the new one", c.relayed))
                peer.send(b"to the new one", c.relayed)
                check("TURN-D3", "comes back there", d.next()[4:], b"to the new one")
                check("TURN-D3", "the old path is gone", c.refresh().error, 437)
                check("CLIENT-2", "a stranger deletes with the new ticket", e.refresh(0, (stun.MOBILITY_TICKET, moved.get(stun.MOBILITY_TICKET))).error, 441)
                check("CLIENT-2", "or on the client's path", d.refresh(0, credential=stranger).error, 441)
                check("TURN-D2", "deletes itself", d.refresh(0).ok)
                check("TURN-D2", "nothing is left", e.refresh(600, (stun.MOBILITY_TICKET, moved.get(stun.MOBILITY_TICKET))).error in (437, 441))
    tickets = set()
    for _ in range(20):
        with lab.client() as c:
            tickets.add(c.allocate(empty).get(stun.MOBILITY_TICKET))
            c.refresh(0)
    check("TURN-D4", "twenty tickets", len(tickets), 20)
    check("TURN-D4", "no octet in common", max(sum(a == b for a, b in zip(x, y)) for x in tickets for y in tickets if x != y) < 8)


def dtls(lab):
    """TURN-E1: DTLS demands a cookie before it keeps state; TURN-E2: TLS negotiates stun.turn"""
    hello = bytes.fromhex("16feff0000000000000000") + b"\0\0"
    body = bytes.fromhex("fefd") + os.urandom(32) + b"\0\0" + bytes.fromhex("0004c02bc02f0100") + bytes.fromhex("000e") + bytes.fromhex(
        "000a00040002001d000d00020000")[:14]
    handshake = b"\1" + struct.pack(">I", len(body))[1:] + b"\0\0\0\0\0" + struct.pack(">I", len(body))[1:] + body
    record = hello[:11] + struct.pack(">H", len(handshake)) + handshake
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect(("127.0.0.1", lab.main["tls"]))
        s.send(record)
        answer = s.recv(2000)
        check("TURN-E1", "HelloVerifyRequest", (answer[0], answer[13]), (22, 3))
        check("TURN-E1", "shorter than the hello", len(answer) <= len(record))
        cookie = answer[-(len(answer) - 28):]
        s.send(record)
        check("TURN-E1", "the same again", s.recv(2000)[13], 3)
    message = stun.build(stun.BINDING, stun.REQUEST, os.urandom(12), [])
    run = subprocess.Popen(["openssl", "s_client", "-dtls1_2", "-quiet", "-connect", f"127.0.0.1:{lab.main['tls']}"],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        run.stdin.write(message)
        run.stdin.flush()
        os.set_blocking(run.stdout.fileno(), False)
        answer, until = b"", time.monotonic() + 5
        while len(answer) < 32 and time.monotonic() < until:
            answer += run.stdout.read() or b""
            time.sleep(0.01)
        check("TURN-E1", "openssl is answered over DTLS", answer[:2] + answer[8:20], b"\1\1" + message[8:20])
        check("TURN-B1", "DTLS", answer[:2], b"\1\1")
    finally:
        run.kill()
        run.wait()
    for offer, chosen in ((["stun.turn"], "stun.turn"), (["http/1.1", "stun.turn"], "stun.turn"), (["stun.turn", "stun.nat-discovery"], "stun.turn")):
        with lab.client(transport="tls", alpn=offer) as c:
            check("TURN-E2", f"{offer}", c.socket.selected_alpn_protocol(), chosen)
            check("TURN-E2", "and serves", c.exchange(c.plain(stun.BINDING)).ok)


def redirect(lab):
    """TURN-A35: a server that redirects does so in an authenticated 300 with ALTERNATE-SERVER"""
    with lab.client(server=lab.quota) as c:
        check("TURN-A35", "before", c.allocate().ok)
        management = f"http://127.0.0.1:{lab.quota['management']}/drain"
        urllib.request.urlopen(urllib.request.Request(management, method="POST"), timeout=5).read()
        for credential in (lab.alice, lab.alice.but(sha256=True), lab.token().native(), lab.token().browser(), lab.ephemeral()):
            with lab.client(credential, server=lab.quota) as d:
                answer = d.allocate()
                check("TURN-A35", "300", answer.error, 300)
                name = stun.MESSAGE_INTEGRITY_SHA256 if credential.sha256 else stun.MESSAGE_INTEGRITY
                check("TURN-A35", "signed", answer.signed_by(credential.key(d.realm), name))
                check("TURN-A35", "where to", stun.read_address(answer.get(stun.ALTERNATE_SERVER)), ("192.0.2.7", 3478))
                wrong = d.allocate(credential=lab.wrong)
                check("TURN-A35", "strangers are not redirected", (wrong.error, wrong.has(stun.ALTERNATE_SERVER)), (401, False))
        check("TURN-A35", "the allocation goes on", c.refresh().ok)


def token_challenge(lab):
    """TURN-G1: 401 carries THIRD-PARTY-AUTHORIZATION with the server's name; TURN-G8: where tokens are not taken"""
    with lab.client() as c, lab.client(lab.password_user, lab.password) as d:
        for method in (stun.ALLOCATE, stun.REFRESH, stun.CREATE_PERMISSION):
            answer = c.exchange(c.plain(method))
            check("TURN-G1", f"method {method}", answer.get(stun.THIRD_PARTY), lab.server_name.encode())
        check("TURN-G1", "438 also", c.request(stun.REFRESH, [(stun.NONCE, b"stale")], without=[stun.NONCE]).get(stun.THIRD_PARTY), lab.server_name.encode())
        check("TURN-G8", "not named", d.challenge().has(stun.THIRD_PARTY), False)
        for credential in (lab.token().native(), lab.password_user.but(token=b"x")):
            answer = d.allocate(credential=credential)
            check("TURN-G8", "420", (answer.error, answer.get(stun.UNKNOWN_ATTRIBUTES)), (420, b"\0\x1B"))


def good_tokens(lab):
    """TURN-G3: the HMAC key is the whole mac_key; TURN-G4: answers are signed with it; TURN-G5: LIFETIME; TURN-G10: a mac_key of 32 octets"""
    for kid in ("k1", "k2"):
        for length in (20, 32):
            for sha256 in (False, True):
                token = lab.token(kid, mac_length=length)
                with lab.client(token.native(sha256=sha256)) as c:
                    claim = "TURN-G10" if length == 32 else "TURN-G3"
                    if length == 20 and sha256:
                        check(claim, "20 octets do not serve SHA-256", c.allocate().error, 401)
                        continue
                    answer = c.allocate()
                    name = stun.MESSAGE_INTEGRITY_SHA256 if sha256 else stun.MESSAGE_INTEGRITY
                    check(claim, f"{kid} with {length} octets, SHA-256 {sha256}", answer.ok)
                    check("TURN-G4", "signed", answer.signed_by(token.native(sha256=sha256).key(b""), name))
                    for shorter in (16, 19):
                        check("TURN-G3", f"cut to {shorter}", c.refresh(key=token.mac_key[:shorter]).error, 401)
                    check("TURN-G4", "Refresh without the token", c.refresh(credential=c.credential.but(token=None)).signed_by(c.credential.key(b""), name))
                    check("TURN-G4", "permission", c.permit(("127.0.0.1", 1)).signed_by(c.credential.key(b""), name))
                token = lab.token(kid, mac_length=length)
                credential = token.browser(algorithm=2 if sha256 else 0)
                with lab.client(credential.but(sha256=sha256)) as c:
                    answer = c.allocate()
                    check("TURN-G4", "browser", answer.ok and answer.signed_by(credential.key(c.realm), stun.MESSAGE_INTEGRITY_SHA256 if sha256 else stun.MESSAGE_INTEGRITY))
    for left, wanted in ((60, None), (60, 600), (60, 3600), (1000, 3600), (3, 600)):
        for kind in ("native", "browser"):
            with lab.client(getattr(lab.token(lifetime=left), kind)()) as c:
                extra = [] if wanted is None else [(stun.LIFETIME, struct.pack(">I", wanted))]
                answers = [c.allocate(*extra), c.refresh(wanted)]
                check("TURN-G5", f"{left} s left, {wanted} wanted, {kind}", all(a.lifetime <= left for a in answers))
    with lab.client(lab.token(lifetime=300, age=200).native()) as c:
        check("TURN-G5", "of 300 s 100 are left, and 5 for the clocks", 95 <= c.allocate().lifetime <= 105)


def bad_tokens(lab):
    """TURN-G2: a token that is missing, spoiled, expired, foreign or of an unknown key gets 401; TURN-G9: its time"""
    good = lab.token()
    octets = good.octets
    cases = {"missing": good.native().but(token=None), "empty": good.native(b""), "one octet": good.native(b"\0"),
             "cut": good.native(octets[:-1]), "longer": good.native(octets + b"\0"), "a thousand octets": good.native(os.urandom(1000)),
             "another server": lab.token(server_name="turn2.raw.example").native(), "no server": lab.token(server_name="").native(),
             "unknown kid": good.native(kid="k9"), "another kid": good.native(kid="k2"), "empty kid": good.native().but(username=b"k1 "),
             "upper case": good.native(kid="K1"), "mac_key of 16 octets": lab.token(mac_key=os.urandom(16)).native(),
             "mac_key of 24 octets": lab.token(mac_key=os.urandom(24)).native(), "mac_key of 0 octets": lab.token(mac_key=b"").native(),
             "nonce of 8 octets": lab.token(nonce=os.urandom(8)).native(), "nonce of 16 octets": lab.token(nonce=os.urandom(16)).native(),
             "another mac_key": good.native().but(fixed_key=os.urandom(20))}
    for length in (0, 1, 11, 13, 255, 65535):
        cases[f"nonce_length {length}"] = good.native(struct.pack(">H", length) + octets[2:])
    for index in list(range(2, len(octets), 3)) + [len(octets) - 1]:
        spoiled = bytearray(octets)
        spoiled[index] ^= 1
        cases[f"octet {index}"] = good.native(bytes(spoiled))
    with lab.client() as c:
        for name, credential in cases.items():
            answer = c.allocate(credential=credential)
            check("TURN-G2", name, (answer.error, answer.has(stun.NONCE)), (401, True))
        times = {"expired": lab.token(age=700), "just expired": lab.token(age=607), "from the future": lab.token(age=-10), "from tomorrow": lab.token(age=-86400),
                 "lifetime 0": lab.token(lifetime=0, age=10), "1970": lab.token(timestamp=1 << 16), "the last second": lab.token(timestamp=(1 << 64) - 1),
                 "undefined fraction": lab.token(timestamp=(int(time.time()) << 16) | 64001)}
        for name, token in times.items():
            for kind in ("native", "browser"):
                check("TURN-G9", f"{name}, {kind}", c.allocate(credential=getattr(token, kind)()).error, 401)
        for age in (-3, 0, 300, 594):
            for kind in ("native", "browser"):
                with lab.client() as d:
                    check("TURN-G9", f"{age} s old, {kind}", d.allocate(credential=getattr(lab.token(age=age), kind)()).ok)
        text = base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
        spellings = {"a space behind": text + " ", "a space inside": text[:9] + " " + text[9:], "a tab": text + "\t", "a new line": text[:20] + "\n" + text[20:],
                     "padding": text + "=" * (-len(text) % 4 or 1), "ordinary base64": base64.b64encode(octets + b"").decode().rstrip("=") + "+",
                     "an end of text": text + "\0", "two separators": "~" + text, "another letter": text + "A"}
        if len(octets) % 3:
            alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
            spellings["unused bits"] = text[:-1] + alphabet[alphabet.index(text[-1]) + 1]
        for name, spelling in spellings.items():
            check("CLIENT-8", f"a token with {name}", c.allocate(credential=good.browser(spelling)).error, 401)
        check("CLIENT-8", "the one spelling", c.allocate(credential=good.browser()).ok)


def several_allocations(lab):
    """TURN-G6: one token makes several allocations; TURN-G7: another token renews, and the old key is dead"""
    for kind in ("native", "browser"):
        token = lab.token()
        clients = [lab.client(getattr(token, kind)()) for _ in range(5)]
        check("TURN-G6", kind, [c.allocate().ok for c in clients], [True] * 5)
        for c in clients:
            c.refresh(0)
            c.close()
        for other_kind in ("native", "browser"):
            old, new = getattr(lab.token(), kind)(), getattr(lab.token(mac_length=32), other_kind)()
            with lab.client(old) as c:
                c.allocate()
                check("TURN-G7", "before, the other key does nothing", c.permit(("127.0.0.1", 1), credential=new.but(token=None)).error in (401, 441))
                answer = c.refresh(600, credential=new)
                name = stun.MESSAGE_INTEGRITY_SHA256 if new.sha256 else stun.MESSAGE_INTEGRITY
                check("TURN-G7", f"{kind} renewed by {other_kind}", answer.ok and answer.signed_by(new.key(c.realm), name))
                check("TURN-G7", "the new key", c.permit(("127.0.0.1", 1), credential=new.but(token=None)).ok)
                check("TURN-G7", "the old key", c.permit(("127.0.0.1", 1), credential=old.but(token=None)).error in (401, 441))
                check("TURN-G7", "nor to delete", c.refresh(0, credential=old).error, 441)
                check("TURN-G7", "the new one deletes", c.refresh(0, credential=new.but(token=None)).ok)
    with lab.client(lab.token().native()) as c:
        c.allocate()
        check("CLIENT-2", "lifetime 0 under another token", c.refresh(0, credential=lab.token().native()).error, 441)
        check("CLIENT-2", "of one family", c.refresh(0, (stun.REQUESTED_FAMILY, b"\1\0\0\0"), credential=lab.token().native()).error, 441)
        check("CLIENT-2", "the allocation goes on", c.refresh().ok)


def names(lab):
    """CLIENT-4: every character works in each kind of user name; CLIENT-7: the time of the shared secret"""
    for name in [chr(i) for i in range(0x20, 0x7F)] + ["~~", "a~b~c", "k1~AQID", "\u00FC", "\u4F60\u597D", "\U0001F600"]:
        check("CLIENT-4", f"an ephemeral user with {name!r}", lab.allocate_once(lab.ephemeral(f":ab{name}cd")).ok)
    check("CLIENT-4", "a static user with ~", lab.allocate_once(Credential("ti~lde", "secret")).ok)
    for seconds, error in ((60, None), (10, None), (-1, 401), (-3600, 401)):
        check("CLIENT-7", f"{seconds} s left", lab.allocate_once(lab.ephemeral(seconds=seconds)).error, error)
    for name in ("", ":", "::", ":a:b"):
        check("CLIENT-7", f"name {name!r}", lab.allocate_once(lab.ephemeral(name)).ok)
    for before in ("carol:", "ca~rol:", "k1~AQID:", "1x:"):
        for seconds, error in ((60, None), (-1, 401)):
            check("CLIENT-7", f"{before}time", lab.allocate_once(stun.ephemeral(lab.secret, "", seconds, before)).error, error)
    for text in ("carol", ":carol", "12x:carol", "-5:carol", "+99999999999:carol", "99999999999999999999:carol"):
        check("CLIENT-7", f"name {text!r}", lab.allocate_once(stun.ephemeral(lab.secret, "", 0).but(username=text.encode())).error, 401)
    credential = lab.ephemeral(seconds=4)
    with lab.client(credential) as lasting, lab.client(credential, lab.quota) as ending:
        check("CLIENT-7", "first use", (lasting.allocate().lifetime, ending.allocate().lifetime <= 4), (600, True))
        time.sleep(max(0, int(credential.username.split(b":")[0]) + 0.1 - time.time()))
        check("CLIENT-7", "the allocation goes on", (lasting.refresh().lifetime, lasting.permit(("127.0.0.1", 1)).ok), (600, True))
        check("CLIENT-7", "or ends, by the setting", ending.refresh().error in (401, 437))
        lasting.refresh(0)
        check("CLIENT-7", "no new one under the old name", lasting.allocate().error, 401)



ALL = [tcp_requests, tcp_connect, tcp_incoming, mobility, dtls, token_challenge, good_tokens, bad_tokens, several_allocations, names,
       redirect]
