"""E-mails over real SMTP: aiosmtpd with TLS and without, which takes them, puts them off,
refuses them and goes away. Every e-mail that is taken is taken exactly once, in both forms."""

import email
import email.policy
import json
import re
import ssl
import subprocess
import time
import urllib.request
from contextlib import contextmanager

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from aws_client import Aws
from harness import running_server

DONUT = "CP-502101"
MANAGER = "ads@shop.example"
SENDER = "shop@example.org"
USER, PASSWORD = b"firstcome", b"a password of its own"
LIMIT_S = 60
POLL_S = 0.05


class Box:
    """What the mail server does with each e-mail: the answers in `script` first."""

    def __init__(self):
        self.script = []
        self.taken = []
        self.attempts = 0

    async def handle_DATA(self, server, _session, envelope):
        self.attempts += 1
        if self.script:
            return self.script.pop(0)
        self.taken.append((envelope, server.transport.get_extra_info("ssl_object") is not None))
        return "250 OK"

    def messages(self):
        return [
            email.message_from_bytes(envelope.content, policy=email.policy.default)
            for envelope, _ in self.taken
        ]


class Server(Controller):
    """`tls` is `none`, `starttls` or `required`; with either, a password is asked for."""

    def __init__(self, box, tls="none", context=None, port=0):
        self.tls, self.context = tls, context
        super().__init__(box, hostname="127.0.0.1", port=port, ready_timeout=20)
        self.ssl_context = context if tls == "required" else None

    def factory(self):
        options = {"enable_SMTPUTF8": False, "hostname": "mail.localhost"}
        if self.tls != "none":
            options |= {"authenticator": authenticate, "auth_required": True}
        if self.tls == "starttls":
            options |= {"tls_context": self.context, "require_starttls": True}
        if self.tls == "required":
            options |= {"auth_require_tls": False}
        return SMTP(self.handler, **options)

    def _trigger_server(self):
        # The port that the system chose is known only now.
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


def authenticate(_server, _session, _envelope, _mechanism, data):
    return AuthResult(success=data == LoginPassword(USER, PASSWORD))


