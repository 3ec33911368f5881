//! Batches: an answer for each entry, or a refusal of the whole.

use serde_json::{Value, json};

use super::client::{Client, WIRES, bodies};
use crate::harness::{Settings, Shop};

/// Id and code of the failed entries; every one of them is the sender's fault.
fn failed(answer: &Value) -> Vec<(&str, &str)> {
    let entries = answer
        .get("Failed")
        .map_or(&[][..], |list| list.as_array().unwrap());
    let entries = entries.iter().map(|entry| {
        assert_eq!(entry["SenderFault"].to_string().trim_matches('"'), "true");
        assert!(!entry["Message"].as_str().unwrap().is_empty());
        (
            entry["Id"].as_str().unwrap(),
            entry["Code"].as_str().unwrap(),
        )
    });
    entries.collect()
}

fn successful(answer: &Value) -> Vec<&str> {
    let entries = answer
        .get("Successful")
        .map_or(&[][..], |list| list.as_array().unwrap());
    entries
        .iter()
        .map(|entry| entry["Id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn each_entry_has_an_answer_of_its_own() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let url = client
            .queue("batch", json!({"MaximumMessageSize": "1024"}))
            .await;
        let mut entries: Vec<Value> = (0..10)
            .map(|n| json!({"Id": format!("e{n}"), "MessageBody": format!("body {n}")}))
            .collect();
        entries[1]["MessageAttributes"] =
            json!({"attribName1": {"DataType": "String", "StringValue": "attribValue 1"}});
        entries[3]["MessageBody"] = json!("x".repeat(1_025));
        entries[4]["MessageSystemAttributes"] =
            json!({"SenderId": {"DataType": "String", "StringValue": "me"}});
        entries[5]["MessageBody"] = json!("");
        entries[6]["MessageBody"] = json!("\u{1}");
        entries[7]["DelaySeconds"] = json!(-1);
        entries[8]["DelaySeconds"] = json!(901);
        let send = json!({"QueueUrl": url, "Entries": entries});
        let answer = client.ok("SendMessageBatch", send).await;
        assert_eq!(
            failed(&answer),
            [
                ("e3", "InvalidParameterValue"),
                ("e4", "InvalidParameterValue"),
                ("e5", "MissingParameter"),
                ("e6", "InvalidMessageContents"),
                ("e7", "InvalidParameterValue"),
                ("e8", "InvalidParameterValue"),
            ]
        );
        assert_eq!(successful(&answer), ["e0", "e1", "e2", "e9"]);
        let sent = &answer["Successful"][1];
        assert_eq!(
            sent["MD5OfMessageAttributes"],
            "19e27d4e946b072f3f58da80d94fd778"
        );
        assert_eq!(sent["MessageId"].as_str().unwrap().len(), 36);

        let messages = client.receive(&url, json!({})).await;
        let mut received = bodies(&messages);
        received.sort_unstable();
        assert_eq!(received, ["body 0", "body 1", "body 2", "body 9"]);
        let change = |at: usize, seconds: i64| {
            json!({
                "Id": format!("c{at}"), "ReceiptHandle": messages[at]["ReceiptHandle"],
                "VisibilityTimeout": seconds,
            })
        };
        let mut entries = vec![
            change(0, 60),
            change(1, 43_201),
            change(2, -1),
            change(3, 0),
        ];
        entries.push(json!({"Id": "r", "ReceiptHandle": "rubbish", "VisibilityTimeout": 1}));
        let changes = json!({"QueueUrl": url, "Entries": entries});
        let answer = client.ok("ChangeMessageVisibilityBatch", changes).await;
        assert_eq!(successful(&answer), ["c0", "c3"]);
        assert_eq!(
            failed(&answer),
            [
                ("c1", "InvalidParameterValue"),
                ("c2", "InvalidParameterValue"),
                ("r", "ReceiptHandleIsInvalid"),
            ]
        );

        let other = client.queue("other", json!({})).await;
        client.send(&other, "x").await;
        let elsewhere = client.receive(&other, json!({})).await;
        let mut entries: Vec<Value> = (0..4)
            .map(|at| json!({"Id": format!("d{at}"), "ReceiptHandle": messages[at]["ReceiptHandle"]}))
            .collect();
        entries.push(json!({"Id": "r", "ReceiptHandle": "rubbish"}));
        entries.push(json!({"Id": "o", "ReceiptHandle": elsewhere[0]["ReceiptHandle"]}));
        let deletes = json!({"QueueUrl": url, "Entries": entries});
        let answer = client.ok("DeleteMessageBatch", deletes).await;
        assert_eq!(successful(&answer), ["d0", "d1", "d2", "d3"]);
        let code = "ReceiptHandleIsInvalid";
        assert_eq!(failed(&answer), [("r", code), ("o", code)]);
        assert_eq!(
            client.attribute(&url, "ApproximateNumberOfMessages").await,
            "0"
        );
        assert_eq!(
            client
                .attribute(&url, "ApproximateNumberOfMessagesNotVisible")
                .await,
            "0"
        );
        // Only rubbish: nothing is left to decide.
        let deletes = json!({"QueueUrl": url, "Entries": [{"Id": "r", "ReceiptHandle": "x"}]});
        let answer = client.ok("DeleteMessageBatch", deletes).await;
        assert_eq!(failed(&answer), [("r", code)]);
        assert_eq!(answer.get("Successful"), None);
    }
}

#[tokio::test]
async fn a_batch_as_a_whole_is_refused() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let url = client.queue("whole", json!({})).await;
        let entry = |id: &str| {
            json!({
                "Id": id, "MessageBody": "b", "ReceiptHandle": "r", "VisibilityTimeout": 1,
            })
        };
        let many: Vec<Value> = (0..11).map(|n| entry(&format!("e{n}"))).collect();
        for (entries, code) in [
            (json!([]), "EmptyBatchRequest"),
            (json!(many), "TooManyEntriesInBatchRequest"),
            (
                json!([entry("a"), entry("b"), entry("a")]),
                "BatchEntryIdsNotDistinct",
            ),
            (json!([entry("a b")]), "InvalidBatchEntryId"),
            (json!([entry("")]), "InvalidBatchEntryId"),
            (json!([entry(&"x".repeat(81))]), "InvalidBatchEntryId"),
        ] {
            for action in [
                "SendMessageBatch",
                "DeleteMessageBatch",
                "ChangeMessageVisibilityBatch",
            ] {
                let parameters = json!({"QueueUrl": url, "Entries": entries});
                let code = format!("AWS.SimpleQueueService.{code}");
                let refused = client.refused(action, parameters, &code).await;
                assert_eq!(refused.status, 400);
            }
        }
        let half = |id: &str| json!({"Id": id, "MessageBody": "x".repeat(600_000)});
        let long = json!({"QueueUrl": url, "Entries": [half("a"), half("b")]});
        let code = "AWS.SimpleQueueService.BatchRequestTooLong";
        client.refused("SendMessageBatch", long, code).await;
        assert!(client.receive(&url, json!({})).await.is_empty());
    }
}
