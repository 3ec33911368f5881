use crate::config::{Config, ConfigError, Flags, load};

fn from_toml(text: &str) -> Result<Config, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("firstcome.toml");
    std::fs::write(&file, text).unwrap();
    load(Some(&file), &Flags::default())
}

fn queue(fields: &str) -> String {
    format!("[[queues]]\nname = \"jobs\"\n[queues.attributes]\n{fields}")
}

fn topic(fields: &str) -> String {
    format!("[[topics]]\nname = \"news\"\n{fields}")
}

#[test]
fn a_wrong_declaration_is_refused_with_its_name() {
    for (text, name) in [
        ("[[queues]]".to_owned(), "queues.0.name"),
        ("[[queues]]\nname = \"a b\"".to_owned(), "queues.0.name"),
        (
            "[[queues]]\nname = \"a\"\nsize = 1".to_owned(),
            "queues.0.size",
        ),
        (
            "[[queues]]\nname = \"replenishment\"".to_owned(),
            "queues.0.name",
        ),
        (
            "[[queues]]\nname = \"a\"\n[[queues]]\nname = \"a\"".to_owned(),
            "queues.1.name",
        ),
        (
            queue("VisibilityTimeot = 1"),
            "queues.0.attributes.VisibilityTimeot",
        ),
        (
            queue("VisibilityTimeout = 43201"),
            "queues.0.attributes.VisibilityTimeout",
        ),
        (
            queue("DelaySeconds = \"soon\""),
            "queues.0.attributes.DelaySeconds",
        ),
        (
            queue("DelaySeconds = -1"),
            "queues.0.attributes.DelaySeconds",
        ),
        (queue("FifoQueue = true"), "queues.0.attributes.FifoQueue"),
        (queue("FifoQueue = 1"), "queues.0.attributes.FifoQueue"),
        (
            queue("ContentBasedDeduplication = true"),
            "queues.0.attributes.ContentBasedDeduplication",
        ),
        (
            queue("RedrivePolicy = \"{}\""),
            "queues.0.attributes.RedrivePolicy",
        ),
        (
            queue("RedrivePolicy = {deadLetterTargetArn = \"d\", maxReceiveCount = 1001}"),
            "queues.0.attributes.RedrivePolicy",
        ),
        (
            queue("RedriveAllowPolicy = {redrivePermission = \"some\"}"),
            "queues.0.attributes.RedriveAllowPolicy",
        ),
        (queue("Policy = \"[]\""), "queues.0.attributes.Policy"),
        (queue("Policy = 1"), "queues.0.attributes.Policy"),
        (
            topic("attributes = {Name = \"x\"}"),
            "topics.0.attributes.Name",
        ),
        (
            topic("attributes = {ContentBasedDeduplication = true}"),
            "topics.0.attributes",
        ),
        (
            topic("attributes = {FifoTopic = true}"),
            "topics.0.attributes.FifoTopic",
        ),
        (
            topic("subscriptions = [{raw = true}]"),
            "topics.0.subscriptions.0.queue",
        ),
        (
            topic("subscriptions = [{queue = \"a.fifo\"}]"),
            "topics.0.subscriptions.0.queue",
        ),
        (
            topic("subscriptions = [{queue = \"a\"}, {queue = \"arn:aws:sqs:r:1:a\"}]"),
            "topics.0.subscriptions.1.queue",
        ),
        (
            topic("subscriptions = [{queue = \"a\", filter_policy = {a = 1}}]"),
            "topics.0.subscriptions.0.filter_policy",
        ),
        (
            topic("subscriptions = [{queue = \"a\", filter_policy_scope = \"Body\"}]"),
            "topics.0.subscriptions.0.filter_policy_scope",
        ),
        (
            topic("subscriptions = [{queue = \"a\", dead_letter_queue = \"d.fifo\"}]"),
            "topics.0.subscriptions.0.dead_letter_queue",
        ),
    ] {
        let error = from_toml(&text).unwrap_err();
        assert_eq!(error.name, name, "{text}: {error}");
    }
}

#[test]
fn numbers_and_tables_may_be_texts() {
    let natural = from_toml(&queue(
        "VisibilityTimeout = 60\n\
         RedrivePolicy = {deadLetterTargetArn = \"dead\", maxReceiveCount = 3}",
    ));
    let texts = from_toml(&queue(
        "VisibilityTimeout = \"60\"\nRedrivePolicy = \
         '{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:dead\",\
         \"maxReceiveCount\":\"3\"}'",
    ));
    let settings = |config: Config| config.queues[0].settings().unwrap();
    let natural = settings(natural.unwrap());
    assert_eq!(natural, settings(texts.unwrap()));
    let redrive = natural.redrive.unwrap().unwrap();
    assert_eq!(redrive.dead_letter_queue, "dead");
    assert_eq!(natural.delay_s, None, "what is not named is not touched");
    let gone = settings(from_toml(&queue("RedrivePolicy = \"\"")).unwrap());
    assert_eq!(gone.redrive, Some(None));
}

#[test]
fn the_name_says_of_which_kind_it_is() {
    let config = from_toml("[[queues]]\nname = \"a.fifo\"\n[[topics]]\nname = \"t.fifo\"").unwrap();
    assert_eq!(config.queues[0].settings().unwrap().fifo, Some(true));
    assert_eq!(config.topics[0].settings().unwrap().fifo, Some(true));
}

#[test]
fn the_example_of_the_documentation_can_be_had() {
    let page = include_str!("../../../../docs/OPERATIONS.md");
    let (_, rest) = page
        .split_once("```toml\n[[queues]]")
        .expect("it has an example");
    let (example, _) = rest.split_once("```").expect("it ends");
    let config = from_toml(&format!("[[queues]]{example}")).unwrap();
    assert!(config.queues.len() >= 2);
    assert!(!config.topics.is_empty());
}
