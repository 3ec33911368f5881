use super::*;

const EXPIRED: &str =
    "Value for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.";

#[test]
fn deletes() {
    // After one receive at NOW (receipt 100, 30 s); `again`: another at 30 s (receipt 200).
    for (config, again, receipt, after_ms, expected) in [
        (standard(), false, 100, 0, Ok(Deletion::Deleted)),
        // Late, but nobody else has it.
        (standard(), false, 100, 50_000, Ok(Deletion::Deleted)),
        (standard(), false, 999, 0, Ok(Deletion::Nothing)),
        (standard(), true, 100, 30_001, Ok(Deletion::Nothing)),
        (standard(), true, 200, 30_001, Ok(Deletion::Deleted)),
        (fifo(), false, 100, 29_999, Ok(Deletion::Deleted)),
        (fifo(), false, 100, 30_000, Err(EXPIRED.to_owned())),
        (fifo(), true, 100, 30_001, Err(EXPIRED.to_owned())),
        (fifo(), true, 200, 30_001, Ok(Deletion::Deleted)),
    ] {
        let mut message = received_once(&config, stored(&config, 1), NOW);
        if again {
            message = received_once(&config, message, NOW + 30_000);
            message.receipt = Some(200);
        }
        let deletion = delete(&config, Some(&message), receipt, NOW + after_ms);
        assert_eq!(
            deletion.map_err(|refusal| refusal.to_string()),
            expected,
            "fifo {} again {again} receipt {receipt} after {after_ms}",
            config.is_fifo()
        );
    }
}

#[test]
fn what_is_gone_stays_gone() {
    for config in [standard(), fifo()] {
        assert_eq!(delete(&config, None, 1, NOW), Ok(Deletion::Nothing));
        let refusal = change_visibility(&config, None, 1, 10, NOW).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "Value for parameter ReceiptHandle is invalid. Reason: Message does not exist or is \
             not available for visibility timeout change."
        );
    }
}

#[test]
fn visibility_moves_from_now_on_and_only_once() {
    let config = standard();
    let message = received_once(&config, stored(&config, 1), NOW);
    let longer = change_visibility(&config, Some(&message), 100, 60, NOW + 10_000).unwrap();
    assert_eq!(
        longer,
        Message {
            visible_at_ms: NOW + 70_000,
            ..message
        }
    );
    // Zero hands it back at once; then there is nothing to change any more.
    let back = change_visibility(&config, Some(&longer), 100, 0, NOW + 11_000).unwrap();
    assert_eq!(back.state(NOW + 11_000), MessageState::Visible);
    assert_eq!(
        change_visibility(&config, Some(&back), 100, 5, NOW + 11_000),
        Err(Refusal::MessageNotInflight)
    );
    // The next receive has the queue's time-out again.
    let again = received_once(&config, back, NOW + 11_000);
    assert_eq!(again.visible_at_ms, NOW + 41_000);
}

#[test]
fn timed_out_and_stale_handles_change_nothing() {
    for config in [standard(), fifo()] {
        let message = received_once(&config, stored(&config, 1), NOW);
        assert_eq!(
            change_visibility(&config, Some(&message), 100, 5, NOW + 30_000),
            Err(Refusal::MessageNotInflight)
        );
        let stale = change_visibility(&config, Some(&message), 99, 5, NOW).unwrap_err();
        assert_eq!(stale.field(), Some("ReceiptHandle"));
    }
}

#[test]
fn twelve_hours_from_the_latest_receive() {
    const HOUR: i64 = 3_600_000;
    let config = standard();
    let extend = |message: &Message, timeout_s, now_ms| {
        change_visibility(&config, Some(message), 100, timeout_s, now_ms)
    };
    let message = received_once(&config, stored(&config, 1), NOW);
    assert!(extend(&message, 43_201, NOW).is_err());
    let held = extend(&message, 43_200, NOW + 999).unwrap();
    assert!(extend(&held, 39_600, NOW + HOUR).is_ok());
    assert_eq!(
        extend(&held, 39_601, NOW + HOUR).unwrap_err().to_string(),
        "Value 39601 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout \
         for the message is beyond the limit [43200 seconds]."
    );
    // A day later the message is received again: its twelve hours begin anew.
    let again = received_once(&config, held, NOW + 24 * HOUR);
    assert_eq!(again.first_received_at_ms, Some(NOW));
    assert!(extend(&again, 43_200, NOW + 24 * HOUR).is_ok());
}
