//! Every error: its code, its status, its shape in JSON, its words where they are known.

use serde_json::{Value, json};

use super::client::{Client, WIRES, Wire};
use crate::harness::{Settings, Shop};

const PREFIX: &str = "AWS.SimpleQueueService.";

/// What is asked for, and what the answer must be: code, status, shape.
type Row = (&'static str, Value, &'static str, u16, &'static str);

fn table(url: &str, handle: &str) -> Vec<Row> {
    let with = |more: Value| {
        let mut parameters = json!({"QueueUrl": url});
        for (name, value) in more.as_object().unwrap() {
            parameters[name] = value.clone();
        }
        parameters
    };
    let set = |name: &str, value: &str| with(json!({"Attributes": {name: value}}));
    let send = |more: Value| {
        let mut parameters = with(json!({"MessageBody": "x"}));
        for (name, value) in more.as_object().unwrap() {
            parameters[name] = value.clone();
        }
        parameters
    };
    let attribute = |data_type: &str, value: &str| {
        send(json!({"MessageAttributes": {"a": {"DataType": data_type, "StringValue": value}}}))
    };
    let named = |name: &str| json!({"QueueName": name});
    let change = |handle: &str, seconds: i64| {
        with(json!({"ReceiptHandle": handle, "VisibilityTimeout": seconds}))
    };
    let invalid = (
        "InvalidParameterValue",
        400,
        "InvalidParameterValueException",
    );
    let missing = ("MissingParameter", 400, "MissingRequiredParameterException");
    let no_name = ("InvalidAttributeName", 400, "InvalidAttributeName");
    let no_value = ("InvalidAttributeValue", 400, "InvalidAttributeValue");
    let contents = ("InvalidMessageContents", 400, "InvalidMessageContents");
    let handle_invalid = ("ReceiptHandleIsInvalid", 400, "ReceiptHandleIsInvalid");
    let gone = ("NonExistentQueue", 400, "QueueDoesNotExist");
    let address = ("InvalidAddress", 400, "InvalidAddress");
    let nowhere = format!("{url}-nowhere");
    let rows = vec![
        // Queues.
        (
            "SendMessage",
            json!({"QueueUrl": nowhere, "MessageBody": "x"}),
            gone,
        ),
        ("ReceiveMessage", json!({"QueueUrl": nowhere}), gone),
        ("DeleteQueue", json!({"QueueUrl": nowhere}), gone),
        ("GetQueueUrl", named("nowhere"), gone),
        ("ReceiveMessage", json!({"QueueUrl": "rubbish"}), address),
        ("ReceiveMessage", json!({}), missing),
        ("CreateQueue", json!({}), missing),
        ("CreateQueue", named("has space"), invalid),
        ("CreateQueue", named("has.dot"), invalid),
        ("CreateQueue", named(&"x".repeat(81)), invalid),
        ("CreateQueue", named("named.fifo"), invalid),
        (
            "CreateQueue",
            json!({"QueueName": "plain", "Attributes": {"FifoQueue": "true"}}),
            invalid,
        ),
        (
            "CreateQueue",
            json!({"QueueName": "plain", "Attributes": {"FifoQueue": "false"}}),
            no_name,
        ),
        // Attributes.
        ("SetQueueAttributes", with(json!({})), missing),
        ("SetQueueAttributes", set("Nonsense", "1"), no_name),
        ("SetQueueAttributes", set("QueueArn", "x"), no_name),
        (
            "SetQueueAttributes",
            set("ContentBasedDeduplication", "true"),
            no_name,
        ),
        ("SetQueueAttributes", set("FifoQueue", "true"), no_name),
        ("SetQueueAttributes", set("FifoQueue", "false"), no_name),
        (
            "SetQueueAttributes",
            set("VisibilityTimeout", "43201"),
            no_value,
        ),
        (
            "SetQueueAttributes",
            set("VisibilityTimeout", "-1"),
            no_value,
        ),
        (
            "SetQueueAttributes",
            set("VisibilityTimeout", "abc"),
            no_value,
        ),
        ("SetQueueAttributes", set("DelaySeconds", "901"), no_value),
        (
            "SetQueueAttributes",
            set("MessageRetentionPeriod", "59"),
            no_value,
        ),
        (
            "SetQueueAttributes",
            set("MaximumMessageSize", "1048577"),
            no_value,
        ),
        (
            "SetQueueAttributes",
            set("ReceiveMessageWaitTimeSeconds", "21"),
            no_value,
        ),
        ("SetQueueAttributes", set("Policy", "{}"), no_value),
        ("SetQueueAttributes", set("RedrivePolicy", "x"), invalid),
        (
            "GetQueueAttributes",
            with(json!({"AttributeNames": ["Nonsense"]})),
            no_name,
        ),
        // Lists and tags.
        ("ListQueues", json!({"MaxResults": 0}), invalid),
        ("ListQueues", json!({"MaxResults": 1001}), invalid),
        ("ListQueues", json!({"NextToken": "!"}), invalid),
        (
            "ListDeadLetterSourceQueues",
            with(json!({"MaxResults": -1})),
            invalid,
        ),
        (
            "TagQueue",
            with(json!({"Tags": {"k".repeat(129): "v"}})),
            invalid,
        ),
        ("UntagQueue", with(json!({})), missing),
        // Messages.
        ("SendMessage", with(json!({})), missing),
        ("SendMessage", with(json!({"MessageBody": ""})), missing),
        (
            "SendMessage",
            with(json!({"MessageBody": "a\u{b}b"})),
            contents,
        ),
        (
            "SendMessage",
            with(json!({"MessageBody": "a\u{fffe}b"})),
            contents,
        ),
        (
            "SendMessage",
            with(json!({"MessageBody": "x".repeat(1_048_577)})),
            invalid,
        ),
        ("SendMessage", send(json!({"DelaySeconds": 901})), invalid),
        ("SendMessage", send(json!({"DelaySeconds": -1})), invalid),
        (
            "SendMessage",
            send(json!({"MessageDeduplicationId": "d"})),
            invalid,
        ),
        ("SendMessage", attribute("Date", "x"), invalid),
        ("SendMessage", attribute("String", ""), invalid),
        ("SendMessage", attribute("Number", "twelve"), invalid),
        ("SendMessage", attribute("", "x"), invalid),
        (
            "ReceiveMessage",
            with(json!({"MaxNumberOfMessages": 0})),
            invalid,
        ),
        (
            "ReceiveMessage",
            with(json!({"MaxNumberOfMessages": 11})),
            invalid,
        ),
        (
            "ReceiveMessage",
            with(json!({"WaitTimeSeconds": 21})),
            invalid,
        ),
        (
            "ReceiveMessage",
            with(json!({"WaitTimeSeconds": -1})),
            invalid,
        ),
        (
            "ReceiveMessage",
            with(json!({"VisibilityTimeout": 43_201})),
            invalid,
        ),
        (
            "ReceiveMessage",
            with(json!({"ReceiveRequestAttemptId": "a"})),
            invalid,
        ),
        (
            "DeleteMessage",
            with(json!({"ReceiptHandle": "rubbish"})),
            handle_invalid,
        ),
        (
            "DeleteMessage",
            with(json!({"ReceiptHandle": handle})),
            handle_invalid,
        ),
        ("DeleteMessage", with(json!({})), missing),
        (
            "ChangeMessageVisibility",
            change("rubbish", 1),
            handle_invalid,
        ),
        ("ChangeMessageVisibility", change(handle, -1), invalid),
        ("ChangeMessageVisibility", change(handle, 43_201), invalid),
        (
            "ChangeMessageVisibility",
            with(json!({"ReceiptHandle": handle})),
            missing,
        ),
        // Permissions.
        (
            "AddPermission",
            with(json!({"Label": "l", "AWSAccountIds": ["1"], "Actions": ["*"]})),
            invalid,
        ),
        (
            "AddPermission",
            with(json!({"Label": "l", "Actions": ["*"]})),
            missing,
        ),
        (
            "RemovePermission",
            with(json!({"Label": "nobody"})),
            invalid,
        ),
        ("AddPermission", eight(url), ("OverLimit", 403, "OverLimit")),
    ];
    let rows = rows.into_iter();
    rows.map(|(action, parameters, (code, status, shape))| {
        (action, parameters, code, status, shape)
    })
    .collect()
}

fn eight(url: &str) -> Value {
    json!({
        "QueueUrl": url, "Label": "l", "AWSAccountIds": ["111111111111"],
        "Actions": ["*", "*", "*", "*", "*", "*", "*", "*"],
    })
}

#[tokio::test]
async fn every_error_has_its_code_status_and_shape() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let url = client.queue("errors", json!({})).await;
        let other = client.queue("other", json!({})).await;
        client.send(&other, "x").await;
        let message = &client.receive(&other, json!({})).await[0];
        let handle = message["ReceiptHandle"].as_str().unwrap();
        for (action, parameters, code, status, shape) in table(&url, handle) {
            let code = if shape == "QueueDoesNotExist" {
                format!("{PREFIX}{code}")
            } else {
                code.to_owned()
            };
            let refused = client.refused(action, parameters.clone(), &code).await;
            let said = format!("{action} {parameters:.200} {refused:?}");
            assert_eq!(refused.status, status, "{said}");
            assert!(refused.sender, "{said}");
            if wire == Wire::Json {
                assert_eq!(refused.shape.as_deref(), Some(shape), "{said}");
            }
        }
        // Nothing of it came about.
        assert!(client.receive(&url, json!({})).await.is_empty());
        assert_eq!(client.attribute(&url, "VisibilityTimeout").await, "30");
        assert_eq!(client.attribute(&url, "Policy").await, Value::Null);
    }
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_told_in_the_words_of_the_protocol() {
    let shop = Shop::start(Settings::new()).await;
    for (wire, words) in [
        (Wire::Json, "The specified queue does not exist."),
        (
            Wire::Query,
            "The specified queue does not exist for this wsdl version.",
        ),
    ] {
        let client = Client::new(&shop, wire);
        let code = "AWS.SimpleQueueService.NonExistentQueue";
        let refused = client
            .refused("GetQueueUrl", json!({"QueueName": "q"}), code)
            .await;
        assert_eq!(refused.message, words);
    }
}

#[tokio::test]
async fn a_queue_made_anew_does_not_know_the_handles_of_the_old_one() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let url = client.queue("anew", json!({})).await;
        client.send(&url, "old").await;
        let old = client.receive(&url, json!({})).await;
        client.ok("DeleteQueue", json!({"QueueUrl": url})).await;
        client.queue("anew", json!({})).await;
        client.send(&url, "new").await;
        let delete = json!({"QueueUrl": url, "ReceiptHandle": old[0]["ReceiptHandle"]});
        client
            .refused("DeleteMessage", delete, "ReceiptHandleIsInvalid")
            .await;
        assert_eq!(client.receive(&url, json!({})).await.len(), 1);
    }
}
