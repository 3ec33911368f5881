//! `queues peek`, `queues send` and `queues receive`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;

use clap::{Args, value_parser};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::client::{Ask, Client, Trouble};
use super::table::{Align, Table, one_line, plain};
use super::{Output, read};

#[derive(Args)]
pub(super) struct PeekArgs {
    /// The queue
    name: String,
    /// Messages, 1 to 100
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u32).range(1..=100))]
    limit: u32,
    /// Only those behind this sequence
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
    /// One message, whole
    #[arg(long, value_name = "SEQ", conflicts_with_all = ["limit", "after"])]
    message: Option<u64>,
}

#[derive(Args)]
pub(super) struct SendArgs {
    /// The queue
    name: String,
    /// The text; `-` reads it from standard input
    body: String,
    /// An attribute; `NAME:TYPE=VALUE` for another type than String
    #[arg(long = "attribute", short, value_name = "NAME=VALUE", value_parser = attribute)]
    attributes: Vec<(String, Value)>,
    /// The message group
    #[arg(long, value_name = "ID")]
    group: Option<String>,
    /// The deduplication id, for a FIFO queue
    #[arg(long, value_name = "ID")]
    deduplication: Option<String>,
    /// Hidden for so many seconds
    #[arg(long, value_name = "SECONDS")]
    delay: Option<u32>,
}

#[derive(Args)]
pub(super) struct ReceiveArgs {
    /// The queue
    name: String,
    /// Messages, 1 to 10
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=10))]
    max: u32,
    /// Hidden from others for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    visibility: u32,
    /// Delete them at once
    #[arg(long)]
    delete: bool,
}

#[derive(Deserialize)]
struct Page {
    messages: Vec<Message>,
    next: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    id: String,
    seq: u64,
    state: String,
    sent_at: String,
    visible_at: Option<String>,
    receive_count: u32,
    body: String,
    body_bytes: u64,
    attributes: BTreeMap<String, String>,
    group_id: Option<String>,
    deduplication_id: Option<String>,
    reason: Option<String>,
    source_queue: Option<String>,
    receipt_handle: Option<String>,
}

#[derive(Deserialize)]
struct Received {
    messages: Vec<Message>,
    deleted: u64,
}

#[derive(Deserialize)]
struct Sent {
    id: String,
    seq: u64,
}

pub(super) async fn peek(client: &Client, args: &PeekArgs, output: Output) -> Result<(), Trouble> {
    if let Some(seq) = args.message {
        let answer = client
            .get(&[&args.name, "messages", &seq.to_string()])
            .await?;
        return output.print(&answer, || Ok(message_text(&read(&answer)?)));
    }
    let mut query = vec![("limit", args.limit.to_string())];
    query.extend(args.after.map(|after| ("after", after.to_string())));
    let ask = Ask {
        path: &[&args.name, "messages"],
        query,
        ..Ask::default()
    };
    let answer = client.call(reqwest::Method::GET, ask).await?;
    output.print(&answer, || {
        let page: Page = read(&answer)?;
        if page.messages.is_empty() {
            return Ok("no messages".to_owned());
        }
        Ok(page_text(&page, output.columns))
    })
}

fn page_text(page: &Page, columns: Option<usize>) -> String {
    let are_dead = page.messages.iter().any(|one| one.source_queue.is_some());
    let mut table = Table::new(&[
        ("SEQ", Align::Right),
        ("STATE", Align::Left),
        ("RECEIVED", Align::Right),
        ("SENT (UTC)", Align::Left),
        (
            if are_dead { "REASON: BODY" } else { "BODY" },
            Align::Flexible,
        ),
    ]);
    for message in &page.messages {
        let body = match &message.reason {
            Some(reason) => format!("{reason}: {}", message.body),
            None => message.body.clone(),
        };
        table.row([
            message.seq.to_string(),
            state(&message.state).to_owned(),
            message.receive_count.to_string(),
            moment(&message.sent_at),
            body,
        ]);
    }
    let mut text = table.text(columns);
    if let Some(next) = page.next {
        let _ = writeln!(text, "there are more: --after {next}");
    }
    text
}

fn state(state: &str) -> &str {
    match state {
        "in_flight" => "in flight",
        other => other,
    }
}

