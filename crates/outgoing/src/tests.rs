//! Every call here goes over a real socket on this machine.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::resolve::keep_allowed;
use crate::{AllowedHosts, BODY_BYTES_MAX, CallError, Client, Timeouts, without_query};

/// Long enough for a slow machine; only the tests of timeouts use a short one.
const PATIENT: Timeouts = Timeouts {
    connect: Duration::from_secs(10),
    total: Duration::from_secs(20),
};

fn client() -> Client {
    Client::new(AllowedHosts::default(), PATIENT).unwrap()
}

fn hosts(entries: &[&str]) -> AllowedHosts {
    AllowedHosts::new(entries).unwrap()
}

/// Reads one request, headers and body.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let n = stream.read(&mut chunk).await.unwrap();
        read.extend_from_slice(&chunk[..n]);
        let text = String::from_utf8(read.clone()).unwrap();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok())
            .unwrap_or(0);
        let complete = text
            .split_once("\r\n\r\n")
            .is_some_and(|(_, body)| body.len() >= length);
        if n == 0 || complete {
            return text;
        }
    }
}

/// A server for one connection that answers the first request with these bytes; gives the
/// request it saw.
async fn serve_once(answer: Vec<u8>) -> (SocketAddr, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await;
        // The client may hang up as soon as it has enough.
        let _ = stream.write_all(&answer).await;
        let _ = stream.shutdown().await;
        request
    });
    (address, seen)
}

#[tokio::test]
async fn a_call_carries_its_body_and_headers_and_brings_the_answer() {
    let (address, seen) = serve_once(
        b"HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\nlate".to_vec(),
    )
    .await;
    let url = format!("http://{address}/receipt?token=abc#part");
    let answer = client()
        .post_json(&url, &[("Idempotency-Key", "k-1")], r#"{"quantity":3}"#)
        .await
        .unwrap();
    assert_eq!(answer.status, 503);
    assert!(!answer.is_success());
    let seven = crate::RetryAfter::Wait(Duration::from_secs(7));
    assert_eq!(answer.retry_after, Some(seven));
    assert_eq!(&answer.body[..], b"late");
    assert!(!answer.truncated);

    let request = seen.await.unwrap().to_lowercase();
    assert!(request.starts_with("post /receipt?token=abc http/1.1\r\n"));
    assert!(request.contains("\r\ncontent-type: application/json\r\n"));
    assert!(request.contains("\r\nidempotency-key: k-1\r\n"));
    assert!(request.ends_with("\r\n\r\n{\"quantity\":3}"));
}

#[tokio::test]
async fn a_name_is_resolved_and_called() {
    let (address, _seen) = serve_once(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()).await;
    let url = format!("http://localhost:{}/", address.port());
    let answer = client().post_json(&url, &[], "{}").await.unwrap();
    assert_eq!(answer.status, 204);
}

#[tokio::test]
async fn nobody_listening_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = client()
        .post_json(&format!("http://{address}/?token=s3cret"), &[], "{}")
        .await
        .unwrap_err();
    assert_eq!(
        error,
        CallError::Refused {
            host: address.to_string()
        }
    );
    assert!(error.temporary());
    assert!(!format!("{error} {error:?}").contains("s3cret"));
}

/// Reads one request, answers with these bytes and then keeps the connection open without a word.
async fn serve_and_hang(start: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(start).await.unwrap();
        std::future::pending::<()>().await;
    });
    address
}

#[tokio::test]
async fn a_server_that_never_answers_is_a_timeout() {
    for start in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
    ] {
        let address = serve_and_hang(start).await;
        let client = Client::new(
            AllowedHosts::default(),
            Timeouts {
                connect: Duration::from_secs(10),
                total: Duration::from_millis(200),
            },
        )
        .unwrap();
        let error = client
            .post_json(&format!("http://{address}/?token=s3cret"), &[], "{}")
            .await
            .unwrap_err();
        assert!(matches!(error, CallError::Timeout { .. }), "{error:?}");
        assert!(error.temporary());
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }
}

#[tokio::test]
async fn a_broken_connection_and_nonsense_are_interrupted() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"220 mail.example.com ESMTP\r\n",
    ] {
        let (address, _seen) = serve_once(answer.to_vec()).await;
        let error = client()
            .post_json(&format!("http://{address}/?token=s3cret"), &[], "{}")
            .await
            .unwrap_err();
        assert!(matches!(error, CallError::Interrupted { .. }), "{error:?}");
        assert!(error.temporary());
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }
}

