//! The calls that a consumer needs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use engine::ports::Clock;
use messaging::{Attribute, AttributeValue};
use reqwest::{Url, redirect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wire::aws::sigv4::{HttpRequest, Signer};

use crate::config::Secret;

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Longer than the longest poll.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Ten messages of 1 MiB, each byte of which may be escaped.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Entries of one batch call (API reference).
pub(crate) const BATCH_MAX: usize = 10;

/// Where it calls, and what it shows there.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub url: String,
    pub region: String,
    /// Without one, requests are not signed.
    pub key: Option<(String, Secret)>,
}

/// Why a call has no result.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum SqsError {
    #[error("{url} cannot be reached: {why}")]
    Unreachable { url: String, why: String },
    #[error("{action} was answered {code}")]
    Refused { action: &'static str, code: String },
    #[error("{action} was answered with something that SQS does not say")]
    Stranger { action: &'static str },
}

/// A message as it came.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Received {
    pub message_id: String,
    pub receipt_handle: String,
    #[serde(default)]
    pub body: String,
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    #[serde(default)]
    message_attributes: BTreeMap<String, WireAttribute>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireAttribute {
    data_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    string_value: Option<String>,
    /// Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Messages {
    #[serde(default)]
    messages: Vec<Received>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QueueUrl {
    queue_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchAnswer {
    #[serde(default)]
    failed: Vec<FailedEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FailedEntry {
    #[serde(default)]
    code: String,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(rename = "__type", default)]
    kind: String,
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    endpoint: Arc<Endpoint>,
    url: Url,
    clock: Arc<dyn Clock>,
}

impl Client {
    /// # Errors
    /// When the URL is none, or there is no TLS to be had.
    pub(crate) fn new(endpoint: Endpoint, clock: Arc<dyn Clock>) -> Result<Self, String> {
        // A process has one provider of cryptography; whoever was first chose it.
        let _already_chosen = rustls::crypto::ring::default_provider().install_default();
        let url = Url::parse(&endpoint.url).map_err(|error| error.to_string())?;
        let builder = || {
            reqwest::Client::builder()
                .user_agent(concat!("firstcome/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .connect_timeout(CONNECT_WITHIN)
                .timeout(ANSWER_WITHIN)
        };
        // Where a machine has no certificates, http goes on working.
        let http = builder()
            .build()
            .or_else(|_| builder().tls_certs_only([]).build())
            .map_err(|error| error.to_string())?;
        Ok(Self {
            http,
            endpoint: Arc::new(endpoint),
            url,
            clock,
        })
    }

    pub(crate) async fn queue_url(&self, name: &str) -> Result<String, SqsError> {
        let answer: QueueUrl = self
            .call("GetQueueUrl", &json!({"QueueName": name}))
            .await?;
        Ok(answer.queue_url)
    }

    /// Ten at most.
    pub(crate) async fn receive(
        &self,
        queue_url: &str,
        max: usize,
        timeout_s: u32,
        wait_s: u64,
    ) -> Result<Vec<Received>, SqsError> {
        let body = json!({
            "QueueUrl": queue_url,
            "MaxNumberOfMessages": max.min(BATCH_MAX),
            "VisibilityTimeout": timeout_s,
            "WaitTimeSeconds": wait_s,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        });
        let answer: Messages = self.call("ReceiveMessage", &body).await?;
        Ok(answer.messages)
    }

    /// Ten at most. A receipt that is no longer good is no error.
    pub(crate) async fn delete(&self, queue_url: &str, receipts: &[&str]) -> Result<(), SqsError> {
        let entries = receipts.iter().enumerate();
        let entries: Vec<Value> = entries
            .map(|(index, receipt)| json!({"Id": index.to_string(), "ReceiptHandle": receipt}))
            .collect();
        let body = json!({"QueueUrl": queue_url, "Entries": entries});
        self.batch("DeleteMessageBatch", &body).await
    }

    /// As [`delete`](Self::delete); each with its new time-out.
    pub(crate) async fn hold(
        &self,
        queue_url: &str,
        changes: &[(&str, u32)],
    ) -> Result<(), SqsError> {
        let entries = changes.iter().enumerate();
        let entries: Vec<Value> = entries
            .map(|(index, (receipt, timeout_s))| {
                json!({
                    "Id": index.to_string(),
                    "ReceiptHandle": receipt,
                    "VisibilityTimeout": timeout_s,
                })
            })
            .collect();
        let body = json!({"QueueUrl": queue_url, "Entries": entries});
        self.batch("ChangeMessageVisibilityBatch", &body).await
    }

    pub(crate) async fn send(
        &self,
        queue_url: &str,
        text: &str,
        attributes: &BTreeMap<String, Attribute>,
        group_and_deduplication: Option<(&str, &str)>,
    ) -> Result<(), SqsError> {
        let attributes: BTreeMap<&String, WireAttribute> = attributes
            .iter()
            .map(|(name, attribute)| (name, WireAttribute::of(attribute)))
            .collect();
        let mut body = json!({
            "QueueUrl": queue_url,
            "MessageBody": text,
            "MessageAttributes": attributes,
        });
        if let Some((group, deduplication)) = group_and_deduplication {
            body["MessageGroupId"] = group.into();
            body["MessageDeduplicationId"] = deduplication.into();
        }
        self.call::<Value>("SendMessage", &body).await.map(drop)
    }

    /// Visible, and in flight.
    pub(crate) async fn depth(&self, queue_url: &str) -> Result<(u64, u64), SqsError> {
        const ACTION: &str = "GetQueueAttributes";
        let names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
        ];
        let body = json!({"QueueUrl": queue_url, "AttributeNames": names});
        let Attributes { attributes } = self.call(ACTION, &body).await?;
        let number = |name: &str| attributes.get(name)?.parse().ok();
        match (number(names[0]), number(names[1])) {
            (Some(visible), Some(in_flight)) => Ok((visible, in_flight)),
            (None, _) | (_, None) => Err(SqsError::Stranger { action: ACTION }),
        }
    }

    async fn batch(&self, action: &'static str, body: &Value) -> Result<(), SqsError> {
        let answer: BatchAnswer = self.call(action, body).await?;
        let failed = answer.failed.into_iter();
        match failed.map(|entry| entry.code).find(|code| !is_gone(code)) {
            Some(code) => Err(SqsError::Refused { action, code }),
            None => Ok(()),
        }
    }

    async fn call<T: for<'de> Deserialize<'de>>(
        &self,
        action: &'static str,
        body: &Value,
    ) -> Result<T, SqsError> {
        let body = body.to_string().into_bytes();
        let target = format!("AmazonSQS.{action}");
        let date = Signer::date(self.clock.now());
        let host = self.host();
        let mut headers: Vec<(&str, &str)> = vec![
            ("host", &host),
            ("content-type", CONTENT_TYPE),
            ("x-amz-target", &target),
            ("x-amz-date", &date),
        ];
        let authorization = self.authorization(&headers, &body);
        if let Some(authorization) = &authorization {
            headers.push(("authorization", authorization));
        }
        let mut request = self.http.post(self.url.clone());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let unreachable = |error: &reqwest::Error| SqsError::Unreachable {
            url: self.endpoint.url.clone(),
            why: cause(error),
        };
        let mut answer = request
            .body(body)
            .send()
            .await
            .map_err(|error| unreachable(&error))?;
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| unreachable(&error))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > ANSWER_BYTES_MAX {
                return Err(SqsError::Stranger { action });
            }
        }
        if !status.is_success() {
            let problem: Problem =
                serde_json::from_slice(&bytes).map_err(|_| SqsError::Stranger { action })?;
            let code = problem.kind.rsplit('#').next().unwrap_or_default();
            return Err(SqsError::Refused {
                action,
                code: code.chars().take(100).collect(),
            });
        }
        let text = if bytes.is_empty() { b"{}" } else { &bytes[..] };
        serde_json::from_slice(text).map_err(|_| SqsError::Stranger { action })
    }

    fn authorization(&self, headers: &[(&str, &str)], body: &[u8]) -> Option<String> {
        let (access_key, secret) = self.endpoint.key.as_ref()?;
        let headers: Vec<(&str, &[u8])> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        let signer = Signer {
            access_key,
            secret: &secret.0,
            region: &self.endpoint.region,
            service: "sqs",
        };
        Some(signer.sign(&HttpRequest {
            method: "POST",
            path: self.url.path(),
            query: self.url.query().unwrap_or_default(),
            headers: &headers,
            body,
        }))
    }

    fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }
}

impl Received {
    pub(crate) fn number<T: std::str::FromStr>(&self, attribute: &str) -> Option<T> {
        self.attributes.get(attribute)?.parse().ok()
    }

    pub(crate) fn take_attributes(&mut self) -> BTreeMap<String, Attribute> {
        std::mem::take(&mut self.message_attributes)
            .into_iter()
            .filter_map(|(name, attribute)| Some((name, attribute.into_attribute()?)))
            .collect()
    }
}

impl WireAttribute {
    fn of(attribute: &Attribute) -> Self {
        let (string_value, binary_value) = match &attribute.value {
            AttributeValue::Text(text) => (Some(text.clone()), None),
            AttributeValue::Binary(bytes) => (None, Some(BASE64_STANDARD.encode(bytes))),
        };
        Self {
            data_type: attribute.data_type.clone(),
            string_value,
            binary_value,
        }
    }

    fn into_attribute(self) -> Option<Attribute> {
        let value = match (self.string_value, self.binary_value) {
            (Some(text), _) => AttributeValue::Text(text),
            (None, Some(encoded)) => AttributeValue::Binary(BASE64_STANDARD.decode(encoded).ok()?),
            (None, None) => return None,
        };
        Some(Attribute {
            data_type: self.data_type,
            value,
        })
    }
}

/// Received again by somebody else, or deleted.
fn is_gone(code: &str) -> bool {
    [
        "ReceiptHandleIsInvalid",
        "MessageNotInflight",
        "InvalidParameterValue",
    ]
    .iter()
    .any(|gone| code.ends_with(gone))
}

/// The last cause, which is the one that says something.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it does not answer in time".to_owned();
    }
    let mut last: &dyn std::error::Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
