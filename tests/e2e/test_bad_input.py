"""What bad input gets: the right refusal, with its code and the field at fault, and a
store that is the same as before.
"""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from harness import running_server, until

LIVE_KEYS_MAX = 1_000
BODY_BYTES_MAX = 64 * 1024
ORDER = {"sku": "POSTER-1", "quantity": 1, "customer": "ada@example.com"}
PRODUCT = {"sku": "BAD-1", "name": "Bad", "price": 100, "currency": "EUR", "stock": 5}
REORDER = {"point": 0, "quantity": 10, "factory": "FF-500293"}
MANUFACTURE = {
    "MessageGroupId": "stock-arrival-group",
    "MessageAttributeProductId": "CP-502101",
    "MessageAttributeProductCnt": "10",
    "MessageAttributeFactoryId": "FF-500293",
    "MessageAttributeRequester": "tester",
    "CallbackUrl": "http://127.0.0.1:9/product/donut",
}


class Factory(BaseHTTPRequestHandler):
    """Takes every order of goods, and delivers nothing."""

    def do_POST(self):
        order = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.callbacks.append(order["CallbackUrl"])
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def factory():
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Factory)
    listening.callbacks = []
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    try:
        yield listening
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


@pytest.fixture(scope="module")
def server():
    with factory() as orders:
        url = f"http://127.0.0.1:{orders.server_port}/"
        with running_server({"FIRSTCOME_FACTORIES__TAKES_1": url}) as started:
            reorder = {"point": 0, "quantity": 10, "factory": "TAKES-1"}
            product = with_(PRODUCT, sku="OPEN-1", stock=1, whenSoldOut="wait", reorder=reorder)
            assert started.request("POST", "/products", product).status == 201
            order = {"sku": "OPEN-1", "customer": "first@example.com"}
            assert started.request("POST", "/orders", order).status == 201
            until("it is in production", lambda: in_production(started, "OPEN-1"))
            token = parse_qs(urlsplit(orders.callbacks[0]).query)["token"][0]
            newest = started.get("/replenishments?sku=OPEN-1")["replenishments"][0]["id"]
            started.callback = f"/replenishments/{newest}/receipt?token={token}"
            started.settle()
            yield started


def in_production(server, sku):
    newest = server.get(f"/replenishments?sku={sku}")["replenishments"][:1]
    return newest and newest[0]["status"] == "in_production"


@pytest.fixture(autouse=True)
def store_stays_the_same(request, server):
    """The point of this file: a refusal leaves nothing behind."""
    if "changes_the_store" in request.keywords:
        yield
        return
    before = server.store() | server.queues()
    yield
    assert server.store() | server.queues() == before


def refused(answer, status, code, field=None):
    """An RFC 9457 document that says all of it."""
    assert answer.status == status, answer
    assert answer.headers["content-type"].startswith("application/problem+json"), answer.headers
    problem = answer.json
    assert problem["status"] == status, problem
    codes = code if isinstance(code, tuple) else (code,)
    assert problem["code"] in codes, problem
    assert problem["type"].endswith(f"/errors/{problem['code']}"), problem
    assert problem["title"] and problem["detail"], problem
    if field is not None:
        assert problem.get("field") == field, problem
    return problem


def with_(base, **changes):
    """The body with fields replaced; `...` leaves one out."""
    body = {**base, **changes}
    return {name: value for name, value in body.items() if value is not ...}


# ---- Bodies that are not JSON, or not ours, on every route that takes one.

