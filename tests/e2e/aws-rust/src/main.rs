//! Amazon's SDK for Rust on our queues and topics. The first argument is the endpoint; a scenario
//! that does not go as Amazon documents ends the program with a panic.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use aws_sdk_sqs::config::{Credentials, Region};
use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
    QueueAttributeName, SendMessageBatchRequestEntry,
};
use aws_sdk_sqs::{Client, primitives::Blob};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let endpoint = std::env::args().nth(1).expect("usage: aws-rust ENDPOINT");
    let credentials = || Credentials::new("test", "test", None, None, "static");
    let sqs = aws_sdk_sqs::Config::builder()
        .endpoint_url(&endpoint)
        .region(Region::new("eu-central-1"))
        .credentials_provider(credentials());
    let sqs = Client::from_conf(sqs.build());
    let sns = aws_sdk_sns::Config::builder()
        .endpoint_url(&endpoint)
        .region(aws_sdk_sns::config::Region::new("eu-central-1"))
        .credentials_provider(credentials());
    let sns = aws_sdk_sns::Client::from_conf(sns.build());
    standard_queue(&sqs).await;
    println!("a standard queue: attributes, a batch, visibility, deletion");
    long_poll(&sqs).await;
    println!("a long poll is answered when the message comes");
    fifo_queue(&sqs).await;
    println!("a FIFO queue: order within groups, deduplication");
    dead_letters(&sqs).await;
    println!("dead letters, and their way back");
    topics(&sqs, &sns).await;
    println!("topics: raw, wrapped, filtered");
    errors(&sqs).await;
    println!("errors have the types that the SDK knows");
}

/// A name that no other run has used.
fn fresh(name: &str) -> String {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    format!("rust-{name}-{}", since.as_nanos())
}

async fn create(sqs: &Client, name: &str, attributes: &[(QueueAttributeName, &str)]) -> String {
    let attributes: HashMap<_, _> = attributes
        .iter()
        .map(|(name, value)| (name.clone(), (*value).to_owned()))
        .collect();
    let made = sqs
        .create_queue()
        .queue_name(name)
        .set_attributes((!attributes.is_empty()).then_some(attributes))
        .send()
        .await
        .unwrap();
    made.queue_url.unwrap()
}

async fn attribute(sqs: &Client, url: &str, name: QueueAttributeName) -> String {
    let found = sqs
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(name.clone())
        .send()
        .await
        .unwrap();
    found.attributes.unwrap()[&name].clone()
}

async fn receive(sqs: &Client, url: &str, wait: i32) -> Vec<Message> {
    let answer = sqs
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(10)
        .wait_time_seconds(wait)
        .message_attribute_names("All")
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await
        .unwrap();
    answer.messages.unwrap_or_default()
}

/// As many as there should be, with whatever number of calls.
async fn receive_all(sqs: &Client, url: &str, count: usize) -> Vec<Message> {
    let mut all = Vec::new();
    while all.len() < count {
        let some = receive(sqs, url, 5).await;
        assert!(!some.is_empty(), "{} of {count} came", all.len());
        all.extend(some);
    }
    assert_eq!(all.len(), count);
    all
}

async fn delete(sqs: &Client, url: &str, message: &Message) {
    sqs.delete_message()
        .queue_url(url)
        .receipt_handle(message.receipt_handle().unwrap())
        .send()
        .await
        .unwrap();
}

