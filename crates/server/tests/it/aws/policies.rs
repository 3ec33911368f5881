//! What one account lets another do.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::client::{Client, WIRES, Wire, bodies};
use crate::harness::{Settings, Shop};

/// A policy has room for no more.
const STATEMENTS_MAX: usize = 20;

#[tokio::test]
async fn another_account_may_what_the_policy_says() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let owner = Client::new(&shop, wire).account("111111111111");
        let guest = owner.account("222222222222");
        let third = owner.account("333333333333");
        let url = owner.queue("shared", json!({})).await;
        assert!(url.contains("/111111111111/"), "{url}");
        let send = json!({"QueueUrl": url, "MessageBody": "from the guest"});
        let denied = guest
            .refused("SendMessage", send.clone(), "AccessDenied")
            .await;
        assert_eq!(denied.status, 403);
        assert!(denied.message.contains("sqs:sendmessage"), "{denied:?}");

        let label = json!({
            "QueueUrl": url, "Label": "guests", "AWSAccountIds": ["222222222222"],
            "Actions": ["SendMessage", "GetQueueUrl"],
        });
        guest
            .refused("AddPermission", label.clone(), "AccessDenied")
            .await;
        assert_eq!(owner.ok("AddPermission", label.clone()).await, json!({}));
        owner
            .refused("AddPermission", label, "InvalidParameterValue")
            .await;
        guest.ok("SendMessage", send.clone()).await;
        let entry = json!({"Id": "a", "MessageBody": "in a batch"});
        let batch = json!({"QueueUrl": url, "Entries": [entry]});
        guest.ok("SendMessageBatch", batch).await;
        guest
            .refused("ReceiveMessage", json!({"QueueUrl": url}), "AccessDenied")
            .await;
        third
            .refused("SendMessage", send.clone(), "AccessDenied")
            .await;
        let name = json!({
            "QueueName": owner.name("shared"), "QueueOwnerAWSAccountId": "111111111111",
        });
        assert_eq!(guest.ok("GetQueueUrl", name.clone()).await["QueueUrl"], url);
        third.refused("GetQueueUrl", name, "AccessDenied").await;
        // It is no queue of the guest's own, nor of the default account.
        let default = Client::new(&shop, wire);
        let own = json!({"QueueName": owner.name("shared")});
        let gone = "AWS.SimpleQueueService.NonExistentQueue";
        default.refused("GetQueueUrl", own, gone).await;
        let own = json!({"QueueName": owner.name("shared")});
        guest
            .refused(
                "GetQueueUrl",
                own,
                "AWS.SimpleQueueService.NonExistentQueue",
            )
            .await;
        let prefix = json!({"QueueNamePrefix": owner.name("shared")});
        assert_eq!(guest.ok("ListQueues", prefix.clone()).await, json!({}));
        assert_eq!(
            owner.ok("ListQueues", prefix).await["QueueUrls"],
            json!([url])
        );

        let messages = owner.receive(&url, json!({})).await;
        let mut received = bodies(&messages);
        received.sort_unstable();
        assert_eq!(received, ["from the guest", "in a batch"]);
        assert_eq!(messages[0]["Attributes"]["SenderId"], "222222222222");

        // What only the owner may do, no policy gives away.
        let everything = json!({
            "Version": "2012-10-17",
            "Statement": [
                {"Sid": "all", "Effect": "Allow", "Principal": "*", "Action": "SQS:*", "Resource": "*"},
                {
                    "Sid": "not", "Effect": "Deny", "Principal": {"AWS": "333333333333"},
                    "Action": "SQS:ReceiveMessage", "Resource": "*",
                },
            ],
        });
        let set = json!({"QueueUrl": url, "Attributes": {"Policy": everything.to_string()}});
        guest
            .refused("SetQueueAttributes", set.clone(), "AccessDenied")
            .await;
        owner.ok("SetQueueAttributes", set.clone()).await;
        third.ok("SendMessage", send.clone()).await;
        third
            .refused("ReceiveMessage", json!({"QueueUrl": url}), "AccessDenied")
            .await;
        assert_eq!(guest.receive(&url, json!({})).await.len(), 1);
        for action in ["DeleteQueue", "ListQueueTags"] {
            guest
                .refused(action, json!({"QueueUrl": url}), "AccessDenied")
                .await;
        }
        guest
            .refused("SetQueueAttributes", set, "AccessDenied")
            .await;
        let remove = |label: &str| json!({"QueueUrl": url, "Label": label});
        assert_eq!(owner.ok("RemovePermission", remove("all")).await, json!({}));
        owner.ok("RemovePermission", remove("not")).await;
        guest.refused("SendMessage", send, "AccessDenied").await;
        let policy = owner.attribute(&url, "Policy").await;
        assert_eq!(policy, Value::Null);
    }
}