RECEIPT = {"reference": "note 1", "quantity": 1}
CALLBACK = {"MessageAttributeProductId": "CP-502101", "MessageAttributeProductCnt": "10"}
# The callback of a replenishment that is open, with its token: known once the factory has it.
CALLBACK_PATH = "{callback}"
# Without a body it is about all dead letters, of which there are none.
REDRIVE = "/ops/queues/replenishment-dlq/redrive"
AUCTION = {"product": "Guitar", "startingPrice": 100, "endTime": "2027-01-01T00:00:00Z"}
BID = {"auctionId": "auc_00000000014d132e51psn1s543", "bidderId": "ada", "bidAmount": 100}
ROUTES = [
    ("POST", "/products", PRODUCT),
    ("PATCH", "/products/POSTER-1", {"name": "Poster", "price": 100}),
    ("POST", "/products/POSTER-1/receipts", RECEIPT),
    ("POST", "/orders", ORDER),
    ("POST", "/buy", {"email": "ada@example.com", "sku": "POSTER-1", "quantity": 1}),
    ("POST", "/api/manufactures", MANUFACTURE),
    ("POST", "/product/donut", CALLBACK),
    ("POST", CALLBACK_PATH, {"quantity": 10}),
    ("POST", REDRIVE, {"messageId": "ff5962fa-edea-4c30-a32d-a2303605c837"}),
    ("POST", "/auctions", AUCTION),
    ("POST", "/bids", BID),
    ("POST", "/bid", BID),
]


def real(server, path):
    return path.replace(CALLBACK_PATH, server.callback)


EACH_ROUTE = pytest.mark.parametrize("method,path,good", ROUTES, ids=lambda v: str(v)[:30])


def first_value(good, value):
    """A good body whose first value is replaced by these bytes."""
    (name, old), *_ = good.items()
    old = json.dumps({name: old}).encode()[1:-1]
    return json.dumps(good).encode().replace(old, b'"%s": %s' % (name.encode(), value), 1)


NOT_JSON = {
    "empty": lambda good: b"",
    "a word": lambda good: b"hello",
    "a form": lambda good: b"sku=POSTER-1&quantity=1",
    "cut off": lambda good: json.dumps(good).encode()[:-1],
    "two documents": lambda good: json.dumps(good).encode() * 2,
    "trailing comma": lambda good: json.dumps(good).encode()[:-1] + b",}",
    "single quotes": lambda good: json.dumps(good).encode().replace(b'"', b"'"),
    "NaN": lambda good: first_value(good, b"NaN"),
    "Infinity": lambda good: first_value(good, b"-Infinity"),
    "not UTF-8": lambda good: first_value(good, b'"\xff\xfe"'),
    "half a surrogate": lambda good: first_value(good, b'"\\ud800"'),
    "a raw line feed": lambda good: first_value(good, b'"a\nb"'),
    "a comment": lambda good: b"/* hello */" + json.dumps(good).encode(),
    "a byte order mark": lambda good: b"\xef\xbb\xbf" + json.dumps(good).encode(),
}

NOT_AN_OBJECT = {
    "null": lambda good: None,
    "empty array": lambda good: [],
    "its values without names": lambda good: list(good.values()),
    "array of it": lambda good: [good],
    "string": lambda good: json.dumps(good),
    "number": lambda good: 7,
}


@EACH_ROUTE
@pytest.mark.parametrize("name", NOT_JSON)
def test_not_json(server, method, path, good, name):
    answer = server.request(method, real(server, path), NOT_JSON[name](good))
    if path == REDRIVE and name == "empty":
        assert (answer.status, answer.json) == (200, {"moved": 0})
        return
    refused(answer, 400, "invalid_json")


@EACH_ROUTE
@pytest.mark.parametrize("name", NOT_AN_OBJECT)
def test_not_an_object(server, method, path, good, name):
    body = json.dumps(NOT_AN_OBJECT[name](good)).encode()
    answer = server.request(method, real(server, path), body)
    if path == REDRIVE and name == "null":
        assert (answer.status, answer.json) == (200, {"moved": 0})
        return
    assert answer.status in (400, 422), answer
    refused(answer, answer.status, ("invalid_json", "invalid_field"))


@EACH_ROUTE
def test_deeply_nested(server, method, path, good):
    deep = first_value(good, b"[" * 20_000 + b"]" * 20_000)
    answer = server.request(method, real(server, path), deep)
    assert answer.status in (400, 422), answer
    refused(answer, answer.status, ("invalid_json", "invalid_field"))


