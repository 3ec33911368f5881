//! Queues are made, found, changed, tagged, listed, emptied and deleted.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::client::{Client, WIRES, Wire};
use crate::harness::{Settings, Shop};

#[tokio::test]
async fn a_queue_from_its_making_to_its_end() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let name = client.name("orders");
        let attributes = json!({"VisibilityTimeout": "7", "DelaySeconds": "1"});
        let url = client.queue("orders", attributes.clone()).await;
        assert_eq!(
            url,
            format!("http://{}/000000000000/{name}", shop.aws_address)
        );
        // Again, with what it has: the same queue.
        assert_eq!(client.queue("orders", attributes).await, url);
        assert_eq!(client.queue("orders", json!({})).await, url);
        let other = json!({"QueueName": name, "Attributes": {"DelaySeconds": "2"}});
        let refused = client
            .refused("CreateQueue", other, "QueueAlreadyExists")
            .await;
        assert!(
            refused.message.ends_with("for attribute DelaySeconds"),
            "{refused:?}"
        );

        let found = client.ok("GetQueueUrl", json!({"QueueName": name})).await;
        assert_eq!(found["QueueUrl"], url);
        let owned = json!({"QueueName": name, "QueueOwnerAWSAccountId": "000000000000"});
        assert_eq!(client.ok("GetQueueUrl", owned).await["QueueUrl"], url);

        assert_eq!(
            client.ok("DeleteQueue", json!({"QueueUrl": url})).await,
            json!({})
        );
        let gone = "AWS.SimpleQueueService.NonExistentQueue";
        client
            .refused("GetQueueUrl", json!({"QueueName": name}), gone)
            .await;
        client
            .refused("DeleteQueue", json!({"QueueUrl": url}), gone)
            .await;
        // It may be made anew at once, with other attributes.
        let attributes = json!({"VisibilityTimeout": "9"});
        assert_eq!(client.queue("orders", attributes).await, url);
        assert_eq!(client.attribute(&url, "VisibilityTimeout").await, "9");
    }
}

#[tokio::test]
async fn a_deleted_name_rests_for_a_minute_when_that_is_set() {
    let settings = Settings::new().set("AWS__QUEUE_DELETED_RECENTLY", true);
    let mut shop = Shop::start(settings).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let url = client.queue("rests", json!({})).await;
        client.ok("DeleteQueue", json!({"QueueUrl": url})).await;
        let again = json!({"QueueName": client.name("rests")});
        let code = "AWS.SimpleQueueService.QueueDeletedRecently";
        let refused = client.refused("CreateQueue", again, code).await;
        assert_eq!(refused.status, 400);
        if let Some(shape) = &refused.shape {
            assert_eq!(shape, "QueueDeletedRecently");
        }
        client.queue("another", json!({})).await;
    }
    // It is not on disk.
    shop.kill();
    shop.restart().await;
    for wire in WIRES {
        Client::new(&shop, wire).queue("rests", json!({})).await;
    }
}

#[tokio::test]
async fn attributes_are_set_and_returned() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let url = client.queue("attributes", json!({})).await;
        let dead = client.queue("dead", json!({})).await;
        let arn = client.arn(&dead).await;
        assert_eq!(
            arn,
            format!("arn:aws:sqs:us-east-1:000000000000:{}", client.name("dead"))
        );

        let all = json!({"QueueUrl": url, "AttributeNames": ["All"]});
        let before = client.ok("GetQueueAttributes", all.clone()).await["Attributes"].clone();
        for (name, value) in [
            ("VisibilityTimeout", "30"),
            ("DelaySeconds", "0"),
            ("ReceiveMessageWaitTimeSeconds", "0"),
            ("MessageRetentionPeriod", "345600"),
            ("MaximumMessageSize", "1048576"),
            ("ApproximateNumberOfMessages", "0"),
            ("ApproximateNumberOfMessagesNotVisible", "0"),
            ("ApproximateNumberOfMessagesDelayed", "0"),
            ("SqsManagedSseEnabled", "false"),
        ] {
            assert_eq!(before[name], value, "{name}");
        }
        assert_eq!(before["CreatedTimestamp"], before["LastModifiedTimestamp"]);
        assert_eq!(
            before["CreatedTimestamp"].as_str().unwrap().len(),
            10,
            "seconds"
        );
        for absent in ["FifoQueue", "RedrivePolicy", "Policy", "KmsMasterKeyId"] {
            assert_eq!(before.get(absent), None, "{absent}");
        }

        let redrive = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":3}}"#);
        let allow = format!(
            r#"{{"redrivePermission":"byQueue","sourceQueueArns":["{}"]}}"#,
            client.arn(&url).await
        );
        let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
        let sent = json!({
            "VisibilityTimeout": "43200", "DelaySeconds": "900",
            "ReceiveMessageWaitTimeSeconds": "20", "MessageRetentionPeriod": "60",
            "MaximumMessageSize": "1024", "Policy": policy,
            "RedrivePolicy": redrive, "KmsMasterKeyId": "alias/aws/sqs",
        });
        let set = json!({"QueueUrl": url, "Attributes": sent});
        assert_eq!(client.ok("SetQueueAttributes", set).await, json!({}));
        let set = json!({"QueueUrl": dead, "Attributes": {"RedriveAllowPolicy": allow}});
        client.ok("SetQueueAttributes", set).await;
        let after = client.ok("GetQueueAttributes", all).await["Attributes"].clone();
        for (name, value) in sent.as_object().unwrap() {
            assert_eq!(&after[name], value, "{name}");
        }
        assert_eq!(after["KmsDataKeyReusePeriodSeconds"], "300");
        assert_eq!(client.attribute(&dead, "RedriveAllowPolicy").await, allow);

        let cleared = json!({"Policy": "", "RedrivePolicy": "", "KmsMasterKeyId": ""});
        let set = json!({"QueueUrl": url, "Attributes": cleared});
        client.ok("SetQueueAttributes", set).await;
        for name in cleared.as_object().unwrap().keys() {
            assert_eq!(client.attribute(&url, name).await, Value::Null, "{name}");
        }
        // Nothing was asked for.
        let none = client
            .ok("GetQueueAttributes", json!({"QueueUrl": url}))
            .await;
        assert_eq!(none, json!({}));
    }
}

