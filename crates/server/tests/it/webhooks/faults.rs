//! Processes that die, and endpoints that cannot be trusted.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;

use super::{delivery, endpoint, ids, offer, secret, settings, subscribe, verified};
use crate::harness::Shop;
use crate::harness::factory::{Factory, Manner};
use crate::harness::wait::within;

#[tokio::test]
async fn killed_between_the_call_and_its_note_the_receiver_hears_it_twice_with_one_id() {
    let mut shop = Shop::start(settings()).await;
    offer(&shop, "CP-1", 5).await;
    let told = Arc::new(Notify::new());
    let receiver = Factory::scripted([Manner::After(Arc::clone(&told))], Manner::Answer(200));
    let hook = subscribe(&shop, &receiver.url(), &["order.*"]).await;
    shop.place("CP-1", "a@example.com", 1).await;
    receiver.request(1).await;
    shop.kill();
    told.notify_one();
    shop.restart().await;
    // The message was held by the one that died: 2 s for the call, 10 s beside it.
    let delivered = within(Duration::from_secs(60), "it is delivered", async || {
        let newest = super::deliveries(&shop, &hook).await.into_iter().next()?;
        (newest["status"] == "delivered").then_some(newest)
    })
    .await;
    assert_eq!(
        delivered["attempts"].as_array().unwrap().len(),
        1,
        "the one that was noted"
    );
    let ids = ids(&receiver);
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    for request in receiver.requests() {
        verified(&request, &[secret(&hook)]);
    }
}

#[tokio::test]
async fn what_was_told_before_a_crash_is_delivered_after_it() {
    let mut shop = Shop::start(settings()).await;
    offer(&shop, "CP-1", 100).await;
    let receiver = Factory::start(Manner::Answer(200));
    let hook = subscribe(&shop, &receiver.url(), &["order.*"]).await;
    for n in 0..30 {
        shop.place("CP-1", &format!("c{n}@example.com"), 1).await;
        if n % 10 == 9 {
            shop.kill();
            shop.restart().await;
        }
    }
    within(Duration::from_secs(90), "everything is told", async || {
        let mut told = ids(&receiver);
        told.sort();
        told.dedup();
        (told.len() == 30).then_some(())
    })
    .await;
    for request in receiver.requests() {
        verified(&request, &[secret(&hook)]);
    }
}

/// Speaks TLS with a certificate of its own making.
fn untrusted() -> SocketAddr {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(session, stream);
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    });
    address
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_a_failure() {
    let shop = Shop::start(settings()).await;
    offer(&shop, "CP-1", 5).await;
    let url = format!("https://localhost:{}/hook?key=hidden", untrusted().port());
    let hook = subscribe(&shop, &url, &["order.*"]).await;
    shop.place("CP-1", "a@example.com", 1).await;
    let told = delivery(&shop, &hook, "failed").await;
    let attempt = &told["attempts"][0];
    let error = attempt["error"].as_str().unwrap();
    assert!(
        error.starts_with("no secure connection to localhost"),
        "{error}"
    );
    assert_eq!(attempt["status"], Value::Null);
    assert!(!shop.log_text().contains("hidden"));
    assert!(endpoint(&shop, &hook).await["failingSince"].is_string());
}