@EACH_ROUTE
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_wrong_content_type(server, method, path, good, content_type):
    answer = server.request(method, real(server, path), good, content_type=content_type)
    refused(answer, 415, "unsupported_media_type")


@EACH_ROUTE
def test_body_too_large(server, method, path, good):
    body = json.dumps(good).encode() + b" " * BODY_BYTES_MAX
    refused(server.request(method, real(server, path), body), 413, "body_too_large")


@EACH_ROUTE
def test_body_too_large_in_chunks(server, method, path, good):
    piece = b"1000\r\n" + b" " * 0x1000 + b"\r\n"
    good = json.dumps(good).encode()
    body = b"%x\r\n%s\r\n" % (len(good), good) + piece * 32 + b"0\r\n\r\n"
    head = f"{method} {real(server, path)} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    head += "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    answer = server.send(head.encode() + body)
    assert answer is not None
    refused(answer, 413, "body_too_large")


def test_a_body_at_the_limit_is_read(server):
    body = json.dumps(with_(ORDER, quantity=0)).encode()
    body += b" " * (BODY_BYTES_MAX - len(body))
    refused(server.request("POST", "/orders", body), 422, "invalid_field", "quantity")
    refused(server.request("POST", "/orders", body + b" "), 413, "body_too_large")


# ---- Fields: `case(changes, code, field)` against a body that is otherwise right.

INVALID = "invalid_field"
BAD_EMAILS = {
    "empty": "",
    "no at": "ada.example.com",
    "no name": "@example.com",
    "no host": "ada@",
    "two ats": "ada@@example.com",
    "a space": "ada lovelace@example.com",
    "a NUL": "ada\0@example.com",
    "a line feed": "ada\n@example.com",
    "a header": "ada@example.com\r\nBcc: eve@example.com",
    "a DEL": "ada\x7f@example.com",
    "10 kB": "a" * 10_000 + "@example.com",
    "255 bytes": "a" * (255 - len("@example.com")) + "@example.com",
    "a number": 7,
    "null": None,
    "an object": {"mail": "ada@example.com"},
}
BAD_QUANTITIES = {
    "zero": 0,
    "negative": -1,
    "fraction": 1.5,
    "huge": 1e30,
    "past its bound": 1_000_001,
    "past 64 bits": 2**64,
    "a string": "1",
    "true": True,
    "a list": [1],
}


@pytest.mark.parametrize("name", BAD_QUANTITIES)
def test_order_quantity(server, name):
    body = with_(ORDER, quantity=BAD_QUANTITIES[name])
    refused(server.request("POST", "/orders", body), 422, INVALID, "quantity")


@pytest.mark.parametrize("name", BAD_QUANTITIES)
def test_receipt_quantity(server, name):
    quantity = 1_000_000_001 if name == "past its bound" else BAD_QUANTITIES[name]
    body = {"quantity": quantity, "reference": "note 1"}
    answer = server.request("POST", "/products/POSTER-1/receipts", body)
    refused(answer, 422, INVALID, "quantity")


@pytest.mark.parametrize("name", BAD_EMAILS)
@pytest.mark.parametrize("path,field", [("/orders", "customer"), ("/buy", "email")])
def test_email(server, path, field, name):
    body = {"sku": "POSTER-1", field: BAD_EMAILS[name]}
    refused(server.request("POST", path, body), 422, (INVALID, "missing_field"), field)


@pytest.mark.parametrize("name", BAD_EMAILS)
def test_ad_manager(server, name):
    if BAD_EMAILS[name] is None:
        pytest.skip("null removes an optional field")
    body = {"adManager": BAD_EMAILS[name]}
    refused(server.request("PATCH", "/products/POSTER-1", body), 422, INVALID, "adManager")