#[tokio::test]
async fn a_huge_body_is_cut_off() {
    let mut answer = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    answer.resize(answer.len() + BODY_BYTES_MAX * 40, b'x');
    let (address, _seen) = serve_once(answer).await;
    let answer = client()
        .post_json(&format!("http://{address}/"), &[], "{}")
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body.len(), BODY_BYTES_MAX);
    assert!(answer.truncated);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let location = elsewhere.local_addr().unwrap();
    let (address, _seen) = serve_once(
        format!(
            "HTTP/1.1 307 Over There\r\nlocation: http://{location}/\r\ncontent-length: 0\r\n\r\n"
        )
        .into_bytes(),
    )
    .await;
    let answer = client()
        .post_json(&format!("http://{address}/"), &[], "{}")
        .await
        .unwrap();
    assert_eq!(answer.status, 307);
    // A connection that was made waits in the listener's backlog; there is none.
    let called = tokio::time::timeout(Duration::from_millis(1), elsewhere.accept()).await;
    assert!(called.is_err(), "the redirect was followed");
}

#[tokio::test]
async fn a_host_that_is_not_listed_is_not_called() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = Client::new(hosts(&["factory.example.com"]), PATIENT).unwrap();
    let error = client
        .post_json(&format!("http://{address}/?token=s3cret"), &[], "{}")
        .await
        .unwrap_err();
    assert_eq!(
        error,
        CallError::NotAllowed {
            host: address.to_string()
        }
    );
    assert!(!error.temporary());
    let called = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await;
    assert!(called.is_err(), "the host was called");
}

/// A name server that somebody else controls.
struct Rebinding(SocketAddr, AllowedHosts);

impl Resolve for Rebinding {
    fn resolve(&self, name: Name) -> Resolving {
        let kept = keep_allowed(&self.1, name.as_str(), [self.0]);
        Box::pin(async { Ok(Box::new(kept?.into_iter()) as Addrs) })
    }
}

/// The check of the name passes and the resolver still refuses: this is what stands
/// between a rebound name and the machine's own services.
#[tokio::test]
async fn a_listed_name_at_an_address_it_may_not_have_is_not_called() {
    for (listed, expected) in [
        (&["shop.example.com"][..], None),
        (&["shop.example.com", "loopback"], Some(204)),
    ] {
        let (address, _seen) = serve_once(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()).await;
        let allowed = hosts(listed);
        let names = Rebinding(address, allowed.clone());
        let client =
            Client::build(&allowed, PATIENT, |builder| builder.dns_resolver(names)).unwrap();
        let url = format!("http://shop.example.com:{}/", address.port());
        match client.post_json(&url, &[], "{}").await {
            Ok(answer) => assert_eq!(Some(answer.status), expected),
            Err(error) => {
                let host = format!("shop.example.com:{}", address.port());
                assert_eq!(error, CallError::NotAllowed { host });
                assert_eq!(expected, None);
            }
        }
    }
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_unresolved() {
    // A label of 64 bytes cannot exist, so no name server is asked.
    let name = format!("{}.invalid", "x".repeat(64));
    let client = Client::new(hosts(&[&name]), PATIENT).unwrap();
    let error = client
        .post_json(&format!("http://{name}/"), &[], "{}")
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::Unresolved { .. }), "{error:?}");
    assert!(error.temporary());
}

