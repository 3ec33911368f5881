//! Against the values of the specification's own libraries, and against whoever tampers.

use proptest::prelude::*;

use super::*;

const ID: &str = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W";
const EVENT: &str = r#"{"type":"contact.created","timestamp":"2022-11-03T20:26:10.344522Z","data":{"id":"1f81eb52-5198-4599-803e-771906343485"}}"#;
const AT_S: i64 = 1_674_087_231;

/// The secret whose bytes are 0, 1, 2 ...
fn counted(length: u8) -> Secret {
    Secret::from_random(&(0..length).collect::<Vec<u8>>()).unwrap()
}

fn received<'a>(signed: &'a Signed, body: &'a [u8]) -> Received<'a> {
    Received {
        id: Some(&signed.id),
        timestamp: Some(&signed.timestamp),
        signature: Some(&signed.signature),
        body,
    }
}

#[test]
fn the_test_of_the_specifications_libraries_passes() {
    let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let signed = sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        br#"{"test": 2432232314}"#,
        &[secret],
        1_614_265_330_000,
    )
    .unwrap();
    assert_eq!(
        signed.headers(),
        [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            (
                "webhook-signature",
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
            ),
        ]
    );
}

/// Computed by the Python package `standardwebhooks` 1.1.0.
#[test]
fn signatures_are_those_of_another_implementation() {
    let check = |length: u8, at_s: i64, body: &str, expected: &str| {
        let signed = sign(ID, body.as_bytes(), &[counted(length)], at_s * 1000).unwrap();
        assert_eq!(signed.signature, format!("v1,{expected}"));
    };
    let korean = r#"{"name":"한정판"}"#;
    let at_s = 1_764_000_000;
    check(
        24,
        AT_S,
        EVENT,
        "w9hHmpilBM+ZH5TWiqTF2V+zZhky2nrY7iwP4o0rZI0=",
    );
    check(
        32,
        at_s,
        korean,
        "pWa6snCrlDLMeY+8Xra1Mi6rYJ/8e7t5uWUd9vE+MHE=",
    );
    check(
        64,
        at_s,
        korean,
        "ohQcjGQpFY71QAdAF8ZDGypoWyztEzrqSg2RphxISfM=",
    );
    check(64, at_s, "", "jTkPo4T745Mc0TXme5261sDLEFtYDv5Tp4s6Niuo/Y8=");
}

