//! Servers that subscribe: the handshake, what they are sent, and how they know who sends it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rsa::RsaPublicKey;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::DecodePublicKey as _;
use rsa::sha2::Sha256;
use rsa::signature::Verifier as _;
use serde_json::Value;
use sha1::Sha1;

use super::client::{Ask, KEYS, Sns, members, start};
use crate::harness::Settings;
use crate::harness::factory::{Factory, Manner, Request};
use crate::harness::wait::eventually;

/// The head of an RSA key of 2,048 bits in a certificate, and how long it is with it.
const KEY_HEAD: [u8; 24] = [
    0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
    0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00,
];
const KEY_BYTES: usize = 294;

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request
        .headers
        .get(name)
        .map(|value| value.to_str().unwrap())
}

fn text<'a>(envelope: &'a Value, name: &str) -> &'a str {
    let text = envelope[name].as_str();
    text.unwrap_or_else(|| panic!("no {name} in {envelope}"))
}

/// The key of the certificate that is offered at this URL.
async fn key(sns: &Sns, url: &str) -> RsaPublicKey {
    let answer = sns.visit(url).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/x-pem-file")
    );
    let lines = answer.body.trim().lines();
    let base64: String = lines.filter(|line| !line.starts_with('-')).collect();
    let der = BASE64_STANDARD.decode(base64).unwrap();
    let at = der.windows(KEY_HEAD.len());
    let at = at.enumerate().find(|(_, bytes)| *bytes == KEY_HEAD);
    let at = at.expect("it has a key").0;
    RsaPublicKey::from_public_key_der(&der[at..at + KEY_BYTES]).unwrap()
}

/// As the developer guide says, "Verifying the signatures".
async fn verify(sns: &Sns, envelope: &Value) {
    let names: &[&str] = match text(envelope, "Type") {
        "Notification" => &[
            "Message",
            "MessageId",
            "Subject",
            "Timestamp",
            "TopicArn",
            "Type",
        ],
        _ => &[
            "Message",
            "MessageId",
            "SubscribeURL",
            "Timestamp",
            "Token",
            "TopicArn",
            "Type",
        ],
    };
    let names = names.iter().filter(|name| envelope.get(**name).is_some());
    let signed: String = names
        .map(|name| format!("{name}\n{}\n", text(envelope, name)))
        .collect();
    let key = key(sns, text(envelope, "SigningCertURL")).await;
    let signature = BASE64_STANDARD.decode(text(envelope, "Signature")).unwrap();
    let signature = Signature::try_from(signature.as_slice()).unwrap();
    let verified = match text(envelope, "SignatureVersion") {
        "1" => VerifyingKey::<Sha1>::new(key).verify(signed.as_bytes(), &signature),
        "2" => VerifyingKey::<Sha256>::new(key).verify(signed.as_bytes(), &signature),
        other => panic!("version {other}"),
    };
    verified.unwrap_or_else(|error| panic!("{error}: {envelope}"));
}