#[tokio::test]
async fn a_name_is_one_accounts_alone() {
    let shop = Shop::start(Settings::new()).await;
    let first = Client::new(&shop, Wire::Json).account("111111111111");
    let second = first.account("222222222222");
    let url = first.queue("taken", json!({})).await;
    let create = json!({"QueueName": first.name("taken")});
    second
        .refused("CreateQueue", create, "QueueAlreadyExists")
        .await;
    // The URL says whose it is; the default account stands for any.
    let gone = "AWS.SimpleQueueService.NonExistentQueue";
    let wrong = json!({"QueueUrl": url.replace("111111111111", "222222222222")});
    second.refused("ReceiveMessage", wrong, gone).await;
    let default = url.replace("111111111111", "000000000000");
    assert!(first.receive(&default, json!({})).await.is_empty());
}

/// Labels of one kind, half as many as a policy has room for.
fn labels(kind: &str) -> Vec<String> {
    let numbers = 0..STATEMENTS_MAX / 2;
    numbers.map(|number| format!("{kind}-{number}")).collect()
}

/// All at once; how many were done.
async fn edit(owner: &Client, url: &str, action: &str, labels: &[String]) -> usize {
    let asked = labels.iter().map(|label| {
        let parameters = match action {
            "AddPermission" => json!({
                "QueueUrl": url, "Label": label, "AWSAccountIds": ["222222222222"],
                "Actions": ["SendMessage"],
            }),
            _ => json!({"QueueUrl": url, "Label": label}),
        };
        owner.call(action, parameters)
    });
    let answers = join_all(asked).await;
    answers.iter().filter(|answer| answer.is_ok()).count()
}

#[tokio::test]
async fn statements_that_come_and_go_at_once_take_nothing_of_each_other() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let owner = Client::new(&shop, wire).account("111111111111");
        let url = owner.queue("at-once", json!({})).await;
        let (old, new) = (labels("old"), labels("new"));
        // Twice each: one of the two is told that it is there.
        let twice = [old.clone(), old.clone()].concat();
        let added = edit(&owner, &url, "AddPermission", &twice).await;
        assert_eq!(added, old.len());
        let (added, removed) = tokio::join!(
            edit(&owner, &url, "AddPermission", &new),
            edit(&owner, &url, "RemovePermission", &old),
        );
        assert_eq!((added, removed), (new.len(), old.len()));
        let policy = owner.attribute(&url, "Policy").await;
        let policy: Value = serde_json::from_str(policy.as_str().unwrap()).unwrap();
        let statements = policy["Statement"].as_array().unwrap().iter();
        let mut left: Vec<&str> = statements
            .map(|statement| statement["Sid"].as_str().unwrap())
            .collect();
        left.sort_unstable();
        assert_eq!(left, new);
        // So many come in as there is room for.
        let more = [labels("more"), labels("most")].concat();
        let added = edit(&owner, &url, "AddPermission", &more).await;
        assert_eq!(added, STATEMENTS_MAX - new.len());
        let one_more = json!({
            "QueueUrl": url, "Label": "one-more", "AWSAccountIds": ["222222222222"],
            "Actions": ["SendMessage"],
        });
        owner.refused("AddPermission", one_more, "OverLimit").await;
    }
}
