"""A guest/host message bus as a test plays it: either side of it, written from the format alone."""

import base64
import datetime
import http.server
import json
import queue
import threading
import time
import uuid

NAMESPACE = "ssh-agent"
PUBLISH = "/v1/publish"
MESSAGES = "/api/plugins/listeners/ssh-agent/messages"
RESPOND = "/api/plugins/listeners/ssh-agent/respond"


def uuid7():
    """A UUID of version 7."""
    value = (int(time.time() * 1000) << 80) | (uuid.uuid4().int & ((1 << 80) - 1))
    value = (value & ~(0xF << 76)) | (7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return str(uuid.UUID(int=value))


def now():
    """The time as RFC 3339 has it."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def envelope(kind, payload, **more):
    """An envelope with every member that it needs; None takes one away."""
    members = {"id": uuid7(), "namespace": NAMESPACE, "type": kind, "final": True, "timestamp": now(),
               "payload": payload, **more}
    return {name: value for name, value in members.items() if value is not None}


def response(payload, **more):
    """What a bus answers to a POST."""
    return envelope("response", payload, **{"in_reply_to": uuid7(), **more})


def b64(data):
    """Base64 as the format has it."""
    return base64.b64encode(data).decode()


def listed(*keys):
    """The payload of a list: pairs of blob and comment."""
    return {"keys": [{"format": blob[4:4 + int.from_bytes(blob[:4], "big")].decode(), "blob": b64(blob),
                      "comment": comment} for blob, comment in keys]}


class _Quiet(http.server.BaseHTTPRequestHandler):
    """A handler that logs nothing and speaks HTTP/1.1."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Not to standard error."""

    def answer(self, status, body, kind="application/json"):
        """A whole response."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        """The body of the request."""
        return self.rfile.read(int(self.headers["Content-Length"]))


class _Server(http.server.ThreadingHTTPServer):
    """One that can be closed while connections are open."""

    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_):
        """A peer that has left is no error of ours."""


class Serving:
    """A server on a port of 127.0.0.1; `port` 0: any."""

    def __init__(self, handler, port=0):
        self._server = _Server(("127.0.0.1", port), handler)
        self._server.owner = self
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self):
        """Ends it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class GuestBus(Serving):
    """What a guest posts to. `script` gets the request's payload and returns a payload, or an Outcome."""

    def __init__(self, script, port=0):
        self.script = script
        self.requests = []  # whole bodies, parsed
        self.headers = []
        super().__init__(_GuestHandler, port)

    @property
    def url(self):
        """For [[upstream]] bus."""
        return f"http://127.0.0.1:{self.port}{PUBLISH}"

    def count(self, operation):
        """How many requests of that operation have come."""
        return sum(1 for request in list(self.requests) if request["payload"].get("operation") == operation)


class Outcome:
    """A response that is no payload: `status` and `body` (bytes, or what is to be JSON). `silence`: seconds before
    it; `cut`: only so many bytes of the body are sent; `drip`: seconds between its bytes; `raw`: these bytes are sent
    in place of all that, and the connection closed."""

    def __init__(self, status=200, body=b"", silence=0.0, cut=None, drip=0.0, raw=None):
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.silence, self.cut, self.drip, self.raw = silence, cut, drip, raw


class _GuestHandler(_Quiet):
    def do_POST(self):
        """A request of the guest."""
        owner = self.server.owner
        request = json.loads(self.body())
        owner.requests.append(request)
        owner.headers.append(dict(self.headers))
        if self.path != PUBLISH:
            self.answer(404, b"{}")
            return
        outcome = owner.script(request["payload"])
        if not isinstance(outcome, Outcome):
            outcome = Outcome(200, response(outcome))
        time.sleep(outcome.silence)
        if outcome.raw is not None:
            self.wfile.write(outcome.raw)
            self.close_connection = True
            return
        if outcome.cut is None and not outcome.drip:
            self.answer(outcome.status, outcome.body)
            return
        self.send_response(outcome.status)
        self.send_header("Content-Length", str(len(outcome.body)))
        self.end_headers()
        for byte in outcome.body[:outcome.cut]:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(outcome.drip)
        self.close_connection = True


class HostBus(Serving):
    """What a host subscribes to. `send()` gives the host an event; `answers` has what it responded."""

    def __init__(self, port=0):
        self.answers = queue.Queue()
        self.subscribed = 0
        self.posts = 0
        self.respond_status = 204
        self.respond_silence = 0.0  # seconds before an answer is taken
        self._streams = []
        self._lock = threading.Lock()
        super().__init__(_HostHandler, port)

    @property
    def url(self):
        """For [broker] server."""
        return f"http://127.0.0.1:{self.port}"

    def send_raw(self, data):
        """Bytes on every event stream."""
        with self._lock:
            for stream in self._streams:
                stream.put(data)

    def send(self, message):
        """A message, in two data lines."""
        text = message if isinstance(message, str) else json.dumps(message, indent=1)
        self.send_raw(b"event: message\n" + b"".join(b"data: " + line.encode("utf-8", "surrogateescape") + b"\n"
                                                     for line in text.split("\n")) + b"\n")

    def end_streams(self):
        """Ends every event stream."""
        self.send_raw(None)

    def ask(self, payload, within=10, **more):
        """Sends a request and returns the payload of its response."""
        request = envelope("request", payload, **more)
        self.send(request)
        return self.answer_to(request["id"], within)["payload"]

    def answer_to(self, wanted, within=10):
        """The response to the request of that id."""
        deadline = time.monotonic() + within
        while True:
            answer = self.answers.get(timeout=max(0.01, deadline - time.monotonic()))
            if answer.get("in_reply_to") == wanted:
                return answer

    def close(self):
        """Ends it, and its streams."""
        self.end_streams()
        super().close()


class _HostHandler(_Quiet):
    def do_GET(self):
        """A subscription."""
        owner = self.server.owner
        if self.path != MESSAGES:
            self.answer(404, b"{}")
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b": welcome\n\n")
        stream = queue.Queue()
        with owner._lock:
            owner._streams.append(stream)
            owner.subscribed += 1
        try:
            while (data := stream.get()) is not None:
                self.wfile.write(data)
                self.wfile.flush()
        except OSError:
            pass
        with owner._lock:
            owner._streams.remove(stream)
        self.close_connection = True

    def do_POST(self):
        """An answer of the host."""
        owner = self.server.owner
        body = self.body()
        owner.posts += 1
        time.sleep(owner.respond_silence)
        if self.path == RESPOND and owner.respond_status == 204:
            owner.answers.put(json.loads(body))
        self.send_response(owner.respond_status if self.path == RESPOND else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()