ORDER_CASES = [
    (with_(ORDER, sku=...), 422, "missing_field", "sku"),
    (with_(ORDER, customer=...), 422, "missing_field", "customer"),
    (with_(ORDER, sku="NO-SUCH"), 404, "product_not_found", None),
    (with_(ORDER, sku=7), 422, INVALID, "sku"),
    (with_(ORDER, sku=""), 422, INVALID, "sku"),
    (with_(ORDER, sku="x" * 65), 422, INVALID, "sku"),
    (with_(ORDER, sku="a/b"), 422, INVALID, "sku"),
    (with_(ORDER, sku="ünïcode"), 422, INVALID, "sku"),
    (with_(ORDER, coupon="FREE"), 422, "unknown_field", "coupon"),
    (with_(ORDER, Quantity=2), 422, "unknown_field", "Quantity"),
    (with_(ORDER, price=0), 422, "unknown_field", "price"),
]


@pytest.mark.parametrize("body,status,code,field", ORDER_CASES)
def test_order(server, body, status, code, field):
    refused(server.request("POST", "/orders", body), status, code, field)


@pytest.mark.parametrize(
    "body",
    [
        b'{"sku":"POSTER-1","customer":"ada@example.com","quantity":1,"quantity":2}',
        b'{"sku":"POSTER-1","sku":"POSTER-1","customer":"ada@example.com"}',
        b'{"sku":"POSTER-1","customer":"ada@example.com","customer":"eve@example.com"}',
    ],
)
def test_a_field_given_twice(server, body):
    answer = server.request("POST", "/orders", body)
    assert answer.status in (400, 422), answer
    problem = refused(answer, answer.status, ("invalid_json", INVALID))
    assert problem.get("field") in ("quantity", "sku", "customer"), problem


PRODUCT_CASES = [
    (with_(PRODUCT, sku=...), "missing_field", "sku"),
    (with_(PRODUCT, name=...), "missing_field", "name"),
    (with_(PRODUCT, price=...), "missing_field", "price"),
    (with_(PRODUCT, currency=...), "missing_field", "currency"),
    (with_(PRODUCT, stock=...), "missing_field", "stock"),
    (with_(PRODUCT, sku="a b"), INVALID, "sku"),
    (with_(PRODUCT, sku="../x"), INVALID, "sku"),
    (with_(PRODUCT, sku="x" * 65), INVALID, "sku"),
    (with_(PRODUCT, name=""), INVALID, "name"),
    (with_(PRODUCT, name="n" * 201), INVALID, "name"),
    (with_(PRODUCT, name=["Bad"]), INVALID, "name"),
    (with_(PRODUCT, price=-1), INVALID, "price"),
    (with_(PRODUCT, price=0.5), INVALID, "price"),
    (with_(PRODUCT, price="100"), INVALID, "price"),
    (with_(PRODUCT, price=10**15 + 1), INVALID, "price"),
    (with_(PRODUCT, currency="eur"), INVALID, "currency"),
    (with_(PRODUCT, currency="EURO"), INVALID, "currency"),
    (with_(PRODUCT, currency=""), INVALID, "currency"),
    (with_(PRODUCT, stock=-1), INVALID, "stock"),
    (with_(PRODUCT, stock=10**9 + 1), INVALID, "stock"),
    (with_(PRODUCT, stock=1e30), INVALID, "stock"),
    (with_(PRODUCT, purchaseLimit=0), INVALID, "purchaseLimit"),
    (with_(PRODUCT, purchaseLimit=10**6 + 1), INVALID, "purchaseLimit"),
    (with_(PRODUCT, whenSoldOut="maybe"), INVALID, "whenSoldOut"),
    (with_(PRODUCT, whenSoldOut=1), INVALID, "whenSoldOut"),
    (with_(PRODUCT, opensAt="tomorrow"), INVALID, "opensAt"),
    (with_(PRODUCT, opensAt="2026-13-01T00:00:00Z"), INVALID, "opensAt"),
    (with_(PRODUCT, opensAt=1764547200), INVALID, "opensAt"),
    (with_(PRODUCT, reorder=7), INVALID, "reorder"),
    (with_(PRODUCT, reorder=with_(REORDER, point=-1)), INVALID, "reorder.point"),
    (with_(PRODUCT, reorder=with_(REORDER, point=1.5)), INVALID, "reorder.point"),
    (with_(PRODUCT, reorder=with_(REORDER, quantity=0)), INVALID, "reorder.quantity"),
    (with_(PRODUCT, reorder=with_(REORDER, factory="")), INVALID, "reorder.factory"),
    (with_(PRODUCT, reorder=with_(REORDER, factory="x" * 65)), INVALID, "reorder.factory"),
    (with_(PRODUCT, reorder=with_(REORDER, factory=...)), "missing_field", "reorder.factory"),
    (with_(PRODUCT, reorder=with_(REORDER, x=1)), "unknown_field", "reorder.x"),
    (with_(PRODUCT, adManager="nobody"), INVALID, "adManager"),
    (with_(PRODUCT, onHand=5), "unknown_field", "onHand"),
    ({**PRODUCT, "__proto__": {"a": 1}}, "unknown_field", "__proto__"),
]


