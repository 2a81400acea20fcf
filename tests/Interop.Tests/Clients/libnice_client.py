"""Debian's libnice: two agents for each case, which may use nothing but relays. CASES has [name, transport, port, user, password]."""
import ctypes
import json
import os
import time

import gi

gi.require_version("Nice", "0.1")
from gi.repository import GLib, Nice

CONTEXT = GLib.MainContext.default()

# This function has no binding, and without it nothing is received. The hash of an object of the binding is its address.
LIBRARY = ctypes.CDLL("libnice.so.10")
RECEIVED = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint, ctypes.POINTER(ctypes.c_char), ctypes.c_void_p)


class End:
    def __init__(self, transport, port, user, password, controlling):
        self.agent = Nice.Agent.new(CONTEXT, Nice.Compatibility.RFC5245)
        self.agent.props.force_relay = True
        self.agent.props.controlling_mode = controlling
        self.agent.props.ice_tcp = False
        address = Nice.Address.new()
        address.set_from_string("127.0.0.1")
        self.agent.add_local_address(address)
        self.stream = self.agent.add_stream(1)
        kind = {"udp": Nice.RelayType.UDP, "tcp": Nice.RelayType.TCP}[transport]
        self.agent.set_relay_info(self.stream, 1, "127.0.0.1", port, user, password, kind)
        self.is_gathered = self.is_ready = False
        self.received = []
        self.agent.connect("candidate-gathering-done", self.on_gathered)
        self.agent.connect("component-state-changed", self.on_state)
        self.callback = RECEIVED(self.on_received)
        LIBRARY.nice_agent_attach_recv(ctypes.c_void_p(hash(self.agent)), self.stream, 1, None, self.callback, None)
        self.agent.gather_candidates(self.stream)

    def on_gathered(self, *_):
        self.is_gathered = True

    def on_state(self, _, __, ___, state):
        self.is_ready |= state == int(Nice.ComponentState.READY)

    def on_received(self, _, __, ___, length, octets, ____):
        self.received.append(octets[:length])

    def connect(self, other):
        candidates = other.agent.get_local_candidates(other.stream, 1)
        kinds = {candidate.type for candidate in candidates}
        assert kinds == {Nice.CandidateType.RELAYED}, kinds
        _, fragment, secret = other.agent.get_local_credentials(other.stream)
        self.agent.set_remote_credentials(self.stream, fragment, secret)
        self.agent.set_remote_candidates(self.stream, 1, candidates)


def until(condition, name):
    end = time.monotonic() + 20
    while not condition():
        CONTEXT.iteration(False)
        if time.monotonic() > end:
            raise TimeoutError(name)
        time.sleep(0.001)


def relay(name, transport, port, user, password):
    here, there = End(transport, port, user, password, True), End(transport, port, user, password, False)
    until(lambda: here.is_gathered and there.is_gathered, f"{name} gathers")
    here.connect(there)
    there.connect(here)
    until(lambda: here.is_ready and there.is_ready, f"{name} connects")
    for sender, receiver in ((here, there), (there, here)):
        sender.agent.send(sender.stream, 1, 5, "hello")
        until(lambda: receiver.received, f"{name} receives")
        assert receiver.received == [b"hello"], receiver.received
    print(f"{name} over {transport}: relayed", flush=True)


for case in json.loads(os.environ["CASES"]):
    relay(*case)
