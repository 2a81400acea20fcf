"""The servers that the C# test started, and the users and keys that they have."""
import base64
import json
import os

import stun
from client import Client
from stun import Credential, Token


class Lab:
    def __init__(self, settings):
        self.__dict__.update(settings)
        self.keys = {kid: base64.b64decode(key) for kid, key in settings["keys"].items()}
        self.alice, self.bob = Credential("alice", "secret"), Credential("bob", "secret")
        self.wrong = Credential("alice", "wrong")
        self.password_user = Credential("dave", "secret")

    def client(self, credential=None, server=None, transport="udp", host="127.0.0.1", **options):
        server = server or self.main
        port = server["tls"] if transport == "tls" else server["port"]
        return Client((host, port), credential or self.alice, transport, **options)

    def token(self, kid="k1", **options):
        return Token(kid, self.keys[kid], options.pop("server_name", self.server_name), **options)

    def ephemeral(self, name=":carol", seconds=60):
        return stun.ephemeral(self.secret, name, seconds)

    def allocate_once(self, credential, server=None, *attributes, keep=None, **options):
        """The answer to one Allocate, whose allocation is deleted again."""
        with self.client(credential, server) as client:
            challenge = client.challenge()
            answer = client.allocate(*attributes, **options)
            if answer.ok:
                client.refresh(0)
            return challenge if keep == "challenge" else answer


def load():
    return Lab(json.loads(os.environ["RAW_LAB"]))