@pytest.mark.parametrize("body,code,field", PRODUCT_CASES)
def test_product(server, body, code, field):
    refused(server.request("POST", "/products", body), 422, code, field)


def test_product_that_exists(server):
    answer = server.request("POST", "/products", with_(PRODUCT, sku="POSTER-1"))
    refused(answer, 409, "product_exists")


PATCH_CASES = [
    ({"sku": "OTHER"}, "unknown_field", "sku"),
    ({"currency": "USD"}, "unknown_field", "currency"),
    ({"stock": 10}, "unknown_field", "stock"),
    ({"name": None}, INVALID, "name"),
    ({"price": None}, INVALID, "price"),
    ({"price": -5}, INVALID, "price"),
    ({"purchaseLimit": 0}, INVALID, "purchaseLimit"),
    ({"reorder": {"point": 1}}, "missing_field", None),
    ({"whenSoldOut": "sometimes"}, INVALID, "whenSoldOut"),
]


@pytest.mark.parametrize("body,code,field", PATCH_CASES)
def test_product_change(server, body, code, field):
    refused(server.request("PATCH", "/products/POSTER-1", body), 422, code, field)


RECEIPT_CASES = [
    ({"quantity": 1}, "missing_field", "reference"),
    ({"reference": "note"}, "missing_field", "quantity"),
    ({"quantity": 1, "reference": ""}, INVALID, "reference"),
    ({"quantity": 1, "reference": "r" * 129}, INVALID, "reference"),
    ({"quantity": 1, "reference": "a\0b"}, INVALID, "reference"),
    ({"quantity": 1, "reference": "a\nb"}, INVALID, "reference"),
    ({"quantity": 1, "reference": 5}, INVALID, "reference"),
    ({"quantity": 1, "reference": "note", "sku": "X"}, "unknown_field", "sku"),
]


@pytest.mark.parametrize("body,code,field", RECEIPT_CASES)
def test_receipt(server, body, code, field):
    answer = server.request("POST", "/products/POSTER-1/receipts", body)
    refused(answer, 422, code, field)


def test_receipt_of_no_product(server):
    body = {"quantity": 1, "reference": "note"}
    refused(server.request("POST", "/products/NO-SUCH/receipts", body), 404, "product_not_found")


BUY_CASES = [
    ({"sku": "POSTER-1"}, 422, "missing_field", "email"),
    ({"email": "ada@example.com", "sku": "NO-SUCH"}, 404, "product_not_found", None),
    ({"email": "ada@example.com", "sku": "POSTER-1", "quantity": 0}, 422, INVALID, "quantity"),
    ({"email": "ada@example.com", "sku": 5}, 422, INVALID, "sku"),
    ({"email": "ada@example.com", "sku": "POSTER-1", "x": 1}, 422, "unknown_field", "x"),
]


@pytest.mark.parametrize("body,status,code,field", BUY_CASES)
def test_buy(server, body, status, code, field):
    refused(server.request("POST", "/buy", body), status, code, field)


