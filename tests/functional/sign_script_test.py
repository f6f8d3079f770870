"""livesock-sign as git's program for signatures, where no agent can be reached."""

import http.server
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import network
from support.case import main
from support.http import Endpoint, free_port
from support.sandbox import LIVESOCKD
from support.signing import LIVESOCK_SIGN, SigningCase, have
from support.waiting import eventually

NO_NETWORK = network.missing()
SHELLS = [words for words in (["dash"], ["busybox", "sh"], ["bash", "--posix"], ["ksh"], ["mksh"], ["zsh", "--emulate", "sh"])
          if shutil.which(words[0])]


@unittest.skipUnless(have("curl"), "needs curl")
class ScriptTest(SigningCase):
    """The script by itself."""

    def setUp(self):
        super().setUp()
        self.public = lambda name: self.sandbox.file(f"public/{name}.pub", self.sandbox.public_key(name) + "\n")
        self.data = self.sandbox.file("data", "message")

    def test_it_signs_a_file_as_ssh_keygen_does(self):
        self.with_keys("alice", "bob")
        for shell in SHELLS or [[]]:
            for name in ("alice", "bob"):
                with self.subTest(shell=shell, name=name):
                    words = (*shell, LIVESOCK_SIGN, "-Y", "sign", "-n", "git", "-f", self.public(name), self.data)
                    done = self.run_program(*words, LIVESOCK_SIGN_URL=self.endpoint.url)
                    self.assertEqual((done.status, done.text), (0, ""), done)
                    with open(self.data + ".sig", encoding="ascii") as file:
                        self.assertEqual(file.read(), self.of_ssh_keygen(name, b"message"))
                    os.unlink(self.data + ".sig")

    def test_it_signs_standard_input(self):
        self.with_keys("alice")
        for more in ((), ("-",), ("-U",)):
            done = self.sign_script("-Y", "sign", "-n", "git", "-f", self.public("alice"), *more, stdin=b"message")
            self.assertEqual(done.out, self.of_ssh_keygen("alice", b"message"), done)

    def test_it_signs_what_comes_through_a_pipe(self):
        self.with_keys("alice")
        pipe = os.path.join(self.sandbox.path, "pipe")
        os.mkfifo(pipe)
        sign = ("-Y", "sign", "-n", "git", "-f", self.public("alice"))

        def run(text):
            writer = self.sandbox.spawn("sh", "-c", 'printf %s "$1" >"$2"', "sh", text, pipe, log="writer.log")
            done = self.sign_script(*sign, pipe)
            writer.kill()  # where nobody has read, it waits for that
            writer.wait()
            return done
        self.assertEqual(run("message").status, 0)
        with open(pipe + ".sig", encoding="ascii") as file:
            self.assertEqual(file.read(), self.of_ssh_keygen("alice", b"message"))
        os.unlink(pipe + ".sig")
        self.assertEqual(run("").err, f"livesock-sign: '{pipe}' is empty: there is nothing to sign\n")
        done = self.sign_script(*sign, stdin=b"")
        self.assertEqual((done.status, done.err), (1, "livesock-sign: standard input is empty: there is nothing to sign\n"))

    def test_it_signs_files_in_shared_memory(self):
        """Where git puts what is to be signed, with TMPDIR=/dev/shm."""
        self.with_keys("alice")
        with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
            path = os.path.join(directory, "buffer")
            with open(path, "wb") as file:
                file.write(b"message")
            done = self.sign_script("-Y", "sign", "-n", "git", "-f", self.public("alice"), path)
            self.assertEqual(done.status, 0, done)
            with open(path + ".sig", encoding="ascii") as file:
                self.assertEqual(file.read(), self.of_ssh_keygen("alice", b"message"))

    def test_the_key_may_be_named_by_its_private_file(self):
        """As user.signingkey = ~/.ssh/id_ed25519 does; the .pub beside it says which."""
        self.with_keys("alice", "bob")
        public = self.public("bob")
        private = self.sandbox.file("public/bob", "-----BEGIN OPENSSH PRIVATE KEY-----\nnone of it is here\n")
        for path in (private, public):
            done = self.sign_script("-Y", "sign", "-n", "git", "-f", path, stdin=b"message")
            self.assertEqual(done.out, self.of_ssh_keygen("bob", b"message"), done)

    def test_a_private_key_that_is_here_signs_here(self):
        self.serve_signing()
        path = self.sandbox.key("carol")
        os.rename(path + ".pub", path + ".away")
        done = self.sign_script("-Y", "sign", "-q", "-n", "git", "-f", path, self.data)
        os.rename(path + ".away", path + ".pub")
        self.assertEqual(done.status, 0, done)
        with open(self.data + ".sig", encoding="ascii") as file:
            self.check_signature(file.read(), b"message", self.sandbox.public_key("carol"))

    def test_a_missing_key_file_is_filled_and_stays(self):
        """The first key becomes the key: another one that the agent offers later does not take its place."""
        self.with_keys("alice")
        path = os.path.join(self.sandbox.path, "new", "directory", "signing.pub")
        done = self.sign_script("-Y", "sign", "-n", "git", "-f", path, stdin=b"message")
        self.assertEqual(done.out, self.of_ssh_keygen("alice", b"message"), done)
        with open(path, encoding="ascii") as file:
            self.assertEqual(file.read().strip(), self.sandbox.public_key("alice"))
        self.run_program("ssh-add", "-q", "-D", SSH_AUTH_SOCK=self.real.path)
        self.real.add("bob")
        done = self.sign_script("-Y", "sign", "-n", "git", "-f", path, stdin=b"message")
        self.assertEqual((done.status, done.out), (1, ""), done)
        self.assertIn(self.sandbox.fingerprint("alice"), done.err)

    def test_pubkey_prints_the_key_or_writes_it(self):
        self.with_keys("alice")
        self.assertEqual(self.sign_script("pubkey").out.strip(), self.sandbox.public_key("alice"))
        path = os.path.join(self.sandbox.path, "key.pub")
        self.assertEqual(self.sign_script("pubkey", path).status, 0)
        with open(path, encoding="ascii") as file:
            self.assertEqual(file.read().strip(), self.sandbox.public_key("alice"))

    def test_a_comment_may_be_in_any_language(self):
        line = " ".join(self.sandbox.public_key("alice").split()[:2]) + " jürgen@büro, 東京"
        signature = self.of_ssh_keygen("alice", b"message")
        answers = {"/publickey": line.encode() + b"\n", "/sign": signature.encode()}
        url, heads = self.serve_answers(answers)
        for shell in SHELLS or [[]]:
            with self.subTest(shell=shell):
                def run(*words):
                    done = self.run_program(*shell, LIVESOCK_SIGN, *words, stdin=b"message", LIVESOCK_SIGN_URL=url)
                    self.assertEqual(done.status, 0, done)
                    return done.out
                self.assertEqual(run("pubkey"), line + "\n")
                filled = os.path.join(self.sandbox.path, "filled.pub")
                for path in (filled, self.sandbox.file("own.pub", line + "\r\n"), self.sandbox.file("bare.pub", "\r\n# me\n" + line)):
                    self.assertEqual(run("-Y", "sign", "-n", "git", "-f", path), signature)
                    self.assertEqual(heads[-1][1]["SSH-Public-Key"], " ".join(line.split()[:2]))
                with open(filled, encoding="utf-8") as file:
                    self.assertEqual(file.read(), line + "\n")
                os.unlink(filled)
                answers["/publickey"] = line.encode() + b" \033]0;x\a\302\2332J\n"
                self.assertEqual(run("pubkey"), line + " ]0;x2J\n")
                answers["/publickey"] = line.encode() + b"\n"

    def test_a_token_comes_from_a_file_and_is_seen_by_nobody(self):
        tokens = os.path.join(self.sandbox.path, "tokens")
        self.with_keys("alice", listener=f'token_file = "{tokens}"\nrequire_token = true')
        token = self.token()
        token_file = self.sandbox.file("token", token + "\n")
        spy = self.sandbox.file("bin/curl", '#!/bin/sh\necho "$@" >>"$SPY"\nexec /usr/bin/curl "$@"\n', 0o700)
        seen = os.path.join(self.sandbox.path, "seen")
        done = self.sign_script("-Y", "sign", "-n", "git", "-f", self.public("alice"), stdin=b"message",
                                token_file=token_file, LIVESOCK_SIGN_CURL=spy, SPY=seen)
        self.assertEqual(done.out, self.of_ssh_keygen("alice", b"message"), done)
        with open(seen, encoding="utf-8") as file:
            self.assertNotIn(token[4:], file.read())
        for wrong, words in ((None, "livesock signing token"), (self.sandbox.file("wrong", "lsk_wrong\n"), "401"),
                             (self.sandbox.file("empty", ""), "no token"), ("/nonexistent", "cannot read"),
                             (self.sandbox.file("text", 'x" header = "X: y\n'), "no token")):
            done = self.sign_script("-Y", "sign", "-n", "git", "-f", self.public("alice"), stdin=b"m", token_file=wrong)
            self.assertEqual((done.status, done.out), (1, ""), done)
            self.assertIn(words, done.err)

    def test_other_operations_are_ssh_keygens(self):
        self.with_keys("alice")
        signature = self.sandbox.file("signature", self.endpoint.sign(b"message").text)
        allowed = self.sandbox.file("allowed", f"me@example.org {self.sandbox.public_key('alice')}\n")
        for words in (("-Y", "check-novalidate", "-n", "git", "-s", signature),
                      ("-Y", "find-principals", "-f", allowed, "-s", signature),
                      ("-Y", "verify", "-f", allowed, "-I", "me@example.org", "-n", "git", "-s", signature),
                      ("-lf", self.public("alice"))):
            real = self.run_program("ssh-keygen", *words, stdin=b"message")
            done = self.sign_script(*words, stdin=b"message", LIVESOCK_SIGN_URL="http://127.0.0.1:1")
            self.assertEqual((done.status, done.out), (real.status, real.out), done)
            self.assertEqual(done.status, 0, done)

    def test_where_ssh_keygen_is_the_script_itself_it_says_so(self):
        self.sandbox.directory("bin")
        os.symlink(LIVESOCK_SIGN, os.path.join(self.sandbox.path, "bin", "ssh-keygen"))
        done = self.sign_script("-lf", self.public("alice"), endpoint=Endpoint("127.0.0.1:1"), PATH=f"{self.sandbox.path}/bin:/usr/bin:/bin")
        self.assertEqual(done.status, 1, done)
        self.assertIn("LIVESOCK_SIGN_KEYGEN", done.err)

    def test_the_older_names_of_its_settings_are_honoured(self):
        self.with_keys("alice")
        spy = self.sandbox.file("bin/other-curl", '#!/bin/sh\necho "$@" >>"$SPY"\nexec /usr/bin/curl "$@"\n', 0o700)
        seen = os.path.join(self.sandbox.path, "seen")
        path = os.path.join(self.sandbox.path, "filled.pub")
        done = self.sign_script("-Y", "sign", "-n", "git", "-f", path, stdin=b"message", LIVESOCK_SIGN_URL=None,
                                SSH_AGENT_PROXY_URL=self.endpoint.url + "/sign",
                                SSH_AGENT_PROXY_PUBKEY_URL=self.endpoint.url + "/publickey?old=1",
                                SSH_AGENT_PROXY_CURL=spy, SPY=seen)
        self.assertEqual(done.out, self.of_ssh_keygen("alice", b"message"), done)
        with open(seen, encoding="utf-8") as file:
            self.assertIn("/publickey?old=1", file.read())

    def test_errors_say_what_to_do(self):
        self.real = self.agent("bob", path=self.in_agents("real"))
        self.serve_signing('timeout = "200ms"', 'keys = ["SHA256:' + "a" * 43 + '"]')
        self.wait_for_agent()
        public = self.public("alice")
        garbage = self.sandbox.file("garbage.pub", "none\n")
        sign = ("-Y", "sign", "-n", "git", "-f", public)
        for words, settings, expected in (
                (sign, {"LIVESOCK_SIGN_URL": f"http://127.0.0.1:{free_port()}"}, "is livesockd running"),
                (sign, {"LIVESOCK_SIGN_URL": "unix:/nonexistent"}, "is livesockd running"),
                (sign, {"LIVESOCK_SIGN_URL": "http://no-such-host.invalid"}, "LIVESOCK_SIGN_URL"),
                (sign, {"LIVESOCK_SIGN_URL": "nonsense"}, "http://HOST:PORT"),
                (sign, {"LIVESOCK_SIGN_URL": "file:///etc/passwd"}, "http://HOST:PORT"),
                (sign, {"LIVESOCK_SIGN_URL": self.endpoint.url + "/wrong"}, "LIVESOCK_SIGN_URL right"),
                (sign, {"LIVESOCK_SIGN_CURL": "no-such-curl"}, "install curl"),
                (sign, {"LIVESOCK_SIGN_URL": self.endpoints[1].url}, "(403)"),
                (sign, {}, "ssh-add"),
                (("-Y", "sign", "-n", "other", "-f", public), {}, "namespace 'other'"),
                (("-Y", "sign", "-f", public), {}, "-n git"),
                (("-Y", "sign", "-n", "git"), {}, "user.signingkey"),
                ((*sign, "/nonexistent"), {}, "cannot read"),
                ((*sign, self.sandbox.path), {}, "cannot read"),
                ((*sign, self.sandbox.file("nothing", "")), {}, "nothing' is empty"),
                ((*sign, "/dev/fd/0"), {}, "as standard input"),
                ((*sign, "-dash"), {}, "'-dash' is no option: a file of that name is './-dash'"),
                (("-Y", "sign", "-n", "git", "-f"), {}, "-f needs a value"),
                (("pubkey", "-dash"), {}, "'./-dash'"),
                (("-Y", "sign", "-n", "git", "-f", garbage), {}, f"no key in '{garbage}': put the endpoint's there"),
                (("-Y", "sign", "-n", "git", "-f", garbage[:-4]), {}, f"no key in '{garbage}'"),
                (("-Y", "sign", "-n", "git", "-f", self.sandbox.path), {}, f"cannot read the key in '{self.sandbox.path}'"),
                (("-Y", "sign", "-n", "git", "-f", garbage + "/key"), {}, f"cannot make the directory '{garbage}'"),
                (("pubkey", "/proc/key"), {}, "cannot write '/proc/key'"),
                (sign, {"TMPDIR": garbage}, f"cannot make a temporary directory in '{garbage}': set TMPDIR"),
                (sign, {"LIVESOCK_SIGN_TOKEN_FILE": self.sandbox.path}, "cannot read the token"),
                (("-Y", "sign", "-n", "git", "-O", "hashalg=sha256", "-f", public), {}, "sha512")):
            with self.subTest(words=words, settings=settings):
                done = self.sign_script(*words, stdin=b"m", **settings)
                self.assertEqual((done.status, done.out), (1, ""), done)
                self.assertIn(expected, done.err)
                self.assertTrue(done.err.startswith("livesock-sign: "), done.err)
                self.assertEqual(done.err.count("\n"), 1, done.err)
        self.real.signal(signal.SIGSTOP)
        done = self.sign_script(*sign, stdin=b"m")
        self.assertEqual(done.status, 1)
        self.assertIn("(504)", done.err)

    def test_what_is_there_is_not_overwritten_and_nothing_is_left_half_done(self):
        self.with_keys("alice")
        there = self.sandbox.file("data.sig", "mine")
        done = self.sign_script("-Y", "sign", "-n", "git", "-f", self.public("alice"), self.data)
        self.assertEqual(done.status, 1, done)
        with open(there, encoding="ascii") as file:
            self.assertEqual(file.read(), "mine")
        left = self.sandbox.directory("left")
        self.sign_script("-Y", "sign", "-n", "git", "-f", self.public("alice"), stdin=b"m", TMPDIR=left)
        self.sign_script("-Y", "sign", "-n", "other", "-f", self.public("alice"), stdin=b"m", TMPDIR=left)
        self.assertEqual(os.listdir(left), [])

    def serve_answers(self, answers):
        """An endpoint that answers what `answers` has for the path; returns its URL, and the requests' heads."""
        heads = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                heads.append((self.path, dict(self.headers)))
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(200)
                self.end_headers()
                try:
                    self.wfile.write(answers[self.path.split("?")[0]])
                except OSError:
                    pass
            do_GET = do_POST = answer

            def log_message(self, *_):
                pass
        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        for clean_up in (server.server_close, thread.join, server.shutdown):
            self.addCleanup(clean_up)
        return f"http://127.0.0.1:{server.server_port}", heads

    def test_nothing_but_a_signature_of_the_key_is_taken(self):
        answers = {}
        url, _ = self.serve_answers(answers)
        good = self.of_ssh_keygen("alice", b"message").encode()
        lines = good.splitlines(keepends=True)
        for shell in SHELLS or [[]]:
            for answer, words in ((good, None),
                                  (self.of_ssh_keygen("bob", b"message").encode(), "another key"),
                                  (good + b"\x1b]0;pwn\x07 junk", "a signature"), (good + b"\0", "a signature"),
                                  (good + b"more", "a signature"), (good + good, "a signature"),
                                  (b"".join(lines[:-1]), "a signature"), (good[:-1], "a signature"),
                                  (lines[0] + b"not base64\n" + lines[-1], "a signature"),
                                  (lines[0] + lines[-1], "another key"), (b"", "a signature"),
                                  (good + b"A" * 1_000_000, "")):
                with self.subTest(shell=shell, answer=answer[:400]):
                    answers["/sign"] = answer
                    done = self.run_program(*shell, LIVESOCK_SIGN, "-Y", "sign", "-n", "git", "-f", self.public("alice"),
                                            stdin=b"message", LIVESOCK_SIGN_URL=url)
                    self.assertEqual((done.status, done.out), (1, "") if words is not None else (0, good.decode()), done)
                    self.assertIn(words or "", done.err)

    def test_the_token_goes_to_the_endpoint_alone(self):
        key = (self.sandbox.public_key("alice") + "\n").encode()
        signature = self.of_ssh_keygen("alice", b"message").encode()
        url, heads = self.serve_answers({"/publickey": key, "/sign": signature})
        other, other_heads = self.serve_answers({"/key": key})
        token = self.sandbox.file("token", "lsk_secret\r\n")
        path = os.path.join(self.sandbox.path, "filled.pub")
        done = self.sign_script("-Y", "sign", "-n", "git", "-f", path, stdin=b"message", endpoint=Endpoint("127.0.0.1:1"),
                                token_file=token, LIVESOCK_SIGN_URL=None, SSH_AGENT_PROXY_URL=url + "/sign",
                                SSH_AGENT_PROXY_PUBKEY_URL=other + "/key")
        self.assertEqual(done.status, 0, done)
        self.assertEqual([head.get("Authorization") for _, head in heads], ["Bearer lsk_secret"])
        self.assertEqual([head.get("Authorization") for _, head in other_heads], [None])

    def test_files_with_odd_names_and_in_odd_places(self):
        self.with_keys("alice")
        directory = self.sandbox.directory("odd")
        done = self.sign_script("pubkey", directory)
        self.assertEqual((done.status, os.listdir(directory)), (1, []), done)
        for name in ("-", "a"):
            self.sandbox.file(f"odd/{name}", "message")
        done = self.sign_script("-Y", "sign", "-n", "git", "-f", self.public("alice"), "--", "a", "-", cwd=directory)
        self.assertEqual(done.status, 0, done)
        with open(os.path.join(directory, "-.sig"), encoding="ascii") as file:
            self.assertEqual(file.read(), self.of_ssh_keygen("alice", b"message"))

    def test_the_real_ssh_keygen_has_the_users_locale(self):
        spy = self.sandbox.file("bin/keygen", '#!/bin/sh\necho "${LC_ALL-unset}"\n', 0o700)
        for locale, expected in (("C.UTF-8", "C.UTF-8"), (None, "unset"), ("", "")):
            done = self.sign_script("-lf", "x", endpoint=Endpoint("127.0.0.1:1"), LC_ALL=locale, LIVESOCK_SIGN_KEYGEN=spy)
            self.assertEqual(done.text.strip(), expected, done)

    def test_expose_prints_what_makes_it_work(self):
        """Its git settings are run as they are printed."""
        self.real = self.agent("alice", path=self.in_agents("real"))
        self.serve_signing('name = "box"', "unix\nname = \"socket\"")
        self.wait_for_agent()
        done = self.livesock("signing", "expose", "box")
        self.assertEqual(done.status, 0, done)
        self.assertIn(f"LIVESOCK_SIGN_URL=http://{self.endpoint.address}", done.out)
        self.assertEqual(self.run_program("sh", "-n", stdin=done.out.encode()).status, 0, done)
        for line in done.out.splitlines():
            if line.startswith("git config --global ") and "allowed" not in line:
                self.assertEqual(self.run_program("sh", "-c", line).status, 0, line)
        self.assertEqual(self.run_program("git", "config", "--global", "user.signingkey").out.strip(),
                         "key::" + " ".join(self.sandbox.public_key("alice").split()[:2]))
        unix = self.livesock("signing", "expose", "socket", "--devcontainer")
        container = json.loads(unix.out)
        self.assertIn("unix:/run/livesock/", container["containerEnv"]["LIVESOCK_SIGN_URL"])
        self.assertIn(":/run/livesock:ro", " ".join(container["runArgs"]))
        self.assertEqual(self.livesock("signing", "expose").status, 1)
        self.assertEqual(self.livesock("signing", "expose", "nothing").status, 1)

    def test_expose_gives_no_container_a_directory_with_other_things(self):
        self.real = self.agent("alice", path=self.in_agents("real"))
        self.serve_signing("unix")
        self.wait_for_agent()
        directory = os.path.dirname(self.endpoint.address.removeprefix("unix:"))
        self.assertEqual(self.livesock("signing", "expose").status, 0)

        def refused(words, **settings):
            for more in ((), ("--devcontainer",)):
                done = self.livesock("signing", "expose", *more, **settings)
                self.assertEqual((done.status, done.out), (1, ""), done)
                self.assertIn(words, done.err)
        refused("no directory of its own", HOME=directory)
        os.chmod(directory, 0o1777)
        refused("shared with other users")
        os.chmod(directory, 0o700)
        with open(os.path.join(directory, "id_ed25519"), "w", encoding="ascii"):
            pass
        refused("'id_ed25519'")


