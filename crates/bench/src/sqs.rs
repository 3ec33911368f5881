//! The calls of SQS that prepare a measurement and look at it afterwards, in AWS JSON; what the
//! server's own metrics say that it decided; and how long calls took.

use std::net::SocketAddr;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::error::BenchError;
use crate::http;
use crate::load::quantile_ms;
use crate::suite::string_member;
use crate::systems::Running;
use crate::template::Template;

const JSON: &str = "application/x-amz-json-1.0";

/// How long calls of one kind took.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    pub calls: u64,
    pub ms_p50: f64,
    pub ms_p99: f64,
    pub ms_max: f64,
}

impl Latency {
    pub(crate) fn of(histogram: &Histogram<u32>) -> Self {
        Self {
            calls: histogram.len(),
            ms_p50: quantile_ms(histogram, 0.5),
            ms_p99: quantile_ms(histogram, 0.99),
            ms_max: quantile_ms(histogram, 1.0),
        }
    }
}

pub(crate) fn request(target: SocketAddr, action: &str, body: &str) -> Template {
    let action = format!("AmazonSQS.{action}");
    let headers = [("Content-Type", JSON), ("X-Amz-Target", &action)];
    http::request("POST", "/", target, &headers, body)
}

/// One call on a connection of its own; returns the body of an answer that must be a success.
pub(crate) fn call(target: SocketAddr, action: &str, body: &str) -> Result<String, BenchError> {
    let header = format!("AmazonSQS.{action}");
    let headers = [("Content-Type", JSON), ("X-Amz-Target", header.as_str())];
    match http::call_with(target, "POST", "/", &headers, body)? {
        (200, answer) => Ok(answer),
        (status, body) => Err(BenchError::Setup {
            call: action.to_owned(),
            status,
            body,
        }),
    }
}