COUNT = "MessageAttributeProductCnt"
MANUFACTURE_CASES = [
    ({COUNT: "0"}, INVALID, COUNT),
    ({COUNT: "-5"}, INVALID, COUNT),
    ({COUNT: "ten"}, INVALID, COUNT),
    ({COUNT: ""}, INVALID, COUNT),
    ({COUNT: 1.5}, INVALID, COUNT),
    ({COUNT: 1e30}, INVALID, COUNT),
    ({COUNT: ...}, "missing_field", COUNT),
    ({"CallbackUrl": ...}, "missing_field", "CallbackUrl"),
    ({"CallbackUrl": "not an address"}, INVALID, "CallbackUrl"),
    ({"CallbackUrl": "file:///etc/passwd"}, INVALID, "CallbackUrl"),
    ({"CallbackUrl": "http://169.254.169.254/latest"}, None, "CallbackUrl"),
    ({"CallbackUrl": "http://user:secret@127.0.0.1/"}, None, "CallbackUrl"),
    ({"CallbackUrl": "http://127.0.0.1:9/" + "x" * 10_000}, INVALID, "CallbackUrl"),
    ({"CallbackUrl": 7}, INVALID, "CallbackUrl"),
    ({"MessageAttributeProductId": ...}, "missing_field", "MessageAttributeProductId"),
    ({"MessageAttributeProductId": ""}, INVALID, "MessageAttributeProductId"),
    ({"Extra": "1"}, "unknown_field", "Extra"),
]


@pytest.mark.parametrize("changes,code,field", MANUFACTURE_CASES)
def test_factory_order(server, changes, code, field):
    answer = server.request("POST", "/api/manufactures", with_(MANUFACTURE, **changes))
    assert 400 <= answer.status < 500, answer
    if code is None:
        # Which of the refusals it is depends on what the factory may call.
        assert answer.json.get("field") == field, answer
    else:
        refused(answer, 422, code, field)


def test_callbacks_nobody_asked_for(server):
    body = {"MessageAttributeProductId": "CP-502101", COUNT: "10"}
    refused(server.request("POST", "/product/donut", body), 409, "no_open_replenishment")
    body[COUNT] = "0"
    refused(server.request("POST", "/product/donut", body), 422, INVALID, COUNT)
    body = {"MessageAttributeProductId": "NO-SUCH", COUNT: "10"}
    answer = server.request("POST", "/product/donut", body)
    refused(answer, answer.status, ("product_not_found", "no_open_replenishment"))
    for path in ("/replenishments/rep_1/receipt", "/replenishments/rep_1/receipt?token=x"):
        answer = server.request("POST", path, {"quantity": 10})
        assert answer.status in (401, 404), answer
        refused(answer, answer.status, ("invalid_token", "replenishment_not_found"))


# ---- Paths, queries, methods.

PATHS = [
    ("GET", "/nowhere", 404, "not_found"),
    ("GET", "/products/NO-SUCH", 404, "product_not_found"),
    ("GET", "/products/%00", None, None),
    ("GET", "/products/%ff%fe", None, None),
    ("GET", "/products/" + "x" * 5_000, None, None),
    ("GET", "/products/..%2f..%2fetc%2fpasswd", None, None),
    ("GET", "/orders/nothing", 404, "order_not_found"),
    ("GET", "/orders/ord_" + "0" * 200, 404, "order_not_found"),
    ("GET", "/orders/%F0%9F%8D%A9", 404, "order_not_found"),
    ("DELETE", "/orders/nothing", 404, "order_not_found"),
    ("GET", "/replenishments/nothing", 404, "replenishment_not_found"),
    ("PUT", "/products", 405, "method_not_allowed"),
    ("DELETE", "/products/POSTER-1", 405, "method_not_allowed"),
    ("GET", "/buy", 405, "method_not_allowed"),
    ("PATCH", "/orders", 405, "method_not_allowed"),
    ("GET", "/products?limit=0", 400, "invalid_parameter"),
    ("GET", "/products?limit=101", 400, "invalid_parameter"),
    ("GET", "/products?limit=many", 400, "invalid_parameter"),
    ("GET", "/products?limit=-1", 400, "invalid_parameter"),
    ("GET", "/products?limit=99999999999999999999", 400, "invalid_parameter"),
    ("GET", "/products/POSTER-1/movements?before=x", 400, "invalid_parameter"),
    ("GET", "/replenishments?before=x", 400, "invalid_parameter"),
    ("GET", "/products/POSTER-1/events?since=x", 400, "invalid_parameter"),
    ("GET", "/ops/queues/no-such-queue/messages", 404, "queue_not_found"),
    ("POST", "/ops/queues/no-such-queue/redrive", 404, "queue_not_found"),
]