/// Month, day and time of an RFC 3339 time, which is in UTC.
fn moment(at: &str) -> String {
    let date = at.get(5..10).unwrap_or(at);
    let time = at.get(11..19).unwrap_or_default();
    format!("{date} {time}")
}

fn message_text(message: &Message) -> String {
    let mut text = format!("message {}\n", one_line(&message.id));
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<15}{}", one_line(value));
    };
    line("sequence", &message.seq.to_string());
    match &message.visible_at {
        Some(at) => line("state", &format!("{} until {at}", state(&message.state))),
        None => line("state", state(&message.state)),
    }
    line("sent", &message.sent_at);
    line("received", &times(message.receive_count));
    if let Some(source) = &message.source_queue {
        line("came from", source);
    }
    for (name, value) in [
        ("reason", &message.reason),
        ("group", &message.group_id),
        ("deduplication", &message.deduplication_id),
        ("receipt handle", &message.receipt_handle),
    ] {
        if let Some(value) = value {
            line(name, value);
        }
    }
    for (at, (name, value)) in message.attributes.iter().enumerate() {
        let label = if at == 0 { "attributes" } else { "" };
        line(label, &format!("{name}={value}"));
    }
    line("bytes", &message.body_bytes.to_string());
    text.push('\n');
    text.push_str(plain(&message.body).trim_end_matches('\n'));
    text.push('\n');
    text
}

fn times(count: u32) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

/// `name=value`, or `name:type=value`.
fn attribute(text: &str) -> Result<(String, Value), &'static str> {
    let Some((name, value)) = text.split_once('=') else {
        return Err("it is not NAME=VALUE");
    };
    Ok(match name.split_once(':') {
        Some((name, kind)) => (name.to_owned(), json!({"type": kind, "value": value})),
        None => (name.to_owned(), value.into()),
    })
}

pub(super) async fn send(client: &Client, args: SendArgs, output: Output) -> Result<(), Trouble> {
    let mut body = args.body;
    if body == "-" {
        body.clear();
        std::io::stdin()
            .read_to_string(&mut body)
            .map_err(|error| Trouble::Here(format!("standard input: {error}")))?;
    }
    let attributes: Map<_, _> = args.attributes.into_iter().collect();
    let mut asked = json!({"body": body, "attributes": attributes});
    for (name, value) in [
        ("groupId", args.group.map(Value::from)),
        ("deduplicationId", args.deduplication.map(Value::from)),
        ("delaySeconds", args.delay.map(Value::from)),
    ] {
        if let Some(value) = value {
            asked[name] = value;
        }
    }
    let answer = client.post(&[&args.name, "messages"], asked).await?;
    output.print(&answer, || {
        let sent: Sent = read(&answer)?;
        Ok(format!(
            "sent {} as number {} of {}",
            sent.id, sent.seq, args.name
        ))
    })
}

pub(super) async fn receive(
    client: &Client,
    args: &ReceiveArgs,
    output: Output,
) -> Result<(), Trouble> {
    let asked = json!({
        "max": args.max,
        "visibilityTimeoutSeconds": args.visibility,
        "delete": args.delete,
    });
    let answer = client.post(&[&args.name, "receive"], asked).await?;
    output.print(&answer, || {
        let received: Received = read(&answer)?;
        if received.messages.is_empty() {
            return Ok("nothing to receive".to_owned());
        }
        let mut text: String = received
            .messages
            .iter()
            .map(|message| message_text(message) + "\n")
            .collect();
        if args.delete {
            let _ = write!(text, "deleted {}", received.deleted);
        } else {
            let _ = write!(text, "back in the queue in {} s", args.visibility);
        }
        Ok(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_may_say_its_type() {
        for (text, expected) in [
            ("a=b", Some(("a", json!("b")))),
            ("a=b=c", Some(("a", json!("b=c")))),
            ("a=", Some(("a", json!("")))),
            (
                "n:Number=1",
                Some(("n", json!({"type": "Number", "value": "1"}))),
            ),
            ("a", None),
        ] {
            let read = attribute(text).ok();
            let expected = expected.map(|(name, value)| (name.to_owned(), value));
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn a_moment_is_short() {
        assert_eq!(moment("2026-11-20T23:27:15.788Z"), "11-20 23:27:15");
        assert_eq!(moment("soon"), "soon ");
    }
}
