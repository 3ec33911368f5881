//! The transport that other crates' tests rely on.

use super::*;

#[tokio::test]
async fn the_capture_answers_as_told_and_knows_repeats() {
    let capture = Capture::new();
    let later = Outcome::Failed(Failure {
        cause: FailureCause::Timeout,
        reply_code: None,
        text: String::new(),
        may_have_been_taken: true,
        over_this_mail: true,
    });
    capture.answer(later.clone());
    assert_eq!(deliver(&capture, &message()).await, later);
    assert_eq!(capture.delivered(), []);
    for _ in 0..2 {
        assert!(deliver(&capture, &message()).await.is_delivered());
    }
    let other = Message {
        id: "other".to_owned(),
        ..message()
    };
    assert!(deliver(&capture, &other).await.is_delivered());
    let ids: Vec<String> = capture
        .delivered()
        .iter()
        .map(|mail| mail.id().to_owned())
        .collect();
    assert_eq!(ids, ["ads-7.pause", "other"]);
    assert_eq!(capture.wait_for(4).await.len(), 4);
}

#[tokio::test]
async fn a_message_that_cannot_be_composed_is_a_refusal() {
    let capture = Capture::new();
    let bad = Message {
        to: Party::new("nobody"),
        ..message()
    };
    let outcome = deliver(&capture, &bad).await;
    assert_eq!(
        outcome.to_string(),
        "invalid: to must be an e-mail address with an @"
    );
    assert_eq!(capture.attempts(), []);
}
