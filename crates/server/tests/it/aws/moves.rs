//! Message move tasks: dead letters go back, a few at a time, and can be stopped.

use serde_json::{Value, json};

use super::client::{Client, WIRES, bodies, number};
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

/// A queue, its dead-letter queue's URL and ARN, and so many dead letters.
async fn with_dead_letters(client: &Client, name: &str, count: i64) -> (String, String, String) {
    let dead = client.queue(&format!("{name}-dead"), json!({})).await;
    let arn = client.arn(&dead).await;
    let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": 1});
    let attributes = json!({"RedrivePolicy": policy.to_string()});
    let url = client.queue(name, attributes).await;
    for n in 0..count {
        client.send(&url, &format!("m{n}")).await;
    }
    while number(&client.attribute(&dead, "ApproximateNumberOfMessages").await) < count {
        client.receive(&url, json!({"VisibilityTimeout": 0})).await;
    }
    (url, dead, arn)
}

async fn newest(client: &Client, arn: &str) -> Value {
    let list = client
        .ok("ListMessageMoveTasks", json!({"SourceArn": arn}))
        .await;
    let results = list["Results"].as_array().unwrap().clone();
    assert_eq!(results.len(), 1, "one, if no number is asked for");
    results[0].clone()
}

#[tokio::test]
async fn dead_letters_go_back_to_where_they_came_from() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let (url, dead, arn) = with_dead_letters(&client, "back", 3).await;
        let source = json!({"SourceArn": arn});
        assert_eq!(
            client.ok("ListMessageMoveTasks", source.clone()).await,
            json!({})
        );
        let started = client.ok("StartMessageMoveTask", source).await;
        let handle = started["TaskHandle"].as_str().unwrap().to_owned();
        let task = eventually("the task completes", async || {
            let task = newest(&client, &arn).await;
            (task["Status"] == "COMPLETED").then_some(task)
        })
        .await;
        assert_eq!(task["SourceArn"], arn);
        assert_eq!(task.get("TaskHandle"), None, "only of a task that runs");
        assert_eq!(task.get("DestinationArn"), None);
        assert_eq!(number(&task["ApproximateNumberOfMessagesMoved"]), 3);
        assert_eq!(number(&task["ApproximateNumberOfMessagesToMove"]), 3);
        assert!(
            number(&task["StartedTimestamp"]) > 1_700_000_000_000,
            "milliseconds"
        );
        let messages = client.receive(&url, json!({})).await;
        let mut back = bodies(&messages);
        back.sort_unstable();
        assert_eq!(back, ["m0", "m1", "m2"]);
        assert_eq!(
            client.attribute(&dead, "ApproximateNumberOfMessages").await,
            "0"
        );
        // It is over: there is nothing to cancel.
        let cancel = json!({"TaskHandle": handle});
        client
            .refused("CancelMessageMoveTask", cancel, "ResourceNotFoundException")
            .await;
    }
}

#[tokio::test]
async fn a_slow_task_is_cancelled() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let (_, dead, arn) = with_dead_letters(&client, "slow", 20).await;
        let to = client.queue("elsewhere", json!({})).await;
        let to_arn = client.arn(&to).await;
        let start = json!({
            "SourceArn": arn, "DestinationArn": to_arn, "MaxNumberOfMessagesPerSecond": 1,
        });
        let started = client.ok("StartMessageMoveTask", start.clone()).await;
        let refused = client
            .refused("StartMessageMoveTask", start, "InvalidParameterValue")
            .await;
        assert!(
            refused.message.contains("already a task running"),
            "{refused:?}"
        );
        let task = newest(&client, &arn).await;
        assert_eq!(task["Status"], "RUNNING");
        assert_eq!(task["TaskHandle"], started["TaskHandle"]);
        assert_eq!(task["DestinationArn"], to_arn);
        assert_eq!(number(&task["MaxNumberOfMessagesPerSecond"]), 1);
        let cancel = json!({"TaskHandle": started["TaskHandle"]});
        let cancelled = client.ok("CancelMessageMoveTask", cancel).await;
        let moved = number(&cancelled["ApproximateNumberOfMessagesMoved"]);
        assert!(moved < 20, "{moved}");
        assert_eq!(newest(&client, &arn).await["Status"], "CANCELLED");
        let left = number(&client.attribute(&dead, "ApproximateNumberOfMessages").await);
        let there = number(&client.attribute(&to, "ApproximateNumberOfMessages").await);
        assert_eq!(left + there, 20);
        let ten = json!({"SourceArn": arn, "MaxResults": 10});
        let listed = client.ok("ListMessageMoveTasks", ten).await;
        assert_eq!(listed["Results"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn what_cannot_be_moved_is_refused() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let (url, _, arn) = with_dead_letters(&client, "refused", 0).await;
        let nowhere = format!("{arn}-nowhere");
        let not_dead = client.arn(&url).await;
        for (parameters, code, status) in [
            (
                json!({"SourceArn": nowhere}),
                "ResourceNotFoundException",
                404,
            ),
            (
                json!({"SourceArn": "rubbish"}),
                "ResourceNotFoundException",
                404,
            ),
            (json!({"SourceArn": not_dead}), "InvalidParameterValue", 400),
            (
                json!({"SourceArn": arn, "DestinationArn": nowhere}),
                "ResourceNotFoundException",
                404,
            ),
            (
                json!({"SourceArn": arn, "DestinationArn": arn}),
                "InvalidParameterValue",
                400,
            ),
            (
                json!({"SourceArn": arn, "MaxNumberOfMessagesPerSecond": 501}),
                "InvalidParameterValue",
                400,
            ),
            (
                json!({"SourceArn": arn, "MaxNumberOfMessagesPerSecond": 0}),
                "InvalidParameterValue",
                400,
            ),
        ] {
            let refused = client
                .refused("StartMessageMoveTask", parameters, code)
                .await;
            assert_eq!(refused.status, status);
        }
        let too_many = json!({"SourceArn": arn, "MaxResults": 11});
        client
            .refused("ListMessageMoveTasks", too_many, "InvalidParameterValue")
            .await;
        let missing = json!({"SourceArn": nowhere});
        client
            .refused("ListMessageMoveTasks", missing, "ResourceNotFoundException")
            .await;
        let rubbish = json!({"TaskHandle": "rubbish"});
        client
            .refused("CancelMessageMoveTask", rubbish, "InvalidParameterValue")
            .await;
    }
}