#[test]
fn a_name_keeps_only_the_addresses_it_may_have() {
    #[track_caller]
    fn check(listed: &[&str], name: &str, found: &[&str], expected: Option<&[&str]>) {
        let socket = |ip: &&str| SocketAddr::new(ip.parse::<IpAddr>().unwrap(), 0);
        let kept = keep_allowed(&hosts(listed), name, found.iter().map(socket));
        let expected = expected.map(|ips| ips.iter().map(socket).collect::<Vec<_>>());
        assert_eq!(kept.ok(), expected);
    }
    let shop = &["shop.example.com"][..];
    check(
        shop,
        "shop.example.com",
        &["192.0.2.1"],
        Some(&["192.0.2.1"]),
    );
    check(shop, "shop.example.com", &["10.0.0.1"], Some(&["10.0.0.1"]));
    check(shop, "shop.example.com", &["127.0.0.1"], None);
    check(shop, "shop.example.com", &["::1"], None);
    check(shop, "shop.example.com", &["::ffff:127.0.0.1"], None);
    check(shop, "shop.example.com", &["169.254.169.254"], None);
    check(shop, "shop.example.com", &["fe80::1"], None);
    check(shop, "shop.example.com", &["0.0.0.0"], None);
    check(shop, "shop.example.com", &["::"], None);
    check(shop, "shop.example.com", &["224.0.0.1"], None);
    check(
        shop,
        "shop.example.com",
        &["127.0.0.1", "192.0.2.1"],
        Some(&["192.0.2.1"]),
    );
    check(
        &["shop.example.com", "loopback"],
        "shop.example.com",
        &["127.0.0.1", "169.254.169.254"],
        Some(&["127.0.0.1"]),
    );
    check(
        &["shop.example.com", "127.0.0.1"],
        "shop.example.com",
        &["127.0.0.1"],
        Some(&["127.0.0.1"]),
    );
    // One port of this machine is listed; a name could reach every port.
    check(
        &["shop.example.com", "127.0.0.1:80"],
        "shop.example.com",
        &["127.0.0.1"],
        None,
    );
    check(
        &["loopback"],
        "localhost",
        &["127.0.0.1"],
        Some(&["127.0.0.1"]),
    );
    check(&["loopback"], "localhost", &["192.0.2.1"], None);
    check(&["localhost"], "LOCALHOST.", &["192.0.2.1"], None);
    check(&["*.localhost"], "a.localhost", &["192.0.2.1"], None);
}

#[test]
fn the_list_decides_by_host_and_port() {
    #[track_caller]
    fn check(listed: &[&str], url: &str, allowed: bool) {
        match hosts(listed).check(url) {
            Ok(_) => assert!(allowed, "{url} was allowed by {listed:?}"),
            Err(CallError::NotAllowed { .. }) => {
                assert!(!allowed, "{url} was refused by {listed:?}");
            }
            Err(other) => panic!("{url}: {other}"),
        }
    }
    let loopback = &["loopback"][..];
    check(loopback, "http://127.0.0.1:3000/x", true);
    check(loopback, "http://127.8.9.1/", true);
    check(loopback, "http://127.1/", true);
    check(loopback, "http://0x7f000001/", true);
    check(loopback, "http://[::1]:9/", true);
    check(loopback, "http://[::ffff:127.0.0.1]/", true);
    check(loopback, "HTTPS://LocalHost:3000/", true);
    check(loopback, "http://localhost./", true);
    check(loopback, "http://localhost.example.com/", false);
    check(loopback, "http://a.localhost/", false);
    check(loopback, "http://128.0.0.1/", false);
    check(loopback, "http://0.0.0.0/", false);
    check(loopback, "http://169.254.169.254/", false);
    check(loopback, "http://[::]/", false);
    check(loopback, "http://example.com/?h=localhost", false);

    check(&["localhost"], "http://127.0.0.1/", false);
    check(&["example.com"], "http://example.com/", true);
    check(&["example.com"], "https://EXAMPLE.com:8443/", true);
    check(&["example.com"], "http://a.example.com/", false);
    check(&["example.com"], "http://example.com.evil.net/", false);
    check(&["example.com:80"], "http://example.com/", true);
    check(&["example.com:80"], "https://example.com/", false);
    check(&["example.com:8080"], "http://example.com:8080/", true);
    check(&["example.com:8080"], "http://example.com/", false);
    check(&["*.example.com"], "http://a.example.com/", true);
    check(&["*.example.com"], "http://a.b.example.com:9/", true);
    check(&["*.example.com"], "http://example.com/", false);
    check(&["*.example.com"], "http://aexample.com/", false);
    check(&["*.example.com:443"], "https://a.example.com/", true);
    check(&["*.example.com:443"], "http://a.example.com/", false);
    check(&["192.0.2.1"], "http://192.0.2.1:9/", true);
    check(&["192.0.2.1"], "http://3221225985/", true);
    check(&["192.0.2.1:80"], "http://192.0.2.1:9/", false);
    check(&["2001:db8::1"], "http://[2001:DB8:0::1]:9/", true);
    check(&["[2001:db8::1]:9"], "http://[2001:db8::1]:9/", true);
    check(&["[2001:db8::1]:9"], "http://[2001:db8::1]/", false);
    check(&["bücher.example"], "http://xn--bcher-kva.example/", true);
    check(&[], "http://localhost/", false);
}

