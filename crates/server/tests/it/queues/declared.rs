//! Queues and topics of the settings file.

use serde_json::{Value, json};

use super::{File, JOBS, declared, queue};
use crate::harness::wait::eventually;
use crate::harness::{Shop, firstcome, refused};
use crate::sns::client::Sns;

#[tokio::test]
async fn what_is_declared_is_there_and_stays_as_it_is() {
    let (mut shop, file) = declared(JOBS).await;
    let before = queue(&shop, "jobs").await;
    assert_eq!(before["deadLetterQueue"], "jobs-dlq");
    assert_eq!(before["maxReceiveCount"], 2);
    assert_eq!(before["tags"], json!({"team": "fulfilment"}));
    assert_eq!(queue(&shop, "mileage.fifo").await["kind"], "fifo");
    super::send(&shop, "jobs", "kept").await;
    shop.stop().await;
    shop.restart().await;
    let after = queue(&shop, "jobs").await;
    assert_eq!(
        after["modifiedAt"], before["modifiedAt"],
        "nothing was written"
    );
    assert_eq!(after["visible"], 1);

    // Changed, added, and no longer named.
    file.write(
        "[[queues]]\nname = \"jobs\"\ntags = { team = \"returns\", tier = \"1\" }\n\
         [queues.attributes]\nVisibilityTimeout = 120\nRedrivePolicy = \"\"\n\
         [[queues]]\nname = \"more\"",
    );
    shop.stop().await;
    shop.restart().await;
    let changed = queue(&shop, "jobs").await;
    assert_eq!(changed["settings"]["visibilityTimeoutSeconds"], 120);
    assert_eq!(
        changed["deadLetterQueue"],
        Value::Null,
        "an empty text takes it away"
    );
    assert_eq!(changed["tags"], json!({"team": "returns", "tier": "1"}));
    assert_eq!(changed["visible"], 1);
    queue(&shop, "more").await;
    queue(&shop, "jobs-dlq").await;
}

#[tokio::test]
async fn the_order_in_the_file_does_not_matter() {
    let (shop, _file) = declared(
        "[[queues]]\nname = \"a\"\n[queues.attributes]\n\
         RedrivePolicy = '{\"deadLetterTargetArn\": \"arn:aws:sqs:us-east-1:000000000000:z\", \
         \"maxReceiveCount\": \"4\"}'\n\
         [[queues]]\nname = \"z\"\n[queues.attributes]\n\
         RedriveAllowPolicy = { redrivePermission = \"byQueue\", sourceQueueArns = [\"a\"] }",
    )
    .await;
    assert_eq!(queue(&shop, "a").await["maxReceiveCount"], 4);
    let allow = queue(&shop, "z").await["settings"]["redriveAllow"].clone();
    assert_eq!(
        allow,
        json!({"permission": "byQueue", "sourceQueues": ["a"]})
    );
}

/// Messages of the queue, by type.
async fn heard(shop: &Shop, queue: &str) -> Vec<String> {
    let page = shop
        .get(&format!("/ops/queues/{queue}/messages"))
        .await
        .expect(200);
    let messages = page["messages"].as_array().unwrap().iter();
    let kind = |one: &Value| {
        let body: Value = serde_json::from_str(one["body"].as_str().unwrap()).unwrap();
        body["type"].as_str().map(str::to_owned)
    };
    messages.filter_map(kind).collect()
}