async fn standard_queue(sqs: &Client) {
    let name = fresh("standard");
    let url = create(sqs, &name, &[(QueueAttributeName::VisibilityTimeout, "7")]).await;
    let found = sqs.get_queue_url().queue_name(&name).send().await.unwrap();
    assert_eq!(found.queue_url.as_deref(), Some(&*url));
    let timeout = attribute(sqs, &url, QueueAttributeName::VisibilityTimeout).await;
    assert_eq!(timeout, "7");
    let number = MessageAttributeValue::builder()
        .data_type("Number.points")
        .string_value("12.5");
    let bytes = MessageAttributeValue::builder()
        .data_type("Binary")
        .binary_value(Blob::new([0, 159, 255]));
    let sent = sqs
        .send_message()
        .queue_url(&url)
        .message_body("도넛 🍩 <&>")
        .message_attributes("points", number.build().unwrap())
        .message_attributes("bytes", bytes.build().unwrap())
        .send()
        .await
        .unwrap();
    let [message] = &receive_all(sqs, &url, 1).await[..] else {
        panic!("there is one");
    };
    assert_eq!(message.body(), Some("도넛 🍩 <&>"));
    assert_eq!(message.message_id(), sent.message_id());
    assert_eq!(message.md5_of_body(), sent.md5_of_message_body());
    assert_eq!(
        message.md5_of_message_attributes(),
        sent.md5_of_message_attributes()
    );
    let attributes = message.message_attributes().unwrap();
    assert_eq!(attributes["points"].string_value(), Some("12.5"));
    assert_eq!(
        attributes["bytes"].binary_value().unwrap().as_ref(),
        [0, 159, 255]
    );
    let system = message.attributes().unwrap();
    let count = &system[&MessageSystemAttributeName::ApproximateReceiveCount];
    assert_eq!(count, "1");
    // Seen again at once, and counted.
    sqs.change_message_visibility()
        .queue_url(&url)
        .receipt_handle(message.receipt_handle().unwrap())
        .visibility_timeout(0)
        .send()
        .await
        .unwrap();
    let again = receive_all(sqs, &url, 1).await;
    let system = again[0].attributes().unwrap();
    let count = &system[&MessageSystemAttributeName::ApproximateReceiveCount];
    assert_eq!(count, "2");
    delete(sqs, &url, &again[0]).await;

    let entry = |number: usize| {
        SendMessageBatchRequestEntry::builder()
            .id(format!("n{number}"))
            .message_body(number.to_string())
            .build()
            .unwrap()
    };
    let batch = sqs
        .send_message_batch()
        .queue_url(&url)
        .set_entries(Some((0..10).map(entry).collect()));
    let batch = batch.send().await.unwrap();
    assert_eq!((batch.successful().len(), batch.failed().len()), (10, 0));
    let all = receive_all(sqs, &url, 10).await;
    let bodies: BTreeSet<&str> = all.iter().filter_map(Message::body).collect();
    assert_eq!(bodies.len(), 10);
    let entry = |(number, message): (usize, &Message)| {
        DeleteMessageBatchRequestEntry::builder()
            .id(format!("d{number}"))
            .receipt_handle(message.receipt_handle().unwrap())
            .build()
            .unwrap()
    };
    let deleted = sqs
        .delete_message_batch()
        .queue_url(&url)
        .set_entries(Some(all.iter().enumerate().map(entry).collect()));
    let deleted = deleted.send().await.unwrap();
    assert_eq!((deleted.successful().len(), deleted.failed().len()), (10, 0));
    for counted in [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    ] {
        assert_eq!(attribute(sqs, &url, counted).await, "0");
    }
    sqs.delete_queue().queue_url(&url).send().await.unwrap();
}

async fn long_poll(sqs: &Client) {
    let url = create(sqs, &fresh("poll"), &[]).await;
    assert_eq!(receive(sqs, &url, 0).await.len(), 0);
    let began = Instant::now();
    let later = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let sent = sqs.send_message().queue_url(&url).message_body("late");
        sent.send().await.unwrap();
    };
    let (found, ()) = tokio::join!(receive(sqs, &url, 20), later);
    assert_eq!(found.len(), 1);
    assert!(began.elapsed() < Duration::from_secs(5), "it waited on");
}

async fn fifo_queue(sqs: &Client) {
    let name = format!("{}.fifo", fresh("order"));
    let url = create(sqs, &name, &[(QueueAttributeName::FifoQueue, "true")]).await;
    let mut sequence = Vec::new();
    for number in 0..6 {
        // Each is sent twice, and taken once.
        for _ in 0..2 {
            let sent = sqs
                .send_message()
                .queue_url(&url)
                .message_body(number.to_string())
                .message_group_id(["a", "b"][number % 2])
                .message_deduplication_id(format!("once-{number}"))
                .send()
                .await
                .unwrap();
            sequence.push(sent.sequence_number().unwrap().parse::<u128>().unwrap());
        }
    }
    sequence.dedup();
    assert_eq!(sequence.len(), 6, "the second has the number of the first");
    assert!(sequence.is_sorted());
    let mut of_group: HashMap<String, Vec<String>> = HashMap::new();
    for _ in 0..6 {
        for message in receive(sqs, &url, 0).await {
            let system = message.attributes().unwrap();
            let group = system[&MessageSystemAttributeName::MessageGroupId].clone();
            let body = message.body().unwrap().to_owned();
            of_group.entry(group).or_default().push(body);
            delete(sqs, &url, &message).await;
        }
    }
    assert_eq!(of_group["a"], ["0", "2", "4"]);
    assert_eq!(of_group["b"], ["1", "3", "5"]);
}

