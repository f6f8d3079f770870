"""Who is let in at the signing endpoint: users, tokens, no web page."""

import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import stranger
from support.case import main, root_only
from support.http import Endpoint, free_port
from support.sandbox import LIVESOCKD
from support.signing import SigningCase
from support.waiting import eventually


class PeersTest(SigningCase):
    """Who is let in."""

    def stranger_asks(self, endpoint, **headers):
        """curl as another user."""
        words = ["curl", "-q", "-s", "--max-time", "10", "-w", "%{http_code}", "-o", "/dev/null"]
        if endpoint.address.startswith("unix:"):
            words += ["--unix-socket", endpoint.address[5:], "http://localhost/publickey"]
        else:
            words += [f"http://{endpoint.address}/publickey"]
        for name, value in headers.items():
            words += ["-H", f"{name.replace('_', '-')}: {value}"]
        uid, gid = stranger.nobody()
        done = subprocess.run(words, capture_output=True, text=True, check=False, user=uid, group=gid, extra_groups=[],
                              cwd="/", timeout=20)
        return done.stdout

    @root_only
    def test_another_user_is_refused_unless_allowed(self):
        tokens = os.path.join(self.sandbox.path, "tokens")
        uid = stranger.nobody()[0]
        # The sandbox is closed to strangers: their socket stands elsewhere.
        os.mkdir("/tmp/open", 0o755)
        self.addCleanup(lambda: os.rmdir("/tmp/open"))
        self.real = self.agent("alice", path=self.in_agents("real"))
        open_path = "/tmp/open/sign"
        self.serve_signing("", f"allow_uids = [{uid}]", f'token_file = "{tokens}"', "unix",
                           more=f'\n[[signing]]\nlisten = "unix:{open_path}"\nallow_uids = [{uid}]\n')
        self.wait_for_agent()
        self.token("one")
        self.assertEqual(self.stranger_asks(self.endpoints[0]), "401")
        self.assertEqual(self.stranger_asks(self.endpoints[1]), "200")
        self.assertEqual(self.stranger_asks(self.endpoints[2]), "401")
        self.assertEqual(self.stranger_asks(Endpoint("unix:" + open_path)), "200")
        self.assertIn("refused (401)", self.daemon.log)
        for endpoint in self.endpoints:
            self.assertEqual(endpoint.get("/publickey").status, 200)

    def test_ipv6_is_served_as_ipv4_is(self):
        self.agent("alice", path=self.in_agents("real"))
        endpoint = Endpoint(f"[::1]:{free_port()}")
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError as error:
            self.skipTest(f"there is no IPv6 here: {error}")
        self.daemon = self.supervisor(self.only_agents(f'[[signing]]\nlisten = "{endpoint.address}"\n'))
        self.wait_for_agent()
        self.assertEqual(endpoint.get("/publickey").text.strip(), self.sandbox.public_key("alice"))
        self.assertEqual(endpoint.get("/publickey", host="[::2]:7221").status, 403)
        done = self.sign_script("pubkey", endpoint=endpoint)
        self.assertEqual(done.out.strip(), self.sandbox.public_key("alice"), done)

    @root_only
    def test_the_socket_of_a_listener_is_the_users_alone(self):
        self.with_keys("alice", listener="unix")
        path = self.endpoint.address[5:]
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        # Even one who gets past the mode is looked at.
        words = "GET /publickey HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        self.assertTrue(bytes.fromhex(stranger.ask(path, words)).startswith(b"HTTP/1.1 401 "))

    def test_a_request_whose_client_has_gone_signs_nothing(self):
        """The kernel would call the owner of an end that is closed root: nobody is let in as that."""
        fake = self.fake_agent("carol", path=self.in_agents("fake"))
        self.serve_signing()
        self.wait_for_agent()
        os.kill(self.daemon.pid, signal.SIGSTOP)
        try:
            for _ in range(20):
                with self.endpoint.connect() as sock:
                    sock.sendall(f"POST /sign HTTP/1.1\r\nHost: {self.endpoint.address}\r\nContent-Length: 1\r\n\r\nx"
                                 .encode())
        finally:
            os.kill(self.daemon.pid, signal.SIGCONT)
        self.daemon.wait_for_log("it cannot be told which user you are")
        eventually(lambda: self.daemon.status()["signing"][0]["requests"]["refused"] == 20, 5, "all to be refused")
        self.assertEqual(fake.count(13), 0)

    def test_tokens_are_made_shown_once_listed_and_revoked(self):
        tokens = os.path.join(self.sandbox.path, "tokens")
        self.with_keys("alice", listener=f'token_file = "{tokens}"\nrequire_token = true\nname = "box"')
        token = self.token("ci")
        self.assertRegex(token, r"^lsk_[A-Za-z0-9_-]{43}$")
        with open(tokens, encoding="ascii") as file:
            self.assertNotIn(token[4:], file.read())
        self.assertEqual(os.stat(tokens).st_mode & 0o777, 0o600)
        self.assertNotIn(token[4:], self.daemon.log)
        self.assertNotEqual(self.livesock("signing", "token", "ci").status, 0)
        other = self.token("other", "--listener", "box")
        self.assertEqual(self.endpoint.sign(b"m", Authorization=f"Bearer {token}").status, 200)
        listed = self.livesock("signing", "token", "--list")
        self.assertIn("ci", listed.out)
        self.assertNotIn(token[4:], listed.out)
        self.assertEqual(self.livesock("signing", "token", "ci", "--revoke").status, 0)
        self.assertEqual(self.endpoint.sign(b"m", Authorization=f"Bearer {token}").status, 401)
        self.assertEqual(self.endpoint.sign(b"m", Authorization=f"Bearer {other}").status, 200)
        self.assertNotEqual(self.livesock("signing", "token", "ci", "--revoke").status, 0)

    def test_a_token_file_that_others_may_read_lets_nobody_in(self):
        tokens = os.path.join(self.sandbox.path, "tokens")
        self.with_keys("alice", listener=f'token_file = "{tokens}"\nrequire_token = true')
        self.endpoint.token = self.token()
        self.assertEqual(self.endpoint.sign(b"m").status, 200)
        os.chmod(tokens, 0o640)
        self.assertEqual(self.endpoint.sign(b"m").status, 401)
        self.assertIn("chmod 600", self.daemon.log)

    def test_a_listener_beyond_loopback_needs_a_token_file(self):
        config = self.sandbox.file("bad.toml", '[[signing]]\nlisten = "0.0.0.0:7221"\n')
        done = self.run_program(LIVESOCKD, "--check-config",
                                "--config", config)
        self.assertNotEqual(done.status, 0)
        self.assertIn("token_file", done.err)
        self.assertIn("bad.toml:1:1", done.err)


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

