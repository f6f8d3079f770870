"""What ssh tells an agent about the session that it serves: session-bind@openssh.com, and what is signed to log in.

See PROTOCOL.agent and PROTOCOL of OpenSSH.
"""

import struct

from . import wire

USERAUTH_REQUEST = 50


class Host:
    """A host that a key may be constrained to. `notary` is an agent that holds its host key; a real host signs by
    itself what proves that a session leads to it."""

    def __init__(self, notary, comment):
        with wire.Client(notary) as client:
            self.blob = next(blob for blob, name in client.list() if name.decode() == comment)
        self._notary = notary

    def bind(self, session, forwarding=False):
        """The message that binds a connection to a session with this host."""
        with wire.Client(self._notary) as client:
            answer = client.ask(wire.sign_request(self.blob, session))
        if answer[0] != wire.SIGN_RESPONSE:
            raise AssertionError(f"the notary does not sign: message {answer[0]}")
        signature = answer[1:]  # an SSH string, as it is wanted
        return wire.frame(wire.EXTENSION, wire.string(b"session-bind@openssh.com") + wire.string(self.blob)
                          + wire.string(session) + signature + struct.pack(">?", forwarding))

    def login(self, session, user, key):
        """The sign request of a login to this host with the key `key`."""
        algorithm = b"ssh-ed25519"
        return wire.sign_request(key, wire.string(session) + bytes([USERAUTH_REQUEST]) + wire.string(user.encode())
                                 + wire.string(b"ssh-connection")
                                 + wire.string(b"publickey-hostbound-v00@openssh.com") + b"\1"
                                 + wire.string(algorithm) + wire.string(key) + wire.string(self.blob))
