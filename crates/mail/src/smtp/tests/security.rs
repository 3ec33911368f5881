//! TLS from the first byte and after STARTTLS, whom it trusts, and what is said to whom
//! without it.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::responder::{Answer, Responder, Script};
use super::{impatient, mail, settings, verbs};
use crate::outcome::{FailureCause, Outcome};
use crate::smtp::connections::only_loopback;
use crate::smtp::{Credentials, Password, Smtp, SmtpSettings, Tls};
use crate::transport::Transport;

/// A certificate for these names, and the authority that it is from, in PEM.
fn certified(names: &[&str]) -> (Arc<rustls::ServerConfig>, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let authority: &rcgen::Certificate = authority.as_ref();
    let pem = BASE64_STANDARD.encode(authority.der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n");
    (Arc::new(config), pem)
}

fn secure(server: &Responder, host: &str, tls: Tls, ca_file: Option<&Path>) -> SmtpSettings {
    SmtpSettings {
        host: host.to_owned(),
        tls,
        ca_file: ca_file.map(Path::to_owned),
        ..settings(server)
    }
}

fn credentials() -> Option<Credentials> {
    Some(Credentials {
        user: "shop".to_owned(),
        password: Password::new("hunter2hunter2"),
    })
}

#[tokio::test]
async fn both_kinds_of_tls_work_with_an_authority_of_ones_own() {
    let (config, authority) = certified(&["localhost"]);
    let directory = tempfile::tempdir().unwrap();
    let ca_file = directory.path().join("ca.pem");
    std::fs::write(&ca_file, authority).unwrap();
    for (tls, from_the_start) in [(Tls::Required, true), (Tls::Starttls, false)] {
        let server = Responder::start(Script {
            offers: vec!["STARTTLS", "AUTH PLAIN LOGIN"],
            tls: Some((Arc::clone(&config), from_the_start)),
            ..Script::default()
        });
        let smtp = Smtp::new(&SmtpSettings {
            credentials: credentials(),
            ..secure(&server, "localhost", tls, Some(&ca_file))
        })
        .unwrap();
        for id in ["a", "b"] {
            let outcome = smtp.send(&mail(id)).await;
            assert!(outcome.is_delivered(), "{tls:?}: {outcome}");
        }
        let seen = server.seen();
        assert_eq!((seen.connections, seen.mails.len()), (1, 2));
        let password = "AUTH PLAIN AHNob3AAaHVudGVyMmh1bnRlcjI=".to_owned();
        assert!(seen.lines.contains(&password), "{:?}", seen.lines);
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_gets_neither_password_nor_e_mail() {
    let directory = tempfile::tempdir().unwrap();
    let ca_file = directory.path().join("ca.pem");
    let (config, authority) = certified(&["mail.example.com"]);
    let (_, other_authority) = certified(&["localhost"]);
    for pem in [authority, other_authority] {
        // For another name, then from another authority.
        std::fs::write(&ca_file, pem).unwrap();
        for (tls, from_the_start) in [(Tls::Required, true), (Tls::Starttls, false)] {
            let server = Responder::start(Script {
                offers: vec!["STARTTLS", "AUTH PLAIN"],
                tls: Some((Arc::clone(&config), from_the_start)),
                ..Script::default()
            });
            let smtp = Smtp::new(&SmtpSettings {
                credentials: credentials(),
                ..secure(&server, "localhost", tls, Some(&ca_file))
            })
            .unwrap();
            let Outcome::Failed(failure) = smtp.send(&mail("a")).await else {
                panic!("{tls:?} is not a failure");
            };
            assert_eq!(failure.cause, FailureCause::Tls, "{}", failure.text);
            assert!(failure.text.contains("certificate"), "{}", failure.text);
            assert!(!verbs(&server).iter().any(|verb| verb == "AUTH"));
        }
    }
}

#[tokio::test]
async fn a_server_that_does_not_change_over_to_tls_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let ca_file = directory.path().join("ca.pem");
    std::fs::write(&ca_file, certified(&["localhost"]).1).unwrap();
    let check = async |offers: Vec<&'static str>, answers: Option<Answer>| {
        let answers = answers.map(|answer| ("STARTTLS", vec![answer]));
        let server = Responder::start(Script {
            offers,
            answers: answers.into_iter().collect(),
            ..Script::default()
        });
        let smtp = Smtp::new(&SmtpSettings {
            credentials: credentials(),
            ..secure(&server, "localhost", Tls::Starttls, Some(&ca_file))
        })
        .unwrap();
        assert_eq!(smtp.send(&mail("a")).await.code(), "tls");
        let verbs = verbs(&server);
        assert!(!verbs.iter().any(|verb| verb == "AUTH" || verb == "MAIL"));
    };
    check(vec!["AUTH PLAIN"], None).await;
    check(
        vec!["STARTTLS", "AUTH PLAIN"],
        Some(Answer::Say("454 TLS not available")),
    )
    .await;
}

#[tokio::test]
async fn a_password_that_is_not_taken_is_the_servers_business_not_the_e_mails() {
    let check = async |offers: Vec<&'static str>, text: &'static str, code: &str| {
        let server = Responder::start(Script {
            offers,
            answers: [("AUTH", vec![Answer::Say(text)])].into(),
            ..Script::default()
        });
        let smtp = Smtp::new(&SmtpSettings {
            credentials: credentials(),
            ..settings(&server)
        })
        .unwrap();
        let outcome = smtp.send(&mail("a")).await;
        assert_eq!(outcome.code(), code, "{outcome}");
        assert!(matches!(outcome, Outcome::Failed(_)), "{outcome}");
        assert!(!outcome.to_string().contains("hunter2"), "{outcome}");
    };
    let offers = || vec!["AUTH PLAIN LOGIN"];
    check(
        offers(),
        "535 5.7.8 hunter2hunter2 is not the password of shop",
        "authentication",
    )
    .await;
    check(offers(), "454 4.7.0 later", "server_said_later").await;
    check(vec!["AUTH CRAM-MD5"], "235 ok", "authentication").await;
    check(Vec::new(), "235 ok", "authentication").await;
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_given_up_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let ca_file = directory.path().join("ca.pem");
    std::fs::write(&ca_file, certified(&["localhost"]).1).unwrap();
    let server = Responder::answering(&[]);
    let smtp = Smtp::new(&SmtpSettings {
        timeouts: impatient(&server).timeouts,
        ..secure(&server, "localhost", Tls::Required, Some(&ca_file))
    })
    .unwrap();
    assert_eq!(smtp.send(&mail("a")).await.code(), "tls");
}

#[test]
fn without_tls_only_loopback_addresses_are_connected_to() {
    let found = [
        "127.0.0.1:25",
        "[::1]:25",
        "[::ffff:127.0.0.2]:25",
        "10.0.0.1:25",
        "[::ffff:10.0.0.1]:25",
        "[2001:db8::1]:25",
        "0.0.0.0:25",
    ]
    .map(|address| address.parse().unwrap());
    assert_eq!(only_loopback(found.into_iter()), found[..3]);
}

#[test]
fn a_file_without_certificates_is_refused_by_its_setting() {
    let directory = tempfile::tempdir().unwrap();
    let ca_file = directory.path().join("ca.pem");
    let check = |ca_file: &Path| {
        let settings = SmtpSettings {
            ca_file: Some(ca_file.to_owned()),
            ..SmtpSettings::new("localhost", Tls::Required)
        };
        let invalid = Smtp::new(&settings).err().map(|invalid| invalid.field);
        assert_eq!(invalid, Some("ca_file"));
    };
    check(&ca_file);
    std::fs::write(&ca_file, "no certificate").unwrap();
    check(&ca_file);
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(&ca_file, broken).unwrap();
    check(&ca_file);
}
