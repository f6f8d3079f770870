"""An agent with real key material for what ssh-agent here cannot hold: security keys without hardware, and lies.

The signatures are openssl's. What a security key signs is in OpenSSH's PROTOCOL.u2f: the hash of the application, flags,
a counter, and the hash of the message.
"""

import base64
import hashlib
import os
import struct
import subprocess

from . import wire
from .fake_agent import FakeAgent

APPLICATION = b"ssh:"
USER_PRESENT = 0x01


def _openssl(*words, data=b""):
    return subprocess.run(["openssl", *words], input=data, capture_output=True, check=True).stdout


def _integers(der):
    """The two integers of an ECDSA signature, as mpints."""
    offset, strings = 2 if der[1] < 0x80 else 3, b""
    for _ in range(2):
        length = der[offset + 1]
        strings += wire.string(der[offset + 2:offset + 2 + length])
        offset += 2 + length
    return strings


class SecurityKey:
    """An sk- key in software. `kind`: "ed25519" or "ecdsa"."""

    def __init__(self, sandbox, kind, flags=USER_PRESENT):
        self.flags = flags
        self.counter = 41
        self._path = os.path.join(sandbox.directory("keys"), f"sk-{kind}.pem")
        self._sandbox = sandbox
        if kind == "ed25519":
            self.type = b"sk-ssh-ed25519@openssh.com"
            _openssl("genpkey", "-algorithm", "ed25519", "-out", self._path)
            point = _openssl("pkey", "-in", self._path, "-pubout", "-outform", "DER")[-32:]
            self.blob = wire.string(self.type) + wire.string(point) + wire.string(APPLICATION)
        else:
            self.type = b"sk-ecdsa-sha2-nistp256@openssh.com"
            _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self._path)
            point = _openssl("pkey", "-in", self._path, "-pubout", "-outform", "DER")[-65:]
            self.blob = (wire.string(self.type) + wire.string(b"nistp256") + wire.string(point) +
                         wire.string(APPLICATION))

    @property
    def line(self):
        """As in authorized_keys."""
        return f"{self.type.decode()} {base64.b64encode(self.blob).decode()} security-key"

    def sign(self, data, _flags):
        """The signature, with the key's flags and its counter behind it."""
        self.counter += 1
        told = struct.pack(">BI", self.flags, self.counter)
        message = hashlib.sha256(APPLICATION).digest() + told + hashlib.sha256(data).digest()
        if b"ed25519" in self.type:
            path = self._sandbox.fresh("to-sign")
            with open(path, "wb") as file:
                file.write(message)
            signature = _openssl("pkeyutl", "-sign", "-rawin", "-inkey", self._path, "-in", path)
        else:
            signature = _integers(_openssl("dgst", "-sha256", "-sign", self._path, data=message))
        return wire.string(self.type) + wire.string(signature) + told


class Refuser:
    """A key that is listed, and does not sign: somebody declines."""

    def __init__(self, blob):
        self.blob = blob

    def sign(self, _data, _flags):
        """No."""
        return None


class Liar:
    """A key whose agent answers with a signature of another `algorithm`, or with any bytes."""

    def __init__(self, blob, algorithm=None, answer=None):
        self.blob = blob
        self._answer = answer if answer is not None else wire.string(algorithm) + wire.string(b"s" * 384)
        self.flags_seen = []

    def sign(self, _data, flags):
        """The lie."""
        self.flags_seen.append(flags)
        return self._answer


class KeyAgent(FakeAgent):
    """Holds keys that sign themselves; it can be made to misbehave as any FakeAgent."""

    def __init__(self, sandbox, *holders, path=None, **options):
        self._holders = {holder.blob: holder for holder in holders}
        super().__init__(sandbox, path=path, **options)
        self.keys = [(holder.blob, b"key") for holder in holders]

    def _proper_answer(self, message):
        if message[0] != wire.SIGN_REQUEST:
            return super()._proper_answer(message)
        (length,) = struct.unpack_from(">I", message, 1)
        blob = message[5:5 + length]
        (size,) = struct.unpack_from(">I", message, 5 + length)
        data = message[9 + length:9 + length + size]
        (flags,) = struct.unpack_from(">I", message, 9 + length + size)
        holder = self._holders.get(blob)
        if holder is None:
            return wire.frame(wire.FAILURE)
        signature = holder.sign(data, flags)
        return wire.frame(wire.FAILURE) if signature is None else wire.frame(wire.SIGN_RESPONSE, wire.string(signature))
