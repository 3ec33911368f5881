"""The work as an HTTP function; the same as function.mjs: POST {"input": 1} is answered with 2,
at once, and with 400 when it is anything else. Whoever calls has to wait.
"""

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from work import plus_one

BODY_BYTES_MAX = 1_024
# How long a caller may take over what he has to say.
REQUEST_LIMIT_S = 10


class Function(BaseHTTPRequestHandler):
    timeout = REQUEST_LIMIT_S

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not length.isdecimal():
            return self.answer(400, {"error": "its length must be said"})
        if int(length) > BODY_BYTES_MAX:
            return self.answer(400, {"error": "that is too long"})
        try:
            output = plus_one(self.rfile.read(int(length)).decode())
        except (ValueError, RecursionError) as error:
            return self.answer(400, {"error": str(error)})
        self.answer(200, output)

    def do_GET(self):
        self.answer(405, {"error": "POST a number"})

    do_DELETE = do_PATCH = do_PUT = do_GET

    def answer(self, status, value):
        body = json.dumps(value, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing is written about a request."""


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8080"))), Function)
# From a thread of its own: it waits until the server has stopped.
stop = lambda *_: threading.Thread(target=server.shutdown).start()
signal.signal(signal.SIGTERM, stop)
print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