async fn dead_letters(sqs: &Client) {
    let dead = create(sqs, &fresh("dead"), &[]).await;
    let arn = attribute(sqs, &dead, QueueAttributeName::QueueArn).await;
    let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"2"}}"#);
    let url = create(
        sqs,
        &fresh("source"),
        &[
            (QueueAttributeName::RedrivePolicy, &policy),
            (QueueAttributeName::VisibilityTimeout, "0"),
        ],
    )
    .await;
    let sources = sqs.list_dead_letter_source_queues().queue_url(&dead);
    assert_eq!(sources.send().await.unwrap().queue_urls(), [url.clone()]);
    let sent = sqs.send_message().queue_url(&url).message_body("poison");
    sent.send().await.unwrap();
    for _ in 0..2 {
        assert_eq!(receive_all(sqs, &url, 1).await.len(), 1);
    }
    assert_eq!(receive(sqs, &url, 0).await.len(), 0);
    let count = attribute(sqs, &dead, QueueAttributeName::ApproximateNumberOfMessages).await;
    assert_eq!(count, "1");
    let task = sqs.start_message_move_task().source_arn(&arn);
    task.send().await.unwrap();
    let back = receive_all(sqs, &url, 1).await;
    assert_eq!(back[0].body(), Some("poison"));
    let tasks = sqs.list_message_move_tasks().source_arn(&arn);
    let tasks = tasks.send().await.unwrap();
    assert_eq!(tasks.results()[0].status(), Some("COMPLETED"));
}

async fn topics(sqs: &Client, sns: &aws_sdk_sns::Client) {
    let topic = sns.create_topic().name(fresh("topic")).send().await.unwrap();
    let topic = topic.topic_arn().unwrap();
    let mut queues = Vec::new();
    for (name, raw, filter) in [
        ("raw", "true", None),
        ("wrapped", "false", None),
        ("filtered", "true", Some(r#"{"kind":["good"]}"#)),
    ] {
        let url = create(sqs, &fresh(name), &[]).await;
        let arn = attribute(sqs, &url, QueueAttributeName::QueueArn).await;
        let mut subscribe = sns
            .subscribe()
            .topic_arn(topic)
            .protocol("sqs")
            .endpoint(arn)
            .attributes("RawMessageDelivery", raw);
        if let Some(filter) = filter {
            subscribe = subscribe.attributes("FilterPolicy", filter);
        }
        subscribe.send().await.unwrap();
        queues.push(url);
    }
    for kind in ["bad", "good"] {
        let value = aws_sdk_sns::types::MessageAttributeValue::builder()
            .data_type("String")
            .string_value(kind);
        sns.publish()
            .topic_arn(topic)
            .message(format!("a {kind} one"))
            .message_attributes("kind", value.build().unwrap())
            .send()
            .await
            .unwrap();
    }
    let bodies = async |url: &str, count| {
        let all = receive_all(sqs, url, count).await;
        let bodies = all.iter().filter_map(Message::body).map(str::to_owned);
        bodies.collect::<BTreeSet<_>>()
    };
    let both = BTreeSet::from(["a bad one", "a good one"].map(str::to_owned));
    assert_eq!(bodies(&queues[0], 2).await, both);
    for wrapped in bodies(&queues[1], 2).await {
        assert!(wrapped.contains(r#""Type" : "Notification""#), "{wrapped}");
        assert!(wrapped.contains(topic), "{wrapped}");
    }
    let one = BTreeSet::from(["a good one".to_owned()]);
    assert_eq!(bodies(&queues[2], 1).await, one);
    assert_eq!(receive(sqs, &queues[2], 0).await.len(), 0);
}

async fn errors(sqs: &Client) {
    let missing = sqs.get_queue_url().queue_name(fresh("missing")).send();
    let error = missing.await.unwrap_err().into_service_error();
    assert!(error.is_queue_does_not_exist(), "{error:?}");
    let url = create(sqs, &fresh("errors"), &[]).await;
    let handle = sqs.delete_message().queue_url(&url).receipt_handle("no handle");
    let error = handle.send().await.unwrap_err().into_service_error();
    assert!(error.is_receipt_handle_is_invalid(), "{error:?}");
    let entry = |id: &str| {
        SendMessageBatchRequestEntry::builder()
            .id(id)
            .message_body("twice")
            .build()
            .unwrap()
    };
    let twice = sqs.send_message_batch().queue_url(&url);
    let twice = twice.entries(entry("one")).entries(entry("one")).send();
    let error = twice.await.unwrap_err().into_service_error();
    assert!(error.is_batch_entry_ids_not_distinct(), "{error:?}");
    let late = sqs.send_message().queue_url(&url).message_body("m");
    let error = late.delay_seconds(901).send().await.unwrap_err();
    let error = error.into_service_error();
    assert_eq!(error.code(), Some("InvalidParameterValue"), "{error:?}");
}