#[tokio::test]
async fn a_queue_hears_what_its_filter_lets_pass() {
    let subscription = |filter: &str| {
        format!(
            "[[queues]]\nname = \"all\"\n[[queues]]\nname = \"some\"\n\
             [[topics]]\nname = \"orders\"\n\
             subscriptions = [{{queue = \"all\", raw = true}}, {{queue = \"some\", {filter}}}]\n\
             [[topics]]\nname = \"own.fifo\"\nattributes = {{ContentBasedDeduplication = true}}"
        )
    };
    let (mut shop, file) = declared(&subscription(
        "raw = true, filter_policy = {type = [\"order.sold_out\"]}",
    ))
    .await;
    shop.offer("A-1", json!({"stock": 1})).await;
    shop.place("A-1", "a@example.com", 1).await;
    shop.place("A-1", "b@example.com", 1).await;
    eventually("both have heard", async || {
        let all = heard(&shop, "all").await;
        (all == ["order.accepted", "order.sold_out"]).then_some(())
    })
    .await;
    assert_eq!(heard(&shop, "some").await, ["order.sold_out"]);
    let own = "arn:aws:sns:us-east-1:000000000000:own.fifo";
    let topic = Sns::new(&shop).topic_attributes(own).await;
    for (name, value) in [
        ("TopicArn", own),
        ("FifoTopic", "true"),
        ("ContentBasedDeduplication", "true"),
        ("Owner", "000000000000"),
    ] {
        assert_eq!(topic.get(name).map(String::as_str), Some(value), "{name}");
    }

    // Another filter, and with the envelope: what is raw has no `Type`.
    file.write(&subscription(
        "raw = false, filter_policy = '{\"type\": [{\"prefix\": \"order.\"}]}'",
    ));
    shop.stop().await;
    shop.restart().await;
    shop.place("A-1", "c@example.com", 1).await;
    let page = eventually("it has heard with the envelope", async || {
        let page = shop.get("/ops/queues/some/messages").await.expect(200);
        (page["messages"].as_array().unwrap().len() == 2).then_some(page)
    })
    .await;
    let body = page["messages"][1]["body"].as_str().unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["Type"], "Notification");
    assert_eq!(heard(&shop, "all").await.len(), 3, "it is subscribed once");
}

async fn is_refused(toml: &str, named: &str, said: &str) {
    let directory = tempfile::tempdir().unwrap();
    let file = File::new(toml);
    let mut command = firstcome(&["serve", "--listen", "127.0.0.1:0", "--aws-listen"]);
    command.args(["127.0.0.1:0", "--config"]).arg(&file.path);
    command.arg("--data").arg(directory.path().join("data"));
    let (code, text) = refused(command).await;
    assert_eq!(code, 2, "{toml}: {text}");
    assert!(
        text.contains(&format!("setting `{named}`")),
        "{toml}: {text}"
    );
    assert!(text.contains(said), "{toml}: {text}");
}

#[tokio::test]
async fn a_declaration_that_cannot_be_had_stops_the_start() {
    for (toml, named, said) in [
        (
            "[[queues]]\nname = \"jobs\"\nattributes = {VisibilityTimeout = 50000}",
            "queues.0.attributes.VisibilityTimeout",
            "queue jobs",
        ),
        (
            "[[queues]]\nname = \"jobs\"\nattributes = {Visibility = 5}",
            "queues.0.attributes.Visibility",
            "unknown field",
        ),
        (
            "[[queues]]\nname = \"jobs\"\n[queues.attributes]\n\
             RedrivePolicy = {deadLetterTargetArn = \"none\", maxReceiveCount = 3}",
            "queues.0.attributes.RedrivePolicy",
            "queue jobs: Dead letter target does not exist",
        ),
        (
            "[[queues]]\nname = \"a.fifo\"\n[queues.attributes]\n\
             RedrivePolicy = {deadLetterTargetArn = \"b\", maxReceiveCount = 3}\n\
             [[queues]]\nname = \"b\"",
            "queues.0.attributes.RedrivePolicy",
            "queue a.fifo",
        ),
        (
            "[[queues]]\nname = \"sns-deliveries\"",
            "queues.0.name",
            "the shop's own",
        ),
        (
            "[[topics]]\nname = \"news\"\nsubscriptions = [{queue = \"none\"}]",
            "topics.0.subscriptions.0",
            "topic news: there is no queue none",
        ),
    ] {
        is_refused(toml, named, said).await;
    }
}
