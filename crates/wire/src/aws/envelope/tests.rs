use super::*;

/// Signs with the length of the text.
struct Length(SignatureVersion);

impl Signer for Length {
    fn version(&self) -> SignatureVersion {
        self.0
    }

    fn sign(&self, text: &[u8]) -> Vec<u8> {
        text.len().to_string().into_bytes()
    }

    fn certificate_url(&self) -> &str {
        "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ec.pem"
    }
}

const TOPIC: &str = "arn:aws:sns:us-west-2:123456789012:MyTopic";

fn notification(attributes: &BTreeMap<String, MessageAttribute>) -> Notification<'_> {
    Notification {
        message_id: "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        topic_arn: TOPIC,
        subject: Some("My First Message"),
        message: "Hello \"world\"!\n/한\t\\",
        timestamp_ms: 1_335_995_642_059,
        unsubscribe_url: "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:us-west-2:123456789012:MyTopic:c9135db0",
        sequence_number: None,
        attributes,
    }
}

#[test]
fn a_notification_has_the_layout_of_amazon() {
    let attributes = BTreeMap::from([
        (
            "bin".to_owned(),
            MessageAttribute::binary("Binary", [0, 255]),
        ),
        (
            "eventType".to_owned(),
            MessageAttribute::text("String", "a\"b"),
        ),
        (
            "timestamp".to_owned(),
            MessageAttribute::text("Number.java.lang.Long", "1"),
        ),
    ]);
    let notification = notification(&attributes);
    let signed = notification.string_to_sign();
    assert_eq!(
        signed,
        "Message\nHello \"world\"!\n/한\t\\\nMessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\n\
         Subject\nMy First Message\nTimestamp\n2012-05-02T21:54:02.059Z\n\
         TopicArn\narn:aws:sns:us-west-2:123456789012:MyTopic\nType\nNotification\n"
    );
    let signature = to_base64(signed.len().to_string().as_bytes());
    let expected = r#"{
  "Type" : "Notification",
  "MessageId" : "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
  "TopicArn" : "arn:aws:sns:us-west-2:123456789012:MyTopic",
  "Subject" : "My First Message",
  "Message" : "Hello \"world\"!\n/한\t\\",
  "Timestamp" : "2012-05-02T21:54:02.059Z",
  "SignatureVersion" : "1",
  "Signature" : "SIGNATURE",
  "SigningCertURL" : "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ec.pem",
  "UnsubscribeURL" : "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:us-west-2:123456789012:MyTopic:c9135db0",
  "MessageAttributes" : {
    "bin" : {"Type":"Binary","Value":"AP8="},
    "eventType" : {"Type":"String","Value":"a\"b"},
    "timestamp" : {"Type":"Number.java.lang.Long","Value":"1"}
  }
}"#
    .replace("SIGNATURE", &signature);
    assert_eq!(
        notification.to_json(Some(&Length(SignatureVersion::One))),
        expected
    );
}

/// As recorded from Amazon: the sequence number is third, and nothing is signed.
#[test]
fn a_notification_of_a_fifo_topic() {
    let attributes = BTreeMap::new();
    let notification = Notification {
        subject: None,
        sequence_number: Some("10000000000000003000"),
        message: "m",
        ..notification(&attributes)
    };
    assert_eq!(
        notification.to_json(None),
        r#"{
  "Type" : "Notification",
  "MessageId" : "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
  "SequenceNumber" : "10000000000000003000",
  "TopicArn" : "arn:aws:sns:us-west-2:123456789012:MyTopic",
  "Message" : "m",
  "Timestamp" : "2012-05-02T21:54:02.059Z",
  "UnsubscribeURL" : "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:us-west-2:123456789012:MyTopic:c9135db0"
}"#
    );
    assert!(!notification.string_to_sign().contains("Subject"));
}

#[test]
fn both_confirmations() {
    let subscription = format!("{TOPIC}:2bcfbf39");
    let url = subscribe_url("https://sns.us-west-2.amazonaws.com/", TOPIC, "2336412f37");
    let confirmation = |kind| Confirmation {
        kind,
        message_id: "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
        token: "2336412f37",
        topic_arn: TOPIC,
        subscription_arn: &subscription,
        subscribe_url: &url,
        timestamp_ms: 1_335_470_205_000,
    };
    let subscribe = confirmation(ConfirmationKind::Subscribe);
    let expected = r#"{
  "Type" : "SubscriptionConfirmation",
  "MessageId" : "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
  "Token" : "2336412f37",
  "TopicArn" : "arn:aws:sns:us-west-2:123456789012:MyTopic",
  "Message" : "You have chosen to subscribe to the topic arn:aws:sns:us-west-2:123456789012:MyTopic.\nTo confirm the subscription, visit the SubscribeURL included in this message.",
  "SubscribeURL" : "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-west-2:123456789012:MyTopic&Token=2336412f37",
  "Timestamp" : "2012-04-26T19:56:45.000Z",
  "SignatureVersion" : "2",
  "Signature" : "SIGNATURE",
  "SigningCertURL" : "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ec.pem"
}"#;
    let signature = to_base64(subscribe.string_to_sign().len().to_string().as_bytes());
    assert_eq!(
        subscribe.to_json(Some(&Length(SignatureVersion::Two))),
        expected.replace("SIGNATURE", &signature)
    );
    assert_eq!(
        subscribe.string_to_sign(),
        format!(
            "Message\nYou have chosen to subscribe to the topic {TOPIC}.\nTo confirm the \
             subscription, visit the SubscribeURL included in this message.\nMessageId\n\
             165545c9-2a5c-472c-8df2-7ff2be2b3b1b\nSubscribeURL\n{url}\nTimestamp\n\
             2012-04-26T19:56:45.000Z\nToken\n2336412f37\nTopicArn\n{TOPIC}\nType\n\
             SubscriptionConfirmation\n"
        )
    );
    let unsubscribe = confirmation(ConfirmationKind::Unsubscribe).to_json(None);
    assert!(unsubscribe.contains(
        "You have chosen to deactivate subscription arn:aws:sns:us-west-2:123456789012:MyTopic:\
         2bcfbf39.\\nTo cancel this operation and restore the subscription, visit the \
         SubscribeURL included in this message."
    ));
    assert!(unsubscribe.contains(r#""Type" : "UnsubscribeConfirmation""#));
    assert_eq!(
        unsubscribe_url("http://127.0.0.1:9324", &subscription),
        "http://127.0.0.1:9324/?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:us-west-2:123456789012:MyTopic:2bcfbf39"
    );
}
