//! A subscriber behind TLS, and how long it is left alone between tries.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::client::start;
use crate::harness::Settings;
use crate::harness::wait::eventually;

/// A web server that answers the requests that come to it with these statuses, one by one, and
/// then with 200. It ends with the test's process.
struct Secure {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<(Instant, Value)>>>,
}

impl Secure {
    /// Writes the certificate that it shows to this file.
    fn start(certificate: &Path, statuses: &[u16]) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let base64 = BASE64_STANDARD.encode(made.cert.der());
        let lines: Vec<&str> = (0..base64.len())
            .step_by(64)
            .map(|at| &base64[at..base64.len().min(at + 64)])
            .collect();
        let pem = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            lines.join("\n")
        );
        std::fs::write(certificate, pem).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&requests);
        let statuses = statuses.to_vec();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let session = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(session, stream.unwrap());
                // A client that does not trust the certificate ends the handshake.
                let Some(body) = read_body(&mut stream) else {
                    continue;
                };
                let nth = {
                    let mut requests = shared.lock().unwrap();
                    requests.push((Instant::now(), body));
                    requests.len() - 1
                };
                let status = statuses.get(nth).copied().unwrap_or(200);
                let answer = format!(
                    "HTTP/1.1 {status} As You Wish\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                let _ = stream.write_all(answer.as_bytes());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        Self { address, requests }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/hook", self.address.port())
    }

    /// The n-th request, counted from 1, once it has come.
    async fn request(&self, n: usize) -> (Instant, Value) {
        eventually("it is asked", async || {
            self.requests.lock().unwrap().get(n - 1).cloned()
        })
        .await
    }
}

/// The JSON of one request with a `Content-Length`.
fn read_body(stream: &mut StreamOwned<ServerConnection, TcpStream>) -> Option<Value> {
    let mut text = String::new();
    let mut part = [0; 4096];
    loop {
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        text.push_str(std::str::from_utf8(&part[..read]).ok()?);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let head = head.to_ascii_lowercase();
        let (_, length) = head.split_once("content-length: ")?;
        let length: usize = length.lines().next()?.trim().parse().ok()?;
        if body.len() >= length {
            return serde_json::from_str(body).ok();
        }
    }
}

#[tokio::test]
async fn a_server_behind_tls_is_left_alone_for_longer_and_longer() {
    let directory = tempfile::tempdir().unwrap();
    let trusted = directory.path().join("trusted.pem");
    // The question is taken, the message only the fourth time.
    let server = Secure::start(&trusted, &[200, 500, 503, 502]);
    let stranger = Secure::start(&directory.path().join("stranger.pem"), &[]);
    // Instead of the certificates of the system.
    let settings = Settings::new().variable("SSL_CERT_FILE", trusted.display());
    let (shop, sns, _) = start(settings).await;
    let topic = sns.topic("news", &[]).await;
    let policy = json!({"healthyRetryPolicy": {
        "minDelayTarget": 1, "maxDelayTarget": 4, "numRetries": 3,
        "backoffFunction": "exponential",
    }})
    .to_string();
    let attributes = [("DeliveryPolicy", policy.as_str())];
    sns.subscribe(&topic, "https", &server.url(), &attributes)
        .await;
    let (_, asked) = server.request(1).await;
    assert_eq!(asked["Type"], "SubscriptionConfirmation");
    let url = asked["SubscribeURL"].as_str().unwrap();
    assert_eq!(sns.visit(url).await.status, 200);

    sns.publish(&topic, "over TLS").await;
    let mut tries = Vec::new();
    for n in 2..=5 {
        tries.push(server.request(n).await);
    }
    for ((before, first), ((after, again), delay_s)) in
        tries.iter().zip(tries[1..].iter().zip([1, 2, 4]))
    {
        assert_eq!(again, first, "the same each time");
        // Two clocks are compared, one of which counts in milliseconds.
        let at_least = Duration::from_secs(delay_s) - Duration::from_millis(20);
        let waited = after.duration_since(*before);
        assert!(waited >= at_least, "{waited:?}, not {delay_s} s");
    }
    assert_eq!(tries[0].1["Message"], "over TLS");
    eventually("it is delivered", async || {
        let queue = shop.get("/ops/queues/sns-deliveries").await.expect(200);
        (queue["total"] == 0).then_some(())
    })
    .await;

    // Whoever shows another certificate is told nothing.
    sns.subscribe(&topic, "https", &stranger.url(), &[]).await;
    let path = "/ops/queues/sns-deliveries-dlq/messages";
    eventually("it is given up", async || {
        let letters = shop.get(path).await.expect(200)["messages"].clone();
        let letters = letters.as_array().unwrap().clone();
        letters.first().map(ToString::to_string)
    })
    .await;
    assert!(stranger.requests.lock().unwrap().is_empty());
}
