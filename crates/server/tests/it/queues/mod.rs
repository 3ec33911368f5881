//! What operators do with queues: the API, the command line, the metrics, and what the settings
//! file declares.

mod api;
mod cli;
mod declared;
mod metrics;
mod moves;
mod shown;

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Settings, Shop};

/// A queue with a dead-letter queue, and one of the other kind.
const JOBS: &str = "
[[queues]]
name = \"jobs\"
tags = { team = \"fulfilment\" }
[queues.attributes]
RedrivePolicy = { deadLetterTargetArn = \"jobs-dlq\", maxReceiveCount = 2 }

[[queues]]
name = \"jobs-dlq\"

[[queues]]
name = \"mileage.fifo\"
";

/// A settings file that lives as long as the test.
struct File {
    _directory: TempDir,
    path: PathBuf,
}

impl File {
    fn new(toml: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("firstcome.toml");
        std::fs::write(&path, toml).unwrap();
        Self {
            _directory: directory,
            path,
        }
    }

    fn write(&self, toml: &str) {
        std::fs::write(&self.path, toml).unwrap();
    }

    fn settings(&self) -> Settings {
        let settings = Settings::new().arg("--config");
        settings.arg(self.path.to_str().unwrap())
    }
}

/// A shop with these declarations.
async fn declared(toml: &str) -> (Shop, File) {
    let file = File::new(toml);
    (Shop::start(file.settings()).await, file)
}

async fn queue(shop: &Shop, name: &str) -> Value {
    shop.get(&format!("/ops/queues/{name}")).await.expect(200)
}

async fn send(shop: &Shop, queue: &str, body: &str) -> Value {
    let path = format!("/ops/queues/{queue}/messages");
    shop.post(&path, &json!({ "body": body })).await.expect(201)
}

/// Receives up to so many, which stay hidden for so long.
async fn receive(shop: &Shop, queue: &str, max: u32, visibility_s: u32) -> Vec<Value> {
    let path = format!("/ops/queues/{queue}/receive");
    let asked = json!({"max": max, "visibilityTimeoutSeconds": visibility_s});
    let received = shop.post(&path, &asked).await.expect(200);
    received["messages"].as_array().unwrap().clone()
}

/// Sends so many messages and has each of them received too often.
async fn dead_letters(shop: &Shop, count: usize) {
    for n in 0..count {
        send(shop, "jobs", &format!("job {n}")).await;
    }
    let_die(shop, count).await;
}

/// All that is there to be done, which is so much, is received too often.
async fn let_die(shop: &Shop, count: usize) {
    // Two receives are allowed; the third finds them dead.
    while queue(shop, "jobs").await["total"] != 0 {
        receive(shop, "jobs", 10, 0).await;
    }
    assert_eq!(queue(shop, "jobs-dlq").await["visible"], count);
}
