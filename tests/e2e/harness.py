"""A real server with a data directory of its own, for the Python suites.

What always holds: it listens on a port that the system chose, it is ended by its
process id, and when it was stopped in good order its store must pass
``firstcome audit``. Requests are bytes on a socket, so that a test can send what no
library would.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

READY_LIMIT_S = 30
STOP_LIMIT_S = 20
ANSWER_LIMIT_S = 20
POLL_S = 0.02
OUT = Path(__file__).parent / "out"


class Answer:
    def __init__(self, raw: bytes):
        head, _, body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        if self.headers.get("transfer-encoding") == "chunked":
            body = _unchunk(body)
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Server:
    def __init__(self, binary: str, folder: Path, settings: dict[str, str] | None = None, config=None):
        self.folder = folder
        self.data = folder / "data"
        self.binary = binary
        self.settings = settings or {}
        self.arguments = ["--config", str(config)] if config else []
        OUT.joinpath("logs").mkdir(parents=True, exist_ok=True)
        self.log = OUT / "logs" / f"python-{folder.name}.log"
        self.process = None
        self.port = 0
        self.ready = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def aws(self) -> str:
        """Where AWS SDKs connect, without a slash at the end."""
        assert "aws" in self.ready, f"the ready file names no `aws` address: {self.ready}"
        return self.ready["aws"].rstrip("/")

    def start(self) -> None:
        ready = self.folder / "ready.json"
        env = {k: v for k, v in os.environ.items() if not k.startswith("FIRSTCOME_")}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--demo", "--listen", "127.0.0.1:0"]
                + ["--aws-listen", "127.0.0.1:0", "--data", str(self.data)]
                + ["--ready-file", str(ready)]
                + self.arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env | {"RUST_BACKTRACE": "1"} | self.settings,
            )
        end = time.monotonic() + READY_LIMIT_S
        while time.monotonic() < end:
            assert self.process.poll() is None, f"it ended at its start, see {self.log}"
            try:
                self.ready = json.loads(ready.read_text())
                self.port = int(self.ready["http"].rsplit(":", 1)[1].rstrip("/"))
                return
            except (OSError, ValueError, KeyError):
                time.sleep(POLL_S)
        raise AssertionError(f"not ready after {READY_LIMIT_S} s, see {self.log}")

    def stop(self) -> None:
        assert self.process.poll() is None, f"it has ended by itself, see {self.log}"
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(STOP_LIMIT_S) == 0, f"see {self.log}"
        assert "panicked at" not in self.log.read_text(errors="replace"), f"see {self.log}"
        audit = subprocess.run(
            [self.binary, "audit", "--data", str(self.data)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
        )
        assert audit.returncode == 0, audit.stdout + audit.stderr

    def send(self, raw: bytes, *, half_close: bool = False) -> "Answer | None":
        """Sends bytes, and reads until the server closes; None when it answers nothing."""
        with socket.create_connection(("127.0.0.1", self.port), ANSWER_LIMIT_S) as connection:
            try:
                connection.sendall(raw)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass  # It had heard enough; the answer may be there all the same.
            received = b""
            try:
                while chunk := connection.recv(65536):
                    received += chunk
            except ConnectionResetError:
                pass
        return Answer(received) if received.startswith(b"HTTP/") else None

    def request(self, method, path, body=None, headers=None, content_type="application/json"):
        """One exchange; `body` is bytes as they are, or anything else as JSON."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        fields = {"host": f"127.0.0.1:{self.port}", "connection": "close"}
        if body is not None:
            fields["content-length"] = str(len(body))
            if content_type is not None:
                fields["content-type"] = content_type
        fields |= headers or {}
        raw = f"{method} {path} HTTP/1.1\r\n".encode()
        for name, value in fields.items():
            value = value if isinstance(value, bytes) else value.encode("latin-1")
            raw += name.encode() + b": " + value + b"\r\n"
        answer = self.send(raw + b"\r\n" + (body or b""))
        assert answer is not None, f"{method} {path[:80]}: no answer"
        return answer

    def get(self, path):
        answer = self.request("GET", path)
        assert answer.status == 200, f"GET {path}: {answer}"
        return answer.json

    def store(self):
        """What is stored, as far as it can be seen: nothing in it may depend on time."""
        products = self.get("/products?limit=100")["products"]
        summary = self.get("/ops/summary")
        newest = summary["lastSeq"]
        for changing in ("uptimeSeconds", "listeners", "sequencer", "now", "lastSeq"):
            summary.pop(changing, None)
        movements = {
            product["sku"]: self.get(f"/products/{product['sku']}/movements?limit=100")
            for product in products
        }
        replenishments = self.get("/replenishments?limit=100")
        return {
            "products": products,
            "summary": summary,
            "movements": movements,
            "replenishments": replenishments,
            "events": self.events(newest),
        }

    def events(self, newest):
        """The log up to this sequence, but for what comes by itself: parcels move, auctions open."""
        head = f"GET /events?since=0 HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.port), ANSWER_LIMIT_S) as connection:
            connection.sendall(head.encode())
            stream = connection.makefile("rb")
            told, seq = [], 0
            while seq < newest:
                line = stream.readline()
                assert line, f"the stream ended after {seq} of {newest}"
                if line.startswith(b"data: "):
                    event = json.loads(line.removeprefix(b"data: "))
                    seq = event["seq"]
                    if not event["type"].startswith(("parcel.", "auction.")):
                        told.append(event)
        return told

    def queues(self):
        """How many messages each queue holds, and was sent since the start; auctions and their bids."""
        held = {}
        for queue in self.get("/ops/queues")["queues"]:
            name = queue["name"]
            depths = [queue[state] for state in ("visible", "inFlight", "delayed")]
            held[name] = depths + [self.get(f"/ops/queues/{name}")["sinceStart"]["sent"]]
        auctions = self.get("/auctions?limit=100")["auctions"]
        return {
            "queues": held,
            "auctions": [(one["id"], one["bidCount"], one["highestBidder"]) for one in auctions],
        }

    def settle(self):
        """Until what followed from the past has come: nothing in hand, and nothing new for a second."""
        seen, since = None, time.monotonic()

        def is_quiet():
            nonlocal seen, since
            now = self.queues()
            if now != seen or any(any(counts[:3]) for counts in now["queues"].values()):
                seen, since = now, time.monotonic()
            return time.monotonic() - since > 1

        until("everything has come", is_quiet)