@pytest.mark.parametrize("method,path,status,code", PATHS, ids=lambda v: str(v)[:50])
def test_paths(server, method, path, status, code):
    body = b"{}" if method == "POST" else None
    answer = server.request(method, path, body)
    if status is None:
        assert 400 <= answer.status < 500, answer
        return
    problem = refused(answer, status, code)
    if "?" in path:
        assert problem["field"] == path.partition("?")[2].partition("=")[0], problem


def test_patch_of_no_product(server):
    refused(server.request("PATCH", "/products/NO-SUCH", {"price": 5}), 404, "product_not_found")


# ---- Headers.


@pytest.mark.parametrize("key", ["", "k" * 256, "k" * 10_000, b"\xff\xfe", b"caf\xc3\xa9", "a\tb"])
def test_idempotency_key(server, key):
    answer = server.request("POST", "/orders", ORDER, headers={"Idempotency-Key": key})
    refused(answer, 400, "invalid_header", "Idempotency-Key")


@pytest.mark.parametrize(
    "head",
    [
        b"x: " + b"y" * 1_000_000,
        b"\r\n".join(b"x-%d: y" % n for n in range(10_000)),
        b"x" * 100_000 + b": y",
        b"cookie: " + b"a=b; " * 100_000,
    ],
    ids=["one long", "many", "a long name", "cookies"],
)
def test_header_bombs(server, head):
    raw = b"GET /products HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + head + b"\r\n\r\n"
    answer = server.send(raw)
    assert answer is None or 400 <= answer.status < 500, answer
    server.get("/products")


# ---- Bytes that are hardly HTTP.

ORDER_BYTES = json.dumps(ORDER).encode()
HEAD = b"POST /orders HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n"
RAW = {
    "not HTTP": b"HELLO\r\n\r\n",
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64 + b"\r\n\r\n",
    "negative length": HEAD + b"content-length: -5\r\n\r\n" + ORDER_BYTES,
    "two lengths": HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\n" + ORDER_BYTES,
    "huge length": HEAD + b"content-length: 99999999999999999999999\r\n\r\n" + ORDER_BYTES,
    "bad chunk": HEAD + b"transfer-encoding: chunked\r\n\r\nZZ\r\n" + ORDER_BYTES,
    "huge chunk": HEAD + b"transfer-encoding: chunked\r\n\r\nffffffffffffffff0\r\n" + ORDER_BYTES,
}


@pytest.mark.parametrize("name", RAW)
def test_bytes(server, name):
    answer = server.send(RAW[name], half_close=True)
    assert answer is None or 400 <= answer.status < 500, answer


def test_a_body_that_does_not_end_is_no_order(server):
    """The client goes away in the middle: what is missing could have changed it all."""
    raw = HEAD + b"content-length: %d\r\n\r\n" % (len(ORDER_BYTES) + 10) + ORDER_BYTES
    answer = server.send(raw, half_close=True)
    assert answer is None or 400 <= answer.status < 500, answer
    chunk = b"%x\r\n%s\r\n" % (len(ORDER_BYTES), ORDER_BYTES)
    answer = server.send(HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk, half_close=True)
    assert answer is None or 400 <= answer.status < 500, answer


def test_length_and_chunks_at_once_are_one_request(server):
    """Two readings of one message are how requests are smuggled past a proxy."""
    hidden = b"POST /orders HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    hidden += b"content-length: %d\r\n\r\n" % len(ORDER_BYTES) + ORDER_BYTES
    raw = HEAD + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + hidden
    answer = server.send(raw, half_close=True)
    assert answer is None or 400 <= answer.status < 500, answer