PAGE = """<!doctype html><title>a page</title>
<form id=f method=post action="{url}/sign" target=t enctype="text/plain"><input name=a value=b></form>
<iframe name=t></iframe><img src="{url}/publickey"><link rel=prefetch href="{url}/publickey">
<script>
async function tries() {{
  const seen = [];
  for (const options of [{{}}, {{mode: "no-cors"}}, {{credentials: "include"}}, {{headers: {{"Authorization": "Bearer x"}}}}])
    for (const [path, more] of [["/sign", {{method: "POST", body: "x"}}], ["/publickey", {{}}], ["/metrics", {{}}]])
      try {{
        const answer = await fetch("{url}" + path, {{...more, ...options}});
        seen.push(answer.type + ":" + answer.status + ":" + (await answer.text()).length);
      }} catch (error) {{ seen.push("failed"); }}
  document.getElementById("f").submit();
  await new Promise(done => setTimeout(done, 500));
  document.body.innerHTML = "<pre id=result>" + JSON.stringify(seen) + "</pre>";
}}
tries();
</script>"""


@unittest.skipUnless(BROWSER, "no headless browser (chromium) is installed")
class BrowserTest(SigningCase):
    """A page in a real browser, which is a process of the user's own, gets nothing."""

    def setUp(self):
        super().setUp()
        self.fake = self.fake_agent("carol", path=self.in_agents("fake"))
        self.serve_signing()
        self.wait_for_agent()

    def browse(self, url, *words):
        """What is on the page at the end."""
        profile = self.sandbox.directory("profile")
        done = self.run_program(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-breakpad",
                                f"--user-data-dir={profile}", "--virtual-time-budget=8000", "--dump-dom", *words, url,
                                within=90)
        self.assertEqual(done.status, 0, done)
        return done.out

    def serve_page(self):
        """A page of another server on this machine, which a browser takes for the same site; returns its URL."""
        page = PAGE.format(url=self.endpoint.url).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            """Has one page."""

            def do_GET(self):
                """Sends it."""
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_):
                """Says nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(lambda: (server.shutdown(), thread.join(), server.server_close()))
        return f"http://127.0.0.1:{server.server_address[1]}/"

    def test_a_page_gets_no_signature(self):
        """fetch() in its modes, and a form: none of them makes the agent sign, and none can read an answer."""
        seen = json.loads(self.browse(self.serve_page()).split('<pre id="result">')[1].split("</pre>")[0])
        self.assertEqual(len(seen), 12, seen)
        for result in seen:
            self.assertIn(result, ("failed", "opaque:0:0"))
        self.assertEqual(self.fake.count(13), 0, "the agent was asked to sign")
        self.assertIn("refused (403)", self.daemon.log)
        self.assertGreater(self.daemon.status()["signing"][0]["requests"]["refused"], 3, "the page asked for nothing")
        self.assertEqual(self.daemon.status()["signing"][0]["requests"]["answered"], 0)

    def test_a_name_that_was_made_to_point_here_shows_nothing(self):
        """DNS rebinding: the page's own name leads to the endpoint."""
        port = self.endpoint.address.rsplit(":", 1)[1]
        text = self.browse(f"http://evil.example:{port}/publickey", "--host-resolver-rules=MAP evil.example 127.0.0.1")
        self.assertIn("no name of this listener", text)
        self.assertNotIn("ssh-ed25519", text)
        self.assertNotIn("ssh-ed25519", self.browse(f"{self.endpoint.url}/publickey"))


if __name__ == "__main__":
    main()
