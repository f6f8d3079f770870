"""A supervisor with a signing endpoint, and ssh-keygen as the judge of what it signs."""

import base64
import os
import shutil
import subprocess

from .case import Case
from .http import Endpoint, free_port
from .sandbox import ROOT
from .waiting import eventually

LIVESOCK_SIGN = os.path.join(ROOT, "tools", "livesock-sign")


class SigningCase(Case):
    """`endpoint` is the first listener. The agents are those of the test."""

    def serve_signing(self, *listeners, more="", **options):
        """Starts the supervisor with these listeners: texts of a [[signing]] table, "" for the defaults, on TCP."""
        text, self.endpoints = more, []
        for listener in listeners or ("",):
            address = f"127.0.0.1:{free_port()}"
            if "unix" in listener.split():
                address = os.path.join(self.sandbox.directory(os.path.basename(self.sandbox.fresh("sign"))), "s")
            listener = "\n".join(line for line in listener.splitlines() if line.strip() != "unix")
            address = f"unix:{address}" if address.startswith("/") else address
            text += f'\n[[signing]]\nlisten = "{address}"\n{listener}\n'
            self.endpoints.append(Endpoint(address))
        self.endpoint = self.endpoints[0]
        self.config = self.only_agents(text)
        self.daemon = self.supervisor(self.config, **options)
        return self.daemon

    def wait_for_agent(self):
        """Returns when an agent is live."""
        eventually(lambda: self.daemon.live, 5, "an agent to be live")

    def with_keys(self, *keys, listener="", **options):
        """One real agent with these keys behind one listener."""
        self.real = self.agent(*keys, path=self.in_agents("real"))
        self.serve_signing(listener, **options)
        self.wait_for_agent()

    def make_key(self, name, kind, *words):
        """A key of another type under the sandbox's keys; returns its path. Key(name) then finds it."""
        path = os.path.join(self.sandbox.directory("keys"), name)
        subprocess.run(["ssh-keygen", "-q", "-t", kind, *words, "-N", "", "-C", name, "-f", path], check=True,
                       stdin=subprocess.DEVNULL, env=self.sandbox.environment())
        return path

    def certify(self, name):
        """Has a new authority sign the key's certificate; returns the line of the certificate."""
        authority = os.path.join(self.sandbox.directory("keys"), "authority")
        if not os.path.exists(authority):
            self.make_key("authority", "ed25519")
        done = self.run_program("ssh-keygen", "-q", "-s", authority, "-I", "test", "-n", "user", "-V", "always:forever",
                                self.sandbox.key(name) + ".pub")
        self.assertEqual(done.status, 0, done)
        with open(self.sandbox.key(name) + "-cert.pub", encoding="utf-8") as file:
            return file.read().strip()

    def of_ssh_keygen(self, name, data, namespace="git"):
        """What `ssh-keygen -Y sign` makes of `data` with the private key."""
        path = self.sandbox.fresh("data")
        with open(path, "wb") as file:
            file.write(data)
        done = self.run_program("ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", self.sandbox.key(name), path)
        self.assertEqual(done.status, 0, done)
        with open(path + ".sig", encoding="ascii") as file:
            signature = file.read()
        os.unlink(path)
        os.unlink(path + ".sig")
        return signature

    def check_signature(self, signature, data, key_line, namespace="git"):
        """ssh-keygen says that `signature` is that key's of `data`."""
        directory = self.sandbox.directory(os.path.basename(self.sandbox.fresh("verify")))
        signature_path = os.path.join(directory, "signature")
        with open(signature_path, "w", encoding="ascii") as file:
            file.write(signature)
        allowed = os.path.join(directory, "allowed")
        with open(allowed, "w", encoding="utf-8") as file:
            file.write(f"me@example.org {key_line}\n")
        done = self.run_program("ssh-keygen", "-Y", "check-novalidate", "-n", namespace, "-s", signature_path, stdin=data)
        self.assertEqual(done.status, 0, done)
        if "-cert-" not in key_line.split()[0]:
            done = self.run_program("ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "me@example.org", "-n", namespace,
                                    "-s", signature_path, stdin=data)
            self.assertEqual(done.status, 0, done)
        body = base64.b64decode("".join(signature.splitlines()[1:-1]))
        self.assertIn(base64.b64decode(key_line.split()[1]), body, "the key in the signature is another one")

    def token(self, name="test", *words):
        """A token made by the command."""
        done = self.livesock("signing", "token", name, *words)
        self.assertEqual(done.status, 0, done)
        return done.out.split()[0]

    def sign_script(self, *words, endpoint=None, token_file=None, **options):
        """Runs livesock-sign against the endpoint."""
        settings = {"LIVESOCK_SIGN_URL": (endpoint or self.endpoint).url, "SSH_AUTH_SOCK": None,
                    "LIVESOCK_SIGN_TOKEN_FILE": token_file}
        settings.update(options)
        return self.run_program(LIVESOCK_SIGN, *words, **settings)


def have(*programs):
    """Whether all of these can be run."""
    return all(shutil.which(program) for program in programs)