# ---- Last, because these leave orders behind.


@pytest.mark.changes_the_store
def test_the_same_key_with_another_body(server):
    headers = {"Idempotency-Key": "reused"}
    product = with_(PRODUCT, sku="KEYS-1", stock=5)
    assert server.request("POST", "/products", product).status == 201
    body = {"sku": "KEYS-1", "customer": "key@example.com"}
    first = server.request("POST", "/orders", body, headers=headers)
    assert first.status == 201, first
    before = server.store()
    again = server.request("POST", "/orders", body, headers=headers)
    assert (again.status, again.json) == (201, first.json)
    assert again.headers["idempotent-replay"] == "true"
    for other in (with_(body, quantity=2), with_(body, sku="POSTER-1")):
        answer = server.request("POST", "/orders", other, headers=headers)
        refused(answer, 422, "idempotency_key_reused")
    assert server.store() == before


@pytest.mark.changes_the_store
def test_the_same_receipt_with_another_quantity(server):
    path = "/products/KEYS-1/receipts"
    assert server.request("POST", path, {"quantity": 2, "reference": "n1"}).status == 201
    before = server.store()
    answer = server.request("POST", path, {"quantity": 2, "reference": "n1"})
    assert answer.status == 200 and answer.json["repeated"] is True, answer
    answer = server.request("POST", path, {"quantity": 3, "reference": "n1"})
    refused(answer, 409, "reference_reused")
    assert server.store() == before


@pytest.mark.changes_the_store
def test_a_sold_out_order_cannot_be_cancelled(server):
    assert server.request("POST", "/products", with_(PRODUCT, sku="GONE-1", stock=0)).status == 201
    answer = server.request("POST", "/orders", {"sku": "GONE-1", "customer": "late@example.com"})
    problem = refused(answer, 409, "sold_out")
    before = server.store()
    answer = server.request("DELETE", f"/orders/{problem['order']['id']}")
    refused(answer, 409, "not_cancellable")
    assert server.store() == before


@pytest.mark.changes_the_store
def test_purchase_limit_and_opening(server):
    for sku, more in (
        ("LIMIT-1", {"purchaseLimit": 2}),
        ("LATER-1", {"opensAt": "2099-01-01T00:00:00Z"}),
    ):
        body = with_(PRODUCT, sku=sku, **more)
        assert server.request("POST", "/products", body).status == 201
    order = {"sku": "LIMIT-1", "customer": "limit@example.com"}
    assert server.request("POST", "/orders", with_(order, quantity=2)).status == 201
    before = server.store()
    problem = refused(server.request("POST", "/orders", order), 409, "purchase_limit")
    assert (problem["limit"], problem["bought"]) == (2, 2)
    answer = server.request("POST", "/orders", with_(order, sku="LATER-1"))
    assert refused(answer, 409, "not_open_yet")["opensAt"].startswith("2099-01-01")
    assert server.store() == before


@pytest.mark.changes_the_store
def test_a_thousand_and_one_keys(server):
    product = with_(PRODUCT, sku="MANY-1", stock=10_000)
    assert server.request("POST", "/products", product).status == 201
    order = {"sku": "MANY-1", "customer": "many@example.com"}

    def place(n):
        headers = {"Idempotency-Key": f"key {n}"}
        return server.request("POST", "/orders", order, headers=headers)

    for n in range(LIVE_KEYS_MAX):
        answer = place(n)
        assert answer.status == 201, f"{n}: {answer}"
    before = server.store()
    refused(place(LIVE_KEYS_MAX), 429, "too_many_keys")
    # A key that is known is answered still, and another customer is not concerned.
    assert place(7).status == 201
    assert server.store() == before
    other = with_(order, customer="other@example.com")
    answer = server.request("POST", "/orders", other, headers={"Idempotency-Key": "key 1"})
    assert answer.status in (201, 422), answer