#[tokio::test]
async fn a_dead_letter_queue_says_who_may_use_it() {
    let shop = Shop::start(Settings::new()).await;
    let client = Client::new(&shop, WIRES[0]);
    let dead = client.queue("dead", json!({})).await;
    let arn = client.arn(&dead).await;
    let policy = |arn: &str| json!({"deadLetterTargetArn": arn, "maxReceiveCount": 1}).to_string();
    let create = |name: &str, arn: &str| json!({"QueueName": client.name(name), "Attributes": {"RedrivePolicy": policy(arn)}});
    let deny = json!({"RedriveAllowPolicy": r#"{"redrivePermission":"denyAll"}"#});
    let set = json!({"QueueUrl": dead, "Attributes": deny});
    client.ok("SetQueueAttributes", set).await;
    let fifo = client
        .queue("dead.fifo", json!({"FifoQueue": "true"}))
        .await;
    let fifo_arn = client.arn(&fifo).await;
    let elsewhere = arn.replace("000000000000", "333333333333");
    let nowhere = format!("{arn}-nowhere");
    for arn in [&arn, &fifo_arn, &elsewhere, &nowhere, &"dead".to_owned()] {
        let refused = client.refused("CreateQueue", create("a", arn), "InvalidParameterValue");
        assert!(refused.await.message.contains("RedrivePolicy"), "{arn}");
    }
    let allow = json!({"RedriveAllowPolicy": r#"{"redrivePermission":"allowAll"}"#});
    let set = json!({"QueueUrl": dead, "Attributes": allow});
    client.ok("SetQueueAttributes", set).await;
    client.ok("CreateQueue", create("a", &arn)).await;

    // Who uses it, by page.
    client.ok("CreateQueue", create("b", &arn)).await;
    let mut listed = Vec::new();
    let mut parameters = json!({"QueueUrl": dead, "MaxResults": 1});
    loop {
        let page = client
            .ok("ListDeadLetterSourceQueues", parameters.clone())
            .await;
        let urls = page["queueUrls"].as_array().unwrap();
        assert_eq!(urls.len(), 1);
        listed.push(urls[0].as_str().unwrap().to_owned());
        match page.get("NextToken") {
            Some(token) => parameters["NextToken"] = token.clone(),
            None => break,
        }
    }
    let url = |name: &str| dead.replace(&client.name("dead"), &client.name(name));
    assert_eq!(listed, [url("a"), url("b")]);
    let none = json!({"QueueUrl": url("a")});
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let all = client
            .ok("ListDeadLetterSourceQueues", json!({"QueueUrl": dead}))
            .await;
        assert_eq!(all, json!({"queueUrls": [url("a"), url("b")]}));
    }
    let listed = client.ok("ListDeadLetterSourceQueues", none).await;
    assert_eq!(
        listed,
        json!({"queueUrls": []}),
        "the one list that is never left out"
    );
}

#[tokio::test]
async fn queues_are_listed_by_prefix_and_page() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let mut urls = Vec::new();
        for n in 0..5 {
            urls.push(client.queue(&format!("list-{n}"), json!({})).await);
        }
        let prefix = client.name("list-");
        let all = client
            .ok("ListQueues", json!({"QueueNamePrefix": prefix}))
            .await;
        assert_eq!(all, json!({"QueueUrls": urls}));
        let mut parameters = json!({"QueueNamePrefix": prefix, "MaxResults": 2});
        let mut pages = Vec::new();
        loop {
            let page = client.ok("ListQueues", parameters.clone()).await;
            pages.push(page["QueueUrls"].as_array().unwrap().clone());
            match page.get("NextToken") {
                Some(token) => parameters["NextToken"] = token.clone(),
                None => break,
            }
        }
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
        assert_eq!(pages.concat(), urls);
        let nothing = json!({"QueueNamePrefix": "nothing-"});
        assert_eq!(client.ok("ListQueues", nothing).await, json!({}));
        // The shop's own belong to the default account, and so are there.
        let own = client
            .ok("ListQueues", json!({"QueueNamePrefix": "replenishment"}))
            .await;
        assert_eq!(own["QueueUrls"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn tags_are_added_and_taken_away() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let name = client.name("tagged");
        let create = json!({"QueueName": name, "tags": {"team": "sales"}});
        let url = client.ok("CreateQueue", create).await["QueueUrl"].clone();
        let list = || client.ok("ListQueueTags", json!({"QueueUrl": url}));
        assert_eq!(list().await, json!({"Tags": {"team": "sales"}}));
        let tag = json!({"QueueUrl": url, "Tags": {"team": "returns", "cost": ""}});
        assert_eq!(client.ok("TagQueue", tag).await, json!({}));
        assert_eq!(
            list().await,
            json!({"Tags": {"team": "returns", "cost": ""}})
        );
        let untag = json!({"QueueUrl": url, "TagKeys": ["cost", "never there"]});
        assert_eq!(client.ok("UntagQueue", untag).await, json!({}));
        assert_eq!(list().await, json!({"Tags": {"team": "returns"}}));
        let untag = json!({"QueueUrl": url, "TagKeys": ["team"]});
        client.ok("UntagQueue", untag).await;
        assert_eq!(list().await, json!({}));
    }
}

#[tokio::test]
async fn a_queue_is_purged_once_a_minute() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let url = client.queue("purged", json!({})).await;
        for body in ["a", "b"] {
            client.send(&url, body).await;
        }
        let held = client
            .receive(&url, json!({"MaxNumberOfMessages": 1}))
            .await;
        assert_eq!(
            client.ok("PurgeQueue", json!({"QueueUrl": url})).await,
            json!({})
        );
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
        assert!(client.receive(&url, json!({})).await.is_empty());
        client.delete(&url, &held[0]).await;
        let code = "AWS.SimpleQueueService.PurgeQueueInProgress";
        let refused = client
            .refused("PurgeQueue", json!({"QueueUrl": url}), code)
            .await;
        assert_eq!(refused.status, 403);
        assert!(
            refused.message.contains(&client.name("purged")),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn the_shops_own_queues_cannot_be_broken() {
    let shop = Shop::start(Settings::new()).await;
    let client = Client::new(&shop, Wire::Json);
    let redrive = |dead: &str, count: u32| {
        let arn = format!("arn:aws:sqs:eu-central-1:000000000000:{dead}");
        json!({"deadLetterTargetArn": arn, "maxReceiveCount": count}).to_string()
    };
    let mut seen = BTreeSet::new();
    for (name, dead) in [
        ("replenishment", "replenishment-dlq"),
        ("bids.fifo", "bids-dlq.fifo"),
        ("sns-deliveries", "sns-deliveries-dlq"),
        ("sns-fan-out", "sns-deliveries-dlq"),
    ] {
        for queue in [name, dead] {
            if !seen.insert(queue) {
                continue;
            }
            let url = json!({"QueueUrl": format!("/000000000000/{queue}")});
            let refused = client
                .refused("DeleteQueue", url.clone(), "AccessDenied")
                .await;
            assert_eq!(refused.status, 403);
            assert!(refused.message.contains(queue), "{}", refused.message);
            // What is in it is the operator's.
            client.ok("PurgeQueue", url.clone()).await;
            let set =
                |attributes: Value| json!({"QueueUrl": url["QueueUrl"], "Attributes": attributes});
            for (attribute, value) in [
                ("DelaySeconds", "900"),
                ("MaximumMessageSize", "1024"),
                ("ReceiveMessageWaitTimeSeconds", "1"),
                ("RedriveAllowPolicy", r#"{"redrivePermission":"denyAll"}"#),
                (
                    "RedrivePolicy",
                    &redrive(if queue == name { queue } else { name }, 3),
                ),
                ("KmsMasterKeyId", "key"),
            ] {
                let attributes = json!({"VisibilityTimeout": "40", attribute: value});
                let refused = client
                    .refused("SetQueueAttributes", set(attributes), "AccessDenied")
                    .await;
                assert!(refused.message.contains(attribute) || attribute == "KmsMasterKeyId");
            }
            let allowed = json!({"VisibilityTimeout": "45", "MessageRetentionPeriod": "86400"});
            client.ok("SetQueueAttributes", set(allowed)).await;
            let now = client.attribute(url["QueueUrl"].as_str().unwrap(), "VisibilityTimeout");
            assert_eq!(now.await, "45", "and nothing of what was refused");
        }
        let url = format!("/000000000000/{name}");
        let set =
            |policy: String| json!({"QueueUrl": url, "Attributes": {"RedrivePolicy": policy}});
        client
            .refused("SetQueueAttributes", set(String::new()), "AccessDenied")
            .await;
        client.ok("SetQueueAttributes", set(redrive(dead, 7))).await;
    }
    // Anybody else's are as they were.
    let made = client.ok("CreateQueue", json!({"QueueName": "jobs"})).await;
    client
        .ok("DeleteQueue", json!({"QueueUrl": made["QueueUrl"]}))
        .await;
}