#[test]
fn an_entry_that_is_not_a_host_is_refused_with_its_text() {
    for entry in [
        "",
        " ",
        "http://example.com",
        "example.com/",
        "example.com:",
        "example.com:0",
        "example.com:65536",
        "example.com:+80",
        "a:b:c",
        "me@example.com",
        "*",
        "*.",
        "*.*.example.com",
        "a.*.example.com",
        "*.192.0.2.1",
        "[::1",
        "[::1]x",
    ] {
        let error = AllowedHosts::new([entry]).expect_err(entry);
        assert_eq!(error.entry, entry);
    }
    let many = vec!["a.example.com"; 257];
    assert!(AllowedHosts::new(&many[..256]).is_ok());
    assert!(AllowedHosts::new(&many).is_err());
}

#[test]
fn a_list_is_written_as_it_is_read() {
    let written = [
        "loopback",
        "example.com",
        "example.com:80",
        "*.example.com:8443",
        "192.0.2.1:1",
        "2001:db8::1",
        "[2001:db8::1]:443",
    ];
    let json = serde_json::to_string(&written).unwrap();
    let list: AllowedHosts = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&list).unwrap(), json);
    let error = serde_json::from_str::<AllowedHosts>(r#"["a b"]"#).unwrap_err();
    assert!(error.to_string().contains("`a b`"), "{error}");
}

#[test]
fn a_url_that_cannot_be_called_is_refused() {
    let long = format!("http://localhost/{}", "x".repeat(2048));
    for url in [
        "",
        "localhost",
        "//localhost/",
        "/receipt",
        "http:localhost",
        "http://",
        "http:///",
        "ftp://localhost/",
        "file:///etc/hosts",
        "http://me@localhost/",
        "http://:secret@localhost/",
        "http://me:secret@localhost/",
        "http://localhost:0/",
        "http://localhost:99999/",
        " http://localhost/",
        "http://local\thost/",
        "http://localhost/a b",
        "http://localhost\\@example.com/",
        "http://[::1/",
        &long,
    ] {
        let error = AllowedHosts::default().check(url).expect_err(url);
        assert!(
            matches!(error, CallError::InvalidUrl { .. }),
            "{url}: {error}"
        );
        assert!(!error.temporary());
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}

#[test]
fn a_target_is_shown_without_its_query() {
    let target = AllowedHosts::default()
        .check("http://localhost:3000/receipt?token=s3cret#s3cret")
        .unwrap();
    assert_eq!(target.to_string(), "http://localhost:3000/receipt");
    assert_eq!(
        format!("{target:?}"),
        "Target(http://localhost:3000/receipt)"
    );
    assert_eq!(target.host(), "localhost:3000");
    assert_eq!(without_query("http://a/b#c?d"), "http://a/b");
    assert_eq!(without_query("http://a/b"), "http://a/b");
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_named() {
    for header in [("a b", "c"), ("x-key", "line\r\nbreak")] {
        let error = client()
            .post_json("http://127.0.0.1:9/", &[header], "{}")
            .await
            .unwrap_err();
        assert_eq!(
            error,
            CallError::InvalidHeader {
                name: header.0.to_owned()
            }
        );
    }
}

/// A TLS server for one connection, and the certificate that it shows.
fn serve_tls_once(answer: &'static [u8]) -> (SocketAddr, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let session = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = rustls::StreamOwned::new(session, stream);
        // A client that does not trust the certificate ends the handshake.
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(answer);
        stream.conn.send_close_notify();
        let _ = stream.flush();
    });
    (address, certificate.to_vec())
}

#[tokio::test]
async fn https_works_with_a_certificate_that_is_trusted() {
    let (address, certificate) = serve_tls_once(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let client = Client::build(&AllowedHosts::default(), PATIENT, |builder| {
        builder.tls_certs_only([reqwest::Certificate::from_der(&certificate).unwrap()])
    })
    .unwrap();
    let answer = client
        .post_json(&format!("https://localhost:{}/", address.port()), &[], "{}")
        .await
        .unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"ok"[..]));
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_a_tls_error() {
    let (address, _certificate) = serve_tls_once(b"");
    let url = format!("https://localhost:{}/?token=s3cret", address.port());
    let error = client().post_json(&url, &[], "{}").await.unwrap_err();
    assert!(matches!(error, CallError::Tls { .. }), "{error:?}");
    assert!(!error.temporary());
    assert!(!format!("{error} {error:?}").contains("s3cret"));
}

#[tokio::test]
async fn https_to_a_server_of_plain_http_is_a_tls_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _hello = stream.read(&mut [0; 4096]).await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        std::future::pending::<()>().await;
    });
    let error = client()
        .post_json(&format!("https://{address}/"), &[], "{}")
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::Tls { .. }), "{error:?}");
}
