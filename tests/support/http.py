"""HTTP as the tests speak it to the signing endpoint: whole requests, and pieces of them on bare sockets."""

import http.client
import socket


class Answer:
    """What came back."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        """The body as text."""
        return self.body.decode(errors="replace")

    def __repr__(self):
        return f"{self.status}: {self.text[:300]!r}"


class Endpoint:
    """A listener at `address`: "unix:PATH" or "HOST:PORT"."""

    def __init__(self, address, token=None):
        self.address = address
        self.token = token

    @property
    def url(self):
        """As LIVESOCK_SIGN_URL has it."""
        return self.address if self.address.startswith("unix:") else f"http://{self.address}"

    def connect(self, within=10):
        """A connected socket."""
        if self.address.startswith("unix:"):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(within)
            sock.connect(self.address[5:])
            return sock
        host, port = self.address.rsplit(":", 1)
        return socket.create_connection((host.strip("[]"), int(port)), timeout=within)

    def ask(self, method, target, body=None, within=10, host=None, **headers):
        """One request on a connection of its own. A header's '_' stands for '-'; one that is None is left out."""
        connection = http.client.HTTPConnection("localhost", timeout=within)
        connection.sock = self.connect(within)
        wanted = {"Host": host or ("localhost" if self.address.startswith("unix:") else self.address)}
        if self.token:
            wanted["Authorization"] = f"Bearer {self.token}"
        wanted.update({name.replace("_", "-"): value for name, value in headers.items()})
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in wanted.items():
                if value is not None:
                    connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders()
            if body:
                try:
                    connection.send(body)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # an answer may have come before the end
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def sign(self, data, query="", **options):
        """POST /sign."""
        return self.ask("POST", f"/sign{query}", data, **options)

    def get(self, target, **options):
        """GET."""
        return self.ask("GET", target, **options)

    def raw(self, data, within=10):
        """Sends bytes as they are, and returns all that comes back until the other end closes."""
        with self.connect(within) as sock:
            try:
                sock.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return drain(sock)


def drain(sock):
    """All that comes until the end of the connection."""
    received = b""
    while True:
        try:
            more = sock.recv(65536)
        except ConnectionResetError:
            more = b""
        if not more:
            return received
        received += more


def free_port():
    """A TCP port of the loopback interface on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]
