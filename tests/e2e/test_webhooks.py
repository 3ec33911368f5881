"""Webhooks as a receiver in Python sees them: verified with the package `standardwebhooks`."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from harness import running_server

LIMIT_S = 30


class Receiver:
    """Keeps what came; answers what it is told to, 200 otherwise."""

    def __init__(self):
        self.calls = []
        self.answers = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.calls.append((headers, body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def call(self, n):
        end = time.monotonic() + LIMIT_S
        while len(self.calls) < n:
            assert time.monotonic() < end, f"call {n} did not come within {LIMIT_S} s"
            time.sleep(0.02)
        return self.calls[n - 1]


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def verify(call, secret):
    headers, body = call
    return Webhook(secret).verify(body, headers)


def test_events_are_verified_retried_rotated_and_replayed(receiver):
    settings = {"FIRSTCOME_WEBHOOKS__RETRIES_S": "[0, 1]"}
    with running_server(settings) as server:

        def post(path, body, status):
            answer = server.request("POST", path, body)
            assert answer.status == status, answer
            return answer.json

        product = {"sku": "HOOK-1", "name": "Hook", "price": 1, "currency": "EUR", "stock": 9}
        post("/products", product, 201)
        hook = post("/webhooks", {"url": receiver.url, "types": ["order.*"]}, 201)
        receiver.answers = [500]
        post("/orders", {"sku": "HOOK-1", "customer": "a@example.com"}, 201)
        first, second = receiver.call(1), receiver.call(2)
        event = verify(first, hook["secret"])
        assert event["type"] == "order.accepted"
        assert verify(second, hook["secret"]) == event
        assert first[0]["webhook-id"] == second[0]["webhook-id"] == f"evt_{event['seq']}"
        other = "whsec_" + base64.b64encode(bytes(32)).decode()
        with pytest.raises(WebhookVerificationError):
            verify(first, other)

        rotated = post(f"/webhooks/{hook['id']}/rotate-secret", {}, 200)
        replayed = post(f"/webhooks/{hook['id']}/replay", {"since": event["seq"] - 1}, 202)
        assert replayed["replayed"] == 1
        again = receiver.call(3)
        assert verify(again, hook["secret"]) == verify(again, rotated["secret"]) == event
        assert again[0]["webhook-id"] == first[0]["webhook-id"]

        alone = post(f"/webhooks/{hook['id']}/rotate-secret", {"overlapSeconds": 0}, 200)
        test = post(f"/webhooks/{hook['id']}/test", None, 202)
        last = receiver.call(4)
        assert last[0]["webhook-id"] == test["event"]
        assert verify(last, alone["secret"])["type"] == "webhook.test"
        with pytest.raises(WebhookVerificationError):
            verify(last, hook["secret"])
        assert json.loads(last[1])["data"]["webhook"] == hook["id"]