@contextmanager
def smtp(box, tls="none", context=None, port=0):
    server = Server(box, tls, context, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def settings(port, tls="none", **more):
    smtp = {"HOST": "localhost" if tls != "none" else "127.0.0.1", "PORT": str(port), "TLS": tls}
    named = {f"FIRSTCOME_MAIL__SMTP__{name}": value for name, value in smtp.items()}
    named |= {
        "FIRSTCOME_MAIL__TRANSPORT": "smtp",
        "FIRSTCOME_MAIL__FROM": f"The Shop <{SENDER}>",
        "FIRSTCOME_MAIL__ADS_GRACE_S": "1",
        "FIRSTCOME_FACTORY__LEAD_TIME_MS": "2500",
    }
    return named | {f"FIRSTCOME_{name}": value for name, value in more.items()}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost that nobody else trusts: its file, and the server's context."""
    folder = tmp_path_factory.mktemp("certificate")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", str(key)]
        + ["-out", str(cert), "-addext", "subjectAltName=DNS:localhost"]
        + ["-addext", "basicConstraints=critical,CA:FALSE"],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context


def eventually(what, look):
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        if seen := look():
            return seen
        time.sleep(POLL_S)
    raise AssertionError(f"not within {LIMIT_S} s: {what}")


def sell_out(shop):
    order = {"sku": DONUT, "quantity": 5, "customer": "kim@example.com"}
    assert shop.request("POST", "/orders", order).status in (201, 202)


def mails(shop):
    return list(reversed(shop.get("/ops/mails")["mails"]))


def told(shop, *expected):
    look = lambda: [(one["kind"], one["status"]) for one in mails(shop)] == list(expected)
    eventually(f"the e-mails are {expected}", look)


def queue_is_empty(shop):
    def look():
        queue = shop.get("/ops/queues/emails")
        return queue["visible"] + queue["inFlight"] + queue["delayed"] == 0

    eventually("no e-mail is left to be written", look)


def forms(message):
    assert message.get_content_type() == "multipart/alternative"
    plain, html = message.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    return plain.get_content(), html.get_content()


def check_restock(shop, box, words):
    """The story of one restocking: a pause and a resume, in this order, each once."""
    sell_out(shop)
    told(shop, ("ads.pause", "sent"), ("ads.resume", "sent"))
    queue_is_empty(shop)
    messages = box.messages()
    assert len(messages) == 2
    assert len({message["Message-ID"] for message in messages}) == 2
    for message, (envelope, _), word in zip(messages, box.taken, words):
        assert envelope.mail_from == SENDER
        assert envelope.rcpt_tos == [MANAGER]
        assert message["To"] == MANAGER
        assert "The Shop" in message["From"]
        assert message["Auto-Submitted"] == "auto-generated"
        plain, html = forms(message)
        for text in (message["Subject"], plain, html):
            assert word in text, text
        assert "Glazed donut" in plain and "Glazed donut" in html


ENGLISH, KOREAN = ("ads", "ads"), ("광고", "광고")


def test_without_tls_on_loopback_in_korean():
    box = Box()
    with smtp(box) as server, running_server(settings(server.port, MAIL__LANGUAGE="ko")) as shop:
        check_restock(shop, box, KOREAN)
        assert [secure for _, secure in box.taken] == [False, False]


@pytest.mark.parametrize("tls", ["required", "starttls"])
def test_with_tls_and_a_password(certificate, tls):
    ca_file, context = certificate
    box = Box()
    more = {
        "MAIL__SMTP__CA_FILE": str(ca_file),
        "MAIL__SMTP__USER": USER.decode(),
        "MAIL__SMTP__PASSWORD": PASSWORD.decode(),
    }
    with smtp(box, tls, context) as server:
        with running_server(settings(server.port, tls, **more)) as shop:
            check_restock(shop, box, ENGLISH)
            assert [secure for _, secure in box.taken] == [True, True]
            assert PASSWORD.decode() not in shop.log.read_text()
            assert MANAGER not in shop.log.read_text()


def test_a_certificate_that_nobody_trusts_is_waited_for(certificate):
    _, context = certificate
    box = Box()
    with smtp(box, "required", context) as server:
        with running_server(settings(server.port, "required")) as shop:
            sell_out(shop)
            failed = lambda: [one for one in mails(shop) if "tls" in one.get("lastError", "")]
            eventually("the certificate is refused", failed)
            assert mails(shop)[0]["status"] == "pending"
            assert box.attempts == 0


def test_what_is_put_off_is_sent_later():
    box = Box()
    box.script = ["451 4.3.0 not now"] * 2
    # Goods that arrive before the pause is taken would withdraw it.
    late = {"FACTORY__LEAD_TIME_MS": "12000"}
    with smtp(box) as server, running_server(settings(server.port, **late)) as shop:
        check_restock(shop, box, ENGLISH)
        assert box.attempts == 4
        assert mails(shop)[0]["attempts"] == 3


def test_what_is_refused_is_a_dead_letter_with_the_servers_words_and_can_be_redriven():
    box = Box()
    box.script = ["550 5.1.1 no such user here"]
    late = {"FACTORY__LEAD_TIME_MS": "600000"}
    with smtp(box) as server, running_server(settings(server.port, **late)) as shop:
        sell_out(shop)
        told(shop, ("ads.pause", "failed"))
        look = lambda: shop.get("/ops/queues/emails-dlq/messages")["messages"]
        (dead,) = eventually("there is a dead letter", look)
        assert "no such user here" in dead["reason"]
        assert dead["reason"].startswith("server_said_no: 550")
        assert box.taken == []
        answer = shop.request("POST", "/ops/queues/emails-dlq/redrive", {})
        assert answer.json["moved"] == 1
        told(shop, ("ads.pause", "sent"))
        queue_is_empty(shop)
        assert len(box.taken) == 1


def test_a_server_that_is_away_is_waited_for_also_over_a_kill():
    box = Box()
    with smtp(box) as server:
        port = server.port
    late = {"FACTORY__LEAD_TIME_MS": "600000"}
    with running_server(settings(port, **late)) as shop:
        sell_out(shop)
        away = lambda: [one for one in mails(shop) if "refused" in one.get("lastError", "")]
        eventually("the server is missed", away)
        shop.process.kill()
        shop.process.wait()
        (shop.folder / "ready.json").unlink()
        shop.start()
        eventually("it is missed again", lambda: mails(shop)[0]["attempts"] > 1)
        assert not shop.get("/ops/queues/emails-dlq/messages")["messages"]
        with smtp(box, port=port):
            told(shop, ("ads.pause", "sent"))
            queue_is_empty(shop)
        assert len(box.taken) == 1
        assert "ads" in forms(box.messages()[0])[0]


def test_a_pause_that_never_left_is_withdrawn_with_its_resume():
    box = Box()
    with smtp(box) as server:
        port = server.port
    with running_server(settings(port)) as shop:
        sell_out(shop)
        told(shop, ("ads.pause", "withdrawn"))
        queue_is_empty(shop)
        with smtp(box, port=port):
            sku = {"quantity": 1, "reference": "by-hand-1"}
            assert shop.request("POST", f"/products/{DONUT}/receipts", sku).status == 201
            queue_is_empty(shop)
        assert box.attempts == 0


def test_poison_does_not_hold_up_the_others():
    box = Box()
    late = {"FACTORY__LEAD_TIME_MS": "600000"}
    with smtp(box) as server, running_server(settings(server.port, **late)) as shop:
        for n in range(12):
            body = {"body": json.dumps({"type": "stock.received", "seq": n})}
            assert shop.request("POST", "/ops/queues/emails/messages", body).status == 201
        sell_out(shop)
        told(shop, ("ads.pause", "sent"))
        dead = lambda: len(shop.get("/ops/queues/emails-dlq/messages")["messages"]) == 12
        eventually("all of the poison is set aside", dead)


def test_a_topic_reaches_its_subscribers_over_smtp_too(certificate):
    ca_file, context = certificate
    person, program = "person@example.org", "program@example.org"
    box = Box()
    # The server is told to come again: also the question is put once more.
    box.script = ["451 4.3.0 not now"]
    more = {
        "MAIL__SMTP__CA_FILE": str(ca_file),
        "MAIL__SMTP__USER": USER.decode(),
        "MAIL__SMTP__PASSWORD": PASSWORD.decode(),
    }

    def to(address, count):
        """What was taken for this address, once there is so much of it; it is for nobody else."""
        found = lambda: [e for e, _ in box.taken if e.rcpt_tos == [address]]
        eventually(f"{count} e-mails to {address}", lambda: len(found()) >= count)
        parse = lambda one: email.message_from_bytes(one.content, policy=email.policy.default)
        messages = [parse(one) for one in found()]
        assert len(messages) == count
        assert all(message["To"] == address for message in messages)
        return messages

    def visit(url):
        with urllib.request.urlopen(url, timeout=LIMIT_S) as answer:
            assert answer.status == 200

    def text_of(message):
        return message.get_body(("plain",)).get_content()

    with smtp(box, "starttls", context) as server:
        with running_server(settings(server.port, "starttls", **more)) as shop:
            sns = Aws(shop.aws).sns
            topic = sns.create_topic(Name="news", Attributes={"DisplayName": "Donut news"})
            arn = topic["TopicArn"]
            for protocol, address in [("email", person), ("email-json", program)]:
                answer = sns.subscribe(TopicArn=arn, Protocol=protocol, Endpoint=address)
                assert answer["SubscriptionArn"] == "pending confirmation"
            (asked,) = to(person, 1)
            assert asked["Subject"] == "Please confirm your subscription"
            assert "Donut news" in asked["From"] and SENDER in asked["From"]
            assert arn in text_of(asked)
            visit(re.search(r"http://\S+", text_of(asked))[0])
            (asked,) = to(program, 1)
            visit(json.loads(text_of(asked))["SubscribeURL"])

            sns.publish(TopicArn=arn, Subject="Donuts", Message="There are donuts.\n가게로!")
            told = to(person, 2)[1]
            assert told["Subject"] == "Donuts"
            assert text_of(told).replace("\r\n", "\n").startswith("There are donuts.\n가게로!\n")
            envelope = json.loads(text_of(to(program, 2)[1]))
            assert (envelope["Type"], envelope["Message"]) == (
                "Notification",
                "There are donuts.\n가게로!",
            )
            assert all(secure for _, secure in box.taken)
            assert box.attempts == 5 and len(box.taken) == 4
            assert not shop.get("/ops/queues/sns-deliveries-dlq/messages")["messages"]