/// Returns the queue's URL.
pub(crate) fn create_queue(target: SocketAddr, name: &str) -> Result<String, BenchError> {
    let action = "CreateQueue";
    let body = call(target, action, &format!(r#"{{"QueueName":"{name}"}}"#))?;
    string_member(&body, "QueueUrl").ok_or_else(|| BenchError::Answer {
        call: action.to_owned(),
        body,
    })
}

/// How many messages a queue says it has: to be received, in flight.
pub(crate) fn depth(target: SocketAddr, queue_url: &str) -> Result<(u64, u64), BenchError> {
    let action = "GetQueueAttributes";
    let body = call(target, action, &depth_body(queue_url))?;
    parse_depth(&body).ok_or_else(|| BenchError::Answer {
        call: action.to_owned(),
        body,
    })
}

pub(crate) fn depth_body(queue_url: &str) -> String {
    format!(r#"{{"QueueUrl":"{queue_url}","AttributeNames":["All"]}}"#)
}

fn parse_depth(body: &str) -> Option<(u64, u64)> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    let attribute = |name: &str| body.get("Attributes")?.get(name)?.as_str()?.parse().ok();
    Some((
        attribute("ApproximateNumberOfMessages")?,
        attribute("ApproximateNumberOfMessagesNotVisible")?,
    ))
}

/// How often the server has decided this command since it started.
pub(crate) fn decided(running: &Running, command: &str) -> Result<u64, BenchError> {
    let name = format!("firstcome_decisions_total{{command=\"{command}\"}}");
    Ok(sum(&metrics(running)?, &name))
}

/// Whether what was purged still takes space in the store.
pub(crate) fn is_clearing(running: &Running) -> Result<bool, BenchError> {
    parse_clearing(&metrics(running)?)
}

fn parse_clearing(metrics: &str) -> Result<bool, BenchError> {
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix("firstcome_clearing "));
    match value {
        Some("0") => Ok(false),
        Some("1") => Ok(true),
        other => Err(BenchError::Answer {
            call: "GET /metrics".to_owned(),
            body: format!("firstcome_clearing {}", other.unwrap_or("is missing")),
        }),
    }
}

/// How often the server has looked into the queues whose names begin like this, for receives of
/// one message at most.
pub(crate) fn looks(running: &Running, queues: &str) -> Result<u64, BenchError> {
    Ok(parse_looks(&metrics(running)?, queues))
}

fn parse_looks(metrics: &str, queues: &str) -> u64 {
    let family = |name: &str| sum(metrics, &format!("{name}{{queue_name=\"{queues}"));
    family("aws_sqs_number_of_messages_received_total")
        + family("aws_sqs_number_of_empty_receives_total")
}

fn metrics(running: &Running) -> Result<String, BenchError> {
    let address = running.metrics.unwrap_or(running.address);
    Ok(http::call(address, "GET", "/metrics", "")?.1)
}

/// Of all series that begin like this; what is not there has not counted yet.
fn sum(metrics: &str, series: &str) -> u64 {
    let lines = metrics.lines().filter(|line| line.starts_with(series));
    lines
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = "# TYPE firstcome_decisions_total counter\n\
        firstcome_decisions_total{command=\"receive_messages\"} 12\n\
        firstcome_decisions_total{command=\"sweep\"} 7\n\
        aws_sqs_number_of_messages_received_total{queue_name=\"bench-0\"} 2\n\
        aws_sqs_number_of_messages_received_total{queue_name=\"bench-1\"} 3\n\
        aws_sqs_number_of_messages_received_total{queue_name=\"other\"} 1000\n\
        aws_sqs_number_of_empty_receives_total{queue_name=\"other\"} 1000\n\
        aws_sqs_number_of_empty_receives_total{queue_name=\"bench-1\"} 40\n";

    #[test]
    fn a_counter_is_found_by_its_whole_label() {
        for (command, expected) in [
            ("sweep", 7),
            ("receive_messages", 12),
            ("receive", 0),
            ("send_message", 0),
        ] {
            let name = format!("firstcome_decisions_total{{command=\"{command}\"}}");
            assert_eq!(sum(METRICS, &name), expected, "{command}");
        }
    }

    #[test]
    fn what_is_being_cleared_is_said_and_never_guessed() {
        let said = |text: &str| parse_clearing(text).ok();
        assert_eq!(said("a 1\nfirstcome_clearing 1\nb 0\n"), Some(true));
        assert_eq!(said("firstcome_clearing 0\n"), Some(false));
        assert_eq!(said("firstcome_clearing_more 0\n"), None);
        assert_eq!(said(""), None);
    }

    #[test]
    fn looks_are_those_that_found_something_and_those_that_did_not() {
        for (queues, expected) in [("bench-", 45), ("bench-0", 2), ("ben", 45), ("none", 0)] {
            assert_eq!(parse_looks(METRICS, queues), expected, "{queues}");
        }
    }

    #[test]
    fn a_depth_needs_both_numbers() {
        let both = r#"{"Attributes":{"ApproximateNumberOfMessages":"12",
            "ApproximateNumberOfMessagesNotVisible":"3","QueueArn":"arn"}}"#;
        let one = r#"{"Attributes":{"ApproximateNumberOfMessages":"12"}}"#;
        for (body, expected) in [
            (both, Some((12, 3))),
            (one, None),
            ("{}", None),
            ("x", None),
        ] {
            assert_eq!(parse_depth(body), expected, "{body}");
        }
    }

    #[test]
    fn a_request_names_its_action_and_its_length() {
        let target = "127.0.0.1:9324".parse().unwrap();
        let request = request(target, "PurgeQueue", r#"{"QueueUrl":"u"}"#);
        let text = std::str::from_utf8(request.rendered()).unwrap();
        assert!(text.starts_with("POST / HTTP/1.1\r\nHost: 127.0.0.1:9324\r\n"));
        assert!(text.contains("\r\nX-Amz-Target: AmazonSQS.PurgeQueue\r\n"));
        assert!(text.ends_with("Content-Length: 16\r\n\r\n{\"QueueUrl\":\"u\"}"));
    }
}