@unittest.skipUnless(have("curl", "git"), "needs curl and git")
@unittest.skipIf(NO_NETWORK, NO_NETWORK or "")
class GitTest(SigningCase):
    """git in a namespace that has neither the host's network nor the agent's sockets."""

    def setUp(self):
        super().setUp()
        self.wire = self.keep(network.Wire())

    def serve_both(self, *keys):
        """A supervisor on the host: over the wire with a token, and at a Unix socket."""
        tokens = os.path.join(self.sandbox.path, "tokens")
        self.endpoint = Endpoint(f"{network.HOST_ADDRESS}:7221")
        socket_path = os.path.join(self.sandbox.directory("shared"), "sign.sock")
        self.unix = Endpoint(f"unix:{socket_path}")
        self.real = self.agent(*keys, path=self.in_agents("real"))
        config = self.only_agents(f'[[signing]]\nlisten = "{self.endpoint.address}"\ntoken_file = "{tokens}"\n'
                                  f'[[signing]]\nlisten = "unix:{socket_path}"\n')
        words = self.wire.host.words(LIVESOCKD)
        self.daemon = self.supervisor(config, words=words[1:], program=words[0])
        self.wait_for_agent()
        self.token_file = self.sandbox.file("token", self.token() + "\n")

    def inside(self, *argv, endpoint, **settings):
        """Runs a program in the guest's namespace, where the agents and the runtime directory are hidden."""
        hide = " && ".join(f"mount -t tmpfs none {path}" for path in
                           (self.sandbox.directory("agents"), self.sandbox.livesock_dir, self.sandbox.directory("keys")))
        words = self.wire.guest.words("unshare", "--mount", "sh", "-c", f'{hide} && cd "$0" && exec "$@"', self.repository,
                                      *argv)
        # git 2.39 leaves the file of a literal key there.
        settings["TMPDIR"] = self.sandbox.directory("tmp")
        return self.run_program(*words, SSH_AUTH_SOCK=None, LIVESOCK_DIR=None, LIVESOCK_SIGN_URL=endpoint.url,
                                LIVESOCK_SIGN_TOKEN_FILE=self.token_file if endpoint is self.endpoint else None, **settings)

    def make_repository(self, key):
        """An empty repository that signs with `key`, and trusts the sandbox's keys."""
        self.repository = self.sandbox.directory("repository")
        allowed = self.sandbox.file("allowed", "".join(f"{name}@example.org {self.sandbox.public_key(name)}\n"
                                                       for name in ("alice", "bob")))
        for words in (("init", "-q"), ("config", "user.name", "Test"), ("config", "user.email", "test@example.org"),
                      ("config", "gpg.format", "ssh"), ("config", "gpg.ssh.program", LIVESOCK_SIGN),
                      ("config", "gpg.ssh.allowedSignersFile", allowed), ("config", "user.signingkey", key)):
            done = self.run_program("git", *words, cwd=self.repository)
            self.assertEqual(done.status, 0, done)

    def check_git(self, endpoint, name):
        """A signed commit and a signed tag verify, as this key's."""
        tag = os.path.basename(self.sandbox.fresh("tag"))
        for words in (("commit", "-q", "--allow-empty", "-S", "-m", tag), ("tag", "-s", "-m", tag, tag)):
            done = self.inside("git", *words, endpoint=endpoint)
            self.assertEqual(done.status, 0, done)
        for words in (("verify-commit", "-v", "HEAD"), ("verify-tag", "-v", tag)):
            done = self.inside("git", *words, endpoint=endpoint)
            self.assertEqual(done.status, 0, done)
            self.assertIn(f'Good "git" signature for {name}@example.org', done.err)

    def check_isolated(self):
        """The guest has no agent, and does not reach this machine's own network."""
        done = self.inside("ssh-add", "-l", endpoint=self.unix)
        self.assertNotEqual(done.status, 0, done)
        done = self.inside("ls", self.sandbox.directory("agents"), endpoint=self.unix)
        self.assertEqual(done.out, "", done)

    def test_commits_and_tags_are_signed_before_and_after_a_reconnect(self):
        self.make_repository("key::" + self.sandbox.public_key("alice"))
        self.serve_both("alice")
        self.check_isolated()
        for endpoint in (self.endpoint, self.unix):
            self.check_git(endpoint, "alice")
        self.real.kill()
        eventually(lambda: not self.daemon.live, 5, "the agent's end to be noticed")
        self.agent("alice", path=self.in_agents("again"))
        self.wait_for_agent()
        for endpoint in (self.endpoint, self.unix):
            self.check_git(endpoint, "alice")

    def test_commits_are_signed_through_a_forwarded_agent_that_reconnects(self):
        """A real login, its end, and the next one."""
        self.make_repository("key::" + self.sandbox.public_key("alice"))
        laptop = self.agent("alice")
        sshd = self.sshd("alice")
        login = self.login(sshd, laptop)
        socket_path = os.path.join(self.sandbox.directory("shared"), "sign.sock")
        self.unix = Endpoint(f"unix:{socket_path}")
        self.daemon = self.supervisor(f'[[signing]]\nlisten = "unix:{socket_path}"\n')
        self.wait_for_agent()
        self.sandbox.directory("agents")
        self.endpoint = self.token_file = None
        self.check_git(self.unix, "alice")
        login.close()
        eventually(lambda: not self.daemon.live, 10, "the end of the login to be noticed")
        self.login(sshd, laptop)
        self.wait_for_agent()
        self.check_git(self.unix, "alice")

    def test_of_two_keys_the_one_that_git_names_signs(self):
        self.make_repository(self.sandbox.file("bob.pub", self.sandbox.public_key("bob") + "\n"))
        self.serve_both("alice", "bob")
        for endpoint in (self.endpoint, self.unix):
            for name in ("bob", "alice", "bob"):
                key = self.sandbox.file(f"{name}.pub", self.sandbox.public_key(name) + "\n")
                self.run_program("git", "config", "user.signingkey", key, cwd=self.repository)
                self.check_git(endpoint, name)

    def test_without_the_token_git_says_what_to_do(self):
        self.make_repository("key::" + self.sandbox.public_key("alice"))
        self.serve_both("alice")
        self.token_file = None
        done = self.inside("git", "commit", "-q", "--allow-empty", "-S", "-m", "x", endpoint=self.endpoint)
        self.assertNotEqual(done.status, 0, done)
        self.assertIn("livesock signing token", done.err)


if __name__ == "__main__":
    main()
