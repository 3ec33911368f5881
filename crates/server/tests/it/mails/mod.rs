//! E-mails about what happened, in the local mailbox: each once, whatever dies when.

mod asking;
mod restocking;

use serde_json::Value;

use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

const DONUT: &str = "CP-502101";

/// The demo, with a factory that is so fast and managers who are bothered so late.
fn demo(lead_time_ms: u64, grace_s: u64) -> Settings {
    Settings::new()
        .arg("--demo")
        .set("FACTORY__LEAD_TIME_MS", lead_time_ms)
        .set("MAIL__ADS_GRACE_S", grace_s)
}

/// Oldest first.
async fn mails(shop: &Shop) -> Vec<Value> {
    let list = shop.get("/ops/mails").await.expect(200);
    let mut mails = list["mails"].as_array().unwrap().clone();
    mails.reverse();
    mails
}

/// Kind and status of each e-mail, once this is what they are.
async fn told(shop: &Shop, expected: &[(&str, &str)]) {
    eventually(&format!("the e-mails are {expected:?}"), async || {
        let mails = mails(shop).await;
        let found: Vec<_> = mails
            .iter()
            .map(|mail| {
                (
                    mail["kind"].as_str().unwrap(),
                    mail["status"].as_str().unwrap(),
                )
            })
            .collect();
        (found == expected).then_some(())
    })
    .await;
}

/// The files of the mailbox.
fn files(shop: &Shop) -> Vec<String> {
    let Ok(directory) = std::fs::read_dir(shop.data().join("mail")) else {
        return Vec::new();
    };
    let mut names: Vec<String> = directory
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Nothing is left to be written.
async fn queue_is_empty(shop: &Shop) {
    eventually("the queue of e-mails is empty", async || {
        let queue = shop.get("/ops/queues/emails").await.expect(200);
        let left: u64 = ["visible", "inFlight", "delayed"]
            .iter()
            .map(|state| queue[state].as_u64().unwrap())
            .sum();
        (left == 0).then_some(())
    })
    .await;
}