#[test]
fn a_secret_is_24_to_64_bytes_in_the_specified_form() {
    let check = |text: &str, expected: Result<usize, SecretError>| {
        assert_eq!(
            Secret::parse(text).map(|secret| secret.0.len()),
            expected,
            "{text}"
        );
    };
    check("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Ok(24));
    check(&counted(64).reveal(), Ok(64));
    check("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Err(SecretError::Prefix));
    check("", Err(SecretError::Prefix));
    check("whsec_", Err(SecretError::Length(0)));
    check("whsec_AAAA", Err(SecretError::Length(3)));
    check(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_",
        Err(SecretError::Encoding),
    );
    check("whsec_MfKQ9r8G KYqr", Err(SecretError::Encoding));
    for (length, ok) in [(23, false), (24, true), (64, true), (65, false)] {
        assert_eq!(Secret::from_random(&vec![7; length]).is_ok(), ok);
    }
    assert_eq!(format!("{:?}", counted(24)), "Secret(..)");
}

#[test]
fn while_a_secret_is_replaced_both_receivers_verify() {
    let [old, new, other] = [counted(24), counted(32), counted(48)];
    let signed = sign(
        ID,
        EVENT.as_bytes(),
        &[new.clone(), old.clone()],
        AT_S * 1000,
    )
    .unwrap();
    assert_eq!(signed.signature.split(' ').count(), 2);
    let check = |secrets: &[Secret], expected: bool| {
        let verified = verify(&received(&signed, EVENT.as_bytes()), secrets, AT_S * 1000);
        assert_eq!(verified.is_ok(), expected);
    };
    check(std::slice::from_ref(&old), true);
    check(std::slice::from_ref(&new), true);
    check(&[other.clone(), new], true);
    check(&[other], false);
    check(&[], false);
}

#[test]
fn signatures_of_other_versions_and_broken_ones_are_passed_over() {
    let secret = counted(32);
    let good = sign(ID, b"x", std::slice::from_ref(&secret), AT_S * 1000)
        .unwrap()
        .signature;
    let encoded = good.strip_prefix("v1,").unwrap();
    let check = |signature: &str, expected: Result<(), VerifyError>| {
        let signed = Signed {
            id: ID.to_owned(),
            timestamp: AT_S.to_string(),
            signature: signature.to_owned(),
        };
        let verified = verify(
            &received(&signed, b"x"),
            std::slice::from_ref(&secret),
            AT_S * 1000,
        );
        assert_eq!(verified.map(|_| ()), expected, "{signature}");
    };
    let mismatch = Err(VerifyError::Mismatch);
    check(
        &format!("v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,{encoded} {good}"),
        Ok(()),
    );
    check(
        &format!(
            "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg== {good}"
        ),
        Ok(()),
    );
    check(&format!("  {good}  "), Ok(()));
    check(&format!("v2,{encoded}"), mismatch);
    check(&format!("v1{encoded}"), mismatch);
    check("v1,", mismatch);
    check("", mismatch);
    check("v1,dawfeoifkpqwoekfpqoekf", mismatch);
    check(&good[..good.len() - 4], mismatch);
    check(&good.to_uppercase(), mismatch);
    check(
        &[good.as_str(); SIGNATURES_MAX + 1].join(" "),
        Err(VerifyError::Invalid(SIGNATURE_HEADER)),
    );
    check(
        &"x".repeat(SIGNATURE_HEADER_BYTES_MAX + 1),
        Err(VerifyError::Invalid(SIGNATURE_HEADER)),
    );
}

#[test]
fn an_attempt_is_taken_within_five_minutes() {
    let secrets = [counted(32)];
    let signed = sign(ID, b"x", &secrets, AT_S * 1000).unwrap();
    let check = |now_ms: i64, expected: Result<(), VerifyError>| {
        let verified = verify(&received(&signed, b"x"), &secrets, now_ms);
        assert_eq!(verified.map(|_| ()), expected, "{now_ms}");
    };
    check(AT_S * 1000, Ok(()));
    check((AT_S + 300) * 1000 + 999, Ok(()));
    check((AT_S + 301) * 1000, Err(VerifyError::TooOld));
    check((AT_S - 300) * 1000, Ok(()));
    check((AT_S - 300) * 1000 - 1, Err(VerifyError::TooNew));
    check(i64::MAX, Err(VerifyError::TooOld));
    check(i64::MIN, Err(VerifyError::TooNew));
}

#[test]
fn what_is_missing_or_not_well_formed_is_named() {
    let secrets = [counted(32)];
    let signed = sign(ID, b"x", &secrets, AT_S * 1000).unwrap();
    let whole = received(&signed, b"x");
    let check = |received: Received<'_>, expected: VerifyError| {
        assert_eq!(verify(&received, &secrets, AT_S * 1000), Err(expected));
    };
    let none = Received { id: None, ..whole };
    check(none, VerifyError::Missing(ID_HEADER));
    let none = Received {
        timestamp: None,
        ..whole
    };
    check(none, VerifyError::Missing(TIMESTAMP_HEADER));
    let none = Received {
        signature: None,
        ..whole
    };
    check(none, VerifyError::Missing(SIGNATURE_HEADER));
    let long = "x".repeat(ID_BYTES_MAX + 1);
    for id in ["", "a.b", "a b", "a\r\nb", "가", &long] {
        check(
            Received {
                id: Some(id),
                ..whole
            },
            VerifyError::Invalid(ID_HEADER),
        );
        assert_eq!(
            sign(id, b"x", &secrets, 0),
            Err(SignError::InvalidId),
            "{id}"
        );
    }
    for timestamp in [
        "",
        "hello",
        "-1",
        "+1674087231",
        "1674087231.0",
        "01674087231",
        " 1674087231",
        "9999999999999",
    ] {
        check(
            Received {
                timestamp: Some(timestamp),
                ..whole
            },
            VerifyError::Invalid(TIMESTAMP_HEADER),
        );
    }
}

#[test]
fn there_is_a_bound_on_secrets_and_at_least_one() {
    let many = vec![counted(24); SECRETS_MAX + 1];
    assert_eq!(sign(ID, b"", &[], 0), Err(SignError::Secrets(0)));
    assert_eq!(
        sign(ID, b"", &many, 0),
        Err(SignError::Secrets(SECRETS_MAX + 1))
    );
    assert!(sign(ID, b"", &many[1..], 0).is_ok());
    assert_eq!(sign(ID, b"", &many[1..], -5).unwrap().timestamp, "0");
}

fn secrets() -> impl Strategy<Value = Vec<Secret>> {
    let key = prop::collection::vec(any::<u8>(), SECRET_BYTES_MIN..=SECRET_BYTES_MAX);
    let secret = key.prop_map(|bytes| Secret::from_random(&bytes).unwrap());
    prop::collection::vec(secret, 1..=SECRETS_MAX)
}

proptest! {
    #[test]
    fn what_was_signed_verifies_with_any_of_the_secrets(
        id in "[!-\\-/-~]{1,64}",
        body in prop::collection::vec(any::<u8>(), 0..200),
        secrets in secrets(),
        at_s in 0..4_000_000_000_i64,
        late_s in -TOLERANCE_S..=TOLERANCE_S,
    ) {
        let signed = sign(&id, &body, &secrets, at_s * 1000).unwrap();
        for secret in &secrets {
            let verified = verify(
                &received(&signed, &body),
                std::slice::from_ref(secret),
                (at_s + late_s) * 1000,
            );
            prop_assert_eq!(verified, Ok(Verified { id: &id, attempted_at_s: at_s }));
        }
    }

    #[test]
    fn a_secret_reads_back(bytes in prop::collection::vec(any::<u8>(), 24..=64)) {
        let secret = Secret::from_random(&bytes).unwrap();
        prop_assert_eq!(&Secret::parse(&secret.reveal()).unwrap().0[..], &bytes[..]);
    }

    #[test]
    fn a_bit_that_was_changed_is_noticed(
        body in prop::collection::vec(any::<u8>(), 1..100),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let secrets = [counted(32)];
        let signed = sign(ID, &body, &secrets, AT_S * 1000).unwrap();
        let now_ms = AT_S * 1000;
        let mut changed = body.clone();
        changed[at.index(body.len())] ^= 1 << bit;
        prop_assert_eq!(
            verify(&received(&signed, &changed), &secrets, now_ms),
            Err(VerifyError::Mismatch)
        );
        let other_id = format!("{ID}x");
        let mut moved = received(&signed, &body);
        moved.id = Some(&other_id);
        prop_assert_eq!(verify(&moved, &secrets, now_ms), Err(VerifyError::Mismatch));
        let other_time = (AT_S + 1).to_string();
        let mut moved = received(&signed, &body);
        moved.timestamp = Some(&other_time);
        prop_assert_eq!(verify(&moved, &secrets, now_ms), Err(VerifyError::Mismatch));
        let mut key = counted(32).0.to_vec();
        key[at.index(32)] ^= 1 << bit;
        let other = [Secret::from_random(&key).unwrap()];
        prop_assert_eq!(
            verify(&received(&signed, &body), &other, now_ms),
            Err(VerifyError::Mismatch)
        );
    }

    #[test]
    fn nothing_that_comes_in_panics(
        id in prop::option::of(".{0,20}"),
        timestamp in prop::option::of("[0-9 .+-]{0,24}"),
        signature in prop::option::of("(v1[ ,a]?[A-Za-z0-9+/=,]{0,60} ?){0,5}"),
        body in prop::collection::vec(any::<u8>(), 0..20),
        now_ms in any::<i64>(),
    ) {
        let received = Received {
            id: id.as_deref(),
            timestamp: timestamp.as_deref(),
            signature: signature.as_deref(),
            body: &body,
        };
        prop_assert!(verify(&received, &[counted(32)], now_ms).is_err());
    }
}
