//! Web sockets as bytes: what a client that keeps to no rule can do.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::client::{ANSWER_LIMIT, Connection};
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const FIN: u8 = 0x80;

/// What a client may send in one packet.
const PAYLOAD_BYTES_MAX: usize = 16 * 1024;

/// ```text
/// 1 byte FIN and opcode | 1 byte mask bit and length | 2 bytes length if it is over 125 | 4 bytes mask
/// ```
/// The mask is zero, so that the payload follows as it is (RFC 6455, 5.2).
fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![head];
    match u8::try_from(payload.len())
        .ok()
        .filter(|length| *length <= 125)
    {
        Some(length) => frame.push(0x80 | length),
        None => {
            frame.push(0x80 | 126);
            let length = u16::try_from(payload.len()).expect("no test sends more");
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

struct WebSocket {
    stream: TcpStream,
}

impl WebSocket {
    /// A socket of Socket.IO that takes little before the other side has to wait.
    async fn open(shop: &Shop) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let mut stream = socket.connect(shop.address).await.unwrap();
        stream.write_all(handshake(shop).as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let mut socket = Self { stream };
        assert!(socket.packet().await.unwrap().starts_with('0'));
        socket.send("40").await;
        assert!(socket.packet().await.unwrap().starts_with("40"));
        socket
    }

    async fn send(&mut self, packet: &str) {
        let frame = frame(FIN | TEXT, packet.as_bytes());
        self.stream.write_all(&frame).await.unwrap();
    }

    /// The next packet but for pings; none at the end.
    async fn packet(&mut self) -> Option<String> {
        let read = tokio::time::timeout(ANSWER_LIMIT, self.read());
        read.await.expect("a packet, or the end")
    }

    async fn read(&mut self) -> Option<String> {
        loop {
            let head = self.stream.read_u8().await.ok()?;
            let length = match self.stream.read_u8().await.ok()? {
                126 => self.stream.read_u16().await.ok()?,
                length => u16::from(length),
            };
            let mut payload = vec![0; usize::from(length)];
            self.stream.read_exact(&mut payload).await.ok()?;
            let packet = String::from_utf8(payload).unwrap();
            match (head & 0x0f, packet.as_str()) {
                (CLOSE, _) => return None,
                (TEXT, "2") => {}
                (TEXT, _) => return Some(packet),
                (other, _) => panic!("opcode {other}"),
            }
        }
    }
}

fn handshake(shop: &Shop) -> String {
    format!(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        shop.address
    )
}

#[tokio::test]
async fn the_answer_by_e_mail_takes_no_listener_s_place() {
    let settings = Settings::new()
        .set("REALTIME__EMAIL_SEND", "true")
        .set("LIMITS__LISTENERS_MAX", 1);
    let shop = Shop::start(settings).await;
    shop.offer("A-1", json!({"stock": 1})).await;
    // The only place there is.
    let _listens = shop.events("/products/A-1/events").await;
    let refused = shop.get("/products/A-1/events").await;
    refused.problem(503, "overloaded");
    let mut socket = WebSocket::open(&shop).await;
    let bodies = [
        json!({"email": "one@example.com", "sku": "A-1"}),
        json!({"email": "two@example.com", "sku": "A-1"}),
    ];
    for body in bodies {
        shop.post("/buy", &body).await.expect(202);
    }
    let heard = [socket.packet().await, socket.packet().await];
    let expected = [
        r#"42["one@example.com-send","accepted"]"#,
        r#"42["two@example.com-send","sold out"]"#,
    ];
    assert_eq!(heard.map(Option::unwrap), expected);
}

#[tokio::test]
async fn without_the_demo_nobody_is_answered_by_e_mail() {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 2})).await;
    let mut socket = WebSocket::open(&shop).await;
    socket.send(r#"420["subscribe","products/A-1"]"#).await;
    let entered = socket.packet().await.unwrap();
    assert!(entered.starts_with("430"), "{entered}");
    for _ in 0..2 {
        shop.order("A-1", "one@example.com").await.expect(201);
    }
    let mut accepted = 0;
    while accepted < 2 {
        let packet = socket.packet().await.unwrap();
        assert!(!packet.contains("-send"), "{packet}");
        accepted += u32::from(packet.starts_with(r#"42["order.accepted""#));
    }
}

#[tokio::test]
async fn a_packet_in_many_frames_is_bounded_as_one_in_a_single_frame_is() {
    let shop = Shop::start(Settings::new()).await;
    let mut socket = WebSocket::open(&shop).await;
    let part = [b'x'; 1_024];
    let mut frames = frame(TEXT, b"42[\"");
    while frames.len() <= PAYLOAD_BYTES_MAX + 4 * part.len() {
        frames.extend(frame(CONTINUATION, &part));
    }
    // It may be closed before it has all of it.
    let _ = socket.stream.write_all(&frames).await;
    assert_eq!(socket.packet().await, None);
}

#[tokio::test]
async fn a_socket_that_reads_nothing_is_told_that_it_was_left_behind() {
    let shop = Shop::start(Settings::new().set("CONSUMERS__OFF", r#"["product-tracking"]"#)).await;
    shop.offer("A-1", json!({"stock": 0})).await;
    let mut slow = WebSocket::open(&shop).await;
    slow.send(r#"420["subscribe","products/A-1"]"#).await;
    let entered = slow.packet().await.unwrap();
    assert!(entered.starts_with("430"), "{entered}");
    eventually("it is left behind", async || {
        order_many(&shop).await;
        let metrics = shop.send("GET", "/metrics", &[], None).await.body;
        let dropped = "firstcome_feed_dropped_total 1";
        metrics.lines().any(|line| line == dropped).then_some(())
    })
    .await;
    let mut last = String::new();
    let mut seq = 0;
    while let Some(packet) = slow.packet().await {
        if let Some(event) = packet.strip_prefix("42") {
            let event: Value = serde_json::from_str(event).unwrap();
            let next = event[1]["seq"].as_u64().unwrap();
            assert!(seq == 0 || next == seq + 1, "{next} after {seq}");
            seq = next;
        }
        last = packet;
        if last == "41" {
            break;
        }
    }
    assert_eq!(last, "41", "it does not know that it missed something");
}

/// Over several connections at once.
async fn order_many(shop: &Shop) {
    let body = json!({"sku": "A-1", "customer": "many@example.com"}).to_string();
    let senders = (0..32).map(async |_| {
        let mut connection: Connection = shop.connect().await;
        for _ in 0..64 {
            let answer = connection.send("POST", "/orders", &[], Some(&body)).await;
            answer.unwrap().problem(409, "sold_out");
        }
    });
    futures_util::future::join_all(senders).await;
}