def until(what, condition, limit_s=30):
    """Waits for a condition."""
    end = time.monotonic() + limit_s
    while not (seen := condition()):
        assert time.monotonic() < end, f"not within {limit_s} s: {what}"
        time.sleep(POLL_S)
    return seen


@contextmanager
def running_server(settings: dict[str, str] | None = None, config: Path | None = None):
    """`settings` are environment variables, `FIRSTCOME_*`; `config` is a settings file."""
    binary = os.environ.get("FIRSTCOME_BIN")
    assert binary, "FIRSTCOME_BIN names no binary; `cargo xtask test` sets it"
    folder = Path(tempfile.mkdtemp(prefix="firstcome-"))
    server = Server(binary, folder, settings, config)
    try:
        server.start()
        yield server
        server.stop()
    finally:
        if server.process and server.process.poll() is None:
            server.process.kill()
            server.process.wait()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def aws_endpoint(settings: dict[str, str] | None = None):
    """Where SQS and SNS are: FIRSTCOME_AWS_ENDPOINT, or a server started for this."""
    if given := os.environ.get("FIRSTCOME_AWS_ENDPOINT"):
        yield given.rstrip("/")
        return
    with running_server(settings) as server:
        yield server.aws


def _unchunk(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.split(b";")[0] or b"0", 16)
        if length == 0:
            break
        whole += body[:length]
        body = body[length + 2 :]
    return whole