/// A subscription of this server, confirmed as it was asked to.
async fn confirmed(
    sns: &Sns,
    topic: &str,
    server: &Factory,
    attributes: &[(&str, &str)],
) -> String {
    let arn = sns
        .subscribe(topic, "http", &server.url(), attributes)
        .await;
    let asked = server.request(1).await.json();
    let answer = sns.visit(text(&asked, "SubscribeURL")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    arn
}

#[tokio::test]
async fn a_server_is_asked_before_it_is_sent_anything() {
    let (shop, sns, _) = start(Settings::new()).await;
    let server = Factory::start(Manner::Answer(200));
    let topic = sns.topic("news", &[]).await;
    let ask = || {
        Ask::new("Subscribe")
            .with("TopicArn", &topic)
            .with("Protocol", "http")
            .with("Endpoint", &server.url())
    };
    let answer = sns.ok(ask()).await;
    assert_eq!(answer.text("SubscriptionArn"), Some("pending confirmation"));
    let request = server.request(1).await;
    for (name, expected) in [
        ("content-type", "text/plain; charset=UTF-8"),
        ("user-agent", "Amazon Simple Notification Service Agent"),
        ("x-amz-sns-message-type", "SubscriptionConfirmation"),
        ("x-amz-sns-topic-arn", topic.as_str()),
    ] {
        assert_eq!(header(&request, name), Some(expected));
    }
    assert_eq!(header(&request, "x-amz-sns-subscription-arn"), None);
    let asked = request.json();
    assert_eq!(
        header(&request, "x-amz-sns-message-id"),
        asked["MessageId"].as_str()
    );
    let token = text(&asked, "Token");
    assert_eq!(
        text(&asked, "SubscribeURL"),
        format!(
            "http://{}/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}",
            shop.aws_address
        )
    );
    verify(&sns, &asked).await;
    // To nobody so far.
    sns.publish(&topic, "too early").await;
    // Asked again with the same token: the first letter may have been lost.
    sns.ok(ask()).await;
    let again = server.request(2).await.json();
    assert_eq!(text(&again, "Token"), token);

    let confirm = || {
        Ask::new("ConfirmSubscription")
            .with("TopicArn", &topic)
            .with("Token", token)
    };
    let arn = sns.ok(confirm()).await;
    let arn = arn.text("SubscriptionArn").unwrap();
    assert_eq!(
        sns.ok(confirm()).await.text("SubscriptionArn"),
        Some(arn),
        "once more is the same"
    );
    let shown = sns.subscription_attributes(arn).await;
    assert_eq!(shown["PendingConfirmation"], "false");
    assert_eq!(shown["ConfirmationWasAuthenticated"], "false");
    assert_eq!(shown["Endpoint"], server.url());
    let id = sns.publish(&topic, "now").await;
    let request = server.request(3).await;
    assert_eq!(
        header(&request, "x-amz-sns-message-type"),
        Some("Notification")
    );
    assert_eq!(header(&request, "x-amz-sns-subscription-arn"), Some(arn));
    assert_eq!(header(&request, "x-amz-sns-message-id"), Some(id.as_str()));
    assert_eq!(header(&request, "x-amz-sns-rawdelivery"), None);
    let told = request.json();
    assert_eq!(text(&told, "Message"), "now");
    verify(&sns, &told).await;
    let other = text(&told, "SigningCertURL").replace(".pem", "0.pem");
    assert_eq!(sns.visit(&other).await.status, 404);
}

#[tokio::test]
async fn version_2_is_signed_with_sha_256() {
    let (_shop, sns, _) = start(Settings::new()).await;
    let server = Factory::start(Manner::Answer(200));
    let topic = sns.topic("news", &[("SignatureVersion", "2")]).await;
    confirmed(&sns, &topic, &server, &[]).await;
    let ask = Ask::new("Publish")
        .with("TopicArn", &topic)
        .with("Subject", "S")
        .with("Message", "한\n");
    sns.ok(ask).await;
    for n in [1, 2] {
        let envelope = server.request(n).await.json();
        assert_eq!(text(&envelope, "SignatureVersion"), "2");
        verify(&sns, &envelope).await;
    }
}

#[tokio::test]
async fn a_raw_delivery_is_the_bare_message() {
    let (_shop, sns, _) = start(Settings::new()).await;
    let server = Factory::start(Manner::Answer(204));
    let topic = sns.topic("news", &[]).await;
    let kind = r#"{"requestPolicy":{"headerContentType":"text/csv"}}"#;
    let attributes = [("RawMessageDelivery", "true"), ("DeliveryPolicy", kind)];
    let arn = confirmed(&sns, &topic, &server, &attributes).await;
    sns.publish(&topic, "a;b").await;
    let request = server.request(2).await;
    assert_eq!(request.body, "a;b");
    for (name, expected) in [
        ("content-type", "text/csv"),
        ("x-amz-sns-rawdelivery", "true"),
        ("x-amz-sns-topic-arn", topic.as_str()),
        ("x-amz-sns-subscription-arn", arn.as_str()),
    ] {
        assert_eq!(header(&request, name), Some(expected));
    }
    let end = Ask::new("Unsubscribe").with("SubscriptionArn", &arn);
    sns.account("000000000000").ok(end).await;
    sns.publish(&topic, "too late").await;
    let ask = Ask::new("ListSubscriptionsByTopic").with("TopicArn", &topic);
    assert!(members(&sns.ok(ask).await, "Subscriptions").is_empty());
    assert_eq!(
        server.requests().len(),
        2,
        "the owner's own wish is not asked about"
    );
}

#[tokio::test]
async fn the_link_in_a_message_ends_a_subscription_and_offers_it_again() {
    let (_shop, sns, _) = start(Settings::new().set("AWS__KEYS", KEYS)).await;
    let owner = sns.signed();
    let server = Factory::start(Manner::Answer(200));
    let topic = owner.topic("news", &[]).await;
    let arn = owner.subscribe(&topic, "http", &server.url(), &[]).await;
    // The links need no signature, everything else does.
    sns.refused(Ask::new("ListTopics"), "MissingAuthenticationToken")
        .await;
    let asked = server.request(1).await.json();
    assert_eq!(sns.visit(text(&asked, "SubscribeURL")).await.status, 200);
    owner.publish(&topic, "one").await;
    let told = server.request(2).await.json();
    let unsubscribe = text(&told, "UnsubscribeURL");
    assert!(unsubscribe.ends_with(&arn));
    assert_eq!(sns.visit(unsubscribe).await.status, 200);
    let request = server.request(3).await;
    assert_eq!(
        header(&request, "x-amz-sns-message-type"),
        Some("UnsubscribeConfirmation")
    );
    assert_eq!(
        header(&request, "x-amz-sns-subscription-arn"),
        Some(arn.as_str())
    );
    let asked = request.json();
    verify(&sns, &asked).await;
    assert!(text(&asked, "Message").contains(&format!("deactivate subscription {arn}.")));
    owner.publish(&topic, "to nobody").await;

    assert_eq!(sns.visit(text(&asked, "SubscribeURL")).await.status, 200);
    owner.publish(&topic, "two").await;
    let told = server.request(4).await.json();
    assert_eq!(text(&told, "Message"), "two");

    // Who wants to be asked first cannot be ended by a link.
    let asked = server.request(3).await.json();
    let confirm = Ask::new("ConfirmSubscription")
        .with("TopicArn", &topic)
        .with("Token", text(&asked, "Token"))
        .with("AuthenticateOnUnsubscribe", "true");
    let arn = owner.ok(confirm).await;
    let arn = arn.text("SubscriptionArn").unwrap();
    let shown = owner.subscription_attributes(arn).await;
    assert_eq!(shown["ConfirmationWasAuthenticated"], "true");
    let answer = sns.visit(text(&told, "UnsubscribeURL")).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert!(answer.body.contains("AuthorizationError"));
}

#[tokio::test]
async fn a_link_is_followed_by_nobody_where_there_are_no_keys() {
    let (_shop, sns, _) = start(Settings::new()).await;
    for account in ["000000000000", "111111111111"] {
        let owner = sns.account(account);
        let server = Factory::start(Manner::Answer(200));
        let topic = owner.topic(&format!("news-{account}"), &[]).await;
        owner.subscribe(&topic, "http", &server.url(), &[]).await;
        let asked = server.request(1).await.json();
        assert_eq!(sns.visit(text(&asked, "SubscribeURL")).await.status, 200);
        owner.publish(&topic, "one").await;
        let told = server.request(2).await.json();
        assert_eq!(sns.visit(text(&told, "UnsubscribeURL")).await.status, 200);
        let request = server.request(3).await;
        assert_eq!(
            header(&request, "x-amz-sns-message-type"),
            Some("UnsubscribeConfirmation")
        );
        let confirm = Ask::new("ConfirmSubscription")
            .with("TopicArn", &topic)
            .with("Token", text(&request.json(), "Token"))
            .with("AuthenticateOnUnsubscribe", "true");
        owner.ok(confirm).await;
        owner.publish(&topic, "two").await;
        let told = server.request(4).await.json();
        let answer = sns.visit(text(&told, "UnsubscribeURL")).await;
        assert_eq!(answer.status, 403, "{}", answer.body);
    }
}

#[tokio::test]
async fn what_the_shop_itself_tells_is_wrapped_and_signed() {
    let (shop, sns, _) = start(Settings::new()).await;
    let server = Factory::start(Manner::Answer(200));
    let topic = sns.topic("orders", &[]).await;
    confirmed(&sns, &topic, &server, &[]).await;
    shop.offer("DONUT", serde_json::json!({"stock": 9})).await;
    shop.place("DONUT", "a@example.org", 1).await;
    let told = eventually("the order is told of", async || {
        server.requests().into_iter().nth(1)
    })
    .await
    .json();
    assert_eq!(text(&told, "TopicArn"), topic);
    let message: Value = serde_json::from_str(text(&told, "Message")).unwrap();
    assert!(text(&message, "type").starts_with("order."), "{message}");
    verify(&sns, &told).await;
    assert_eq!(text(&told, "SignatureVersion"), "1");
    // The next one is signed as the topic says by then.
    for (nth, version) in [(2, "2"), (3, "1"), (4, "2")] {
        let set = Ask::new("SetTopicAttributes")
            .with("TopicArn", &topic)
            .with("AttributeName", "SignatureVersion")
            .with("AttributeValue", version);
        sns.ok(set).await;
        shop.place("DONUT", "a@example.org", 1).await;
        let told = eventually("the next one is told of", async || {
            server.requests().into_iter().nth(nth)
        })
        .await
        .json();
        assert_eq!(text(&told, "SignatureVersion"), version);
        verify(&sns, &told).await;
    }
}
