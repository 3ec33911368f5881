use std::collections::BTreeMap;

use super::*;

fn delivery(kind: DeliveryKind, message: &str) -> Delivery {
    Delivery {
        subscription: "s".to_owned(),
        topic: "t".to_owned(),
        message_id: "m".to_owned(),
        kind,
        raw: false,
        message: message.to_owned(),
        subject: None,
        attributes: BTreeMap::new(),
    }
}

const ASKS: &str = r#"{"TopicArn":"a","Message":"Will you?","SubscribeURL":"http://h/?T=1"}"#;
const TELLS: &str = r#"{"TopicArn":"a","Message":"News.","UnsubscribeURL":"http://h/?U=1"}"#;

#[test]
fn a_person_gets_the_message_and_the_link() {
    let asks = delivery(DeliveryKind::SubscriptionConfirmation, ASKS);
    assert_eq!(
        mail_text(&asks, Protocol::Email),
        "Will you?\n\nhttp://h/?T=1\n\nIf you do not want it, there is nothing to do."
    );
    assert_eq!(subject(&asks), "Please confirm your subscription");
    let mut tells = delivery(DeliveryKind::Notification, TELLS);
    assert_eq!(
        mail_text(&tells, Protocol::Email),
        "News.\n\n--\nTo stop receiving these messages, visit\nhttp://h/?U=1"
    );
    assert_eq!(mail_text(&tells, Protocol::EmailJson), TELLS);
    assert_eq!(subject(&tells), "Notification");
    tells.subject = Some("Hello".to_owned());
    assert_eq!(subject(&tells), "Hello");
    let bare = delivery(DeliveryKind::Notification, "sold out");
    assert_eq!(mail_text(&bare, Protocol::Email), "sold out");
}

#[test]
fn only_letters_say_something_to_their_carrier() {
    let attributes = BTreeMap::from([(TOPIC_ARN.to_owned(), Attribute::string("arn"))]);
    for (kind, expected) in [
        (DeliveryKind::SubscriptionConfirmation, Some("arn")),
        // There the attributes are the publisher's.
        (DeliveryKind::Notification, None),
    ] {
        let delivery = Delivery {
            attributes: attributes.clone(),
            ..delivery(kind, "")
        };
        assert_eq!(text(&delivery, TOPIC_ARN), expected);
    }
}

#[test]
fn a_subscription_is_not_called_more_often_than_it_wants() {
    let pace = Pace::default();
    let now = Instant::now();
    let turns = |subscription, per_second_max, now| {
        let turn = pace.turn(subscription, per_second_max, now);
        turn.duration_since(now).as_millis()
    };
    assert_eq!([0; 3].map(|_| turns("a", 2, now)), [0, 500, 1_000]);
    assert_eq!(turns("b", 1, now), 0);
    let later = now + Duration::from_secs(1);
    assert_eq!(turns("a", 2, later), 500);
    let much_later = now + Duration::from_secs(5);
    assert_eq!(turns("a", 2, much_later), 0);
    assert_eq!(pace.0.lock().unwrap().len(), 1, "who is done is forgotten");
}
