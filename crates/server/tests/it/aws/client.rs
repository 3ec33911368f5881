//! An SDK in small: one call over either protocol, with the same parameters and the same
//! answers.

use serde_json::{Map, Value, json};

use super::xml::{self, Node};
use crate::harness::Shop;
use crate::harness::client::{Answer, Connection};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Json,
    Query,
}

pub(crate) const WIRES: [Wire; 2] = [Wire::Json, Wire::Query];

/// Speaks to one server.
pub(crate) struct Client {
    address: std::net::SocketAddr,
    pub(crate) wire: Wire,
    /// The credential that requests say they have, unsigned; none at all without.
    account: Option<String>,
}

/// What was refused, in the words of either protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) code: String,
    /// The shape, which only JSON has.
    pub(crate) shape: Option<String>,
    pub(crate) message: String,
    pub(crate) sender: bool,
}

impl Client {
    pub(crate) fn new(shop: &Shop, wire: Wire) -> Self {
        Self {
            address: shop.aws_address,
            wire,
            account: None,
        }
    }

    /// The same as another account, where nobody checks.
    pub(crate) fn account(&self, account: &str) -> Self {
        Self {
            address: self.address,
            wire: self.wire,
            account: Some(account.to_owned()),
        }
    }

    /// The name, made different for each protocol.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{:?}-{name}", self.wire)
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::open(self.address).await.unwrap()
    }

    pub(crate) async fn ask(&self, connection: &mut Connection, action: &str, parameters: &Value) {
        let authorization = self.account.as_ref().map(|account| {
            format!(
                "AWS4-HMAC-SHA256 Credential={account}/20260101/eu-west-3/sqs/aws4_request, \
                 SignedHeaders=host, Signature={}",
                "0".repeat(64)
            )
        });
        let target = format!("AmazonSQS.{action}");
        let (body, mut headers) = match self.wire {
            Wire::Json => (
                parameters.to_string(),
                vec![
                    ("content-type", "application/x-amz-json-1.0"),
                    ("x-amz-target", target.as_str()),
                ],
            ),
            Wire::Query => (
                form(action, parameters),
                vec![(
                    "content-type",
                    "application/x-www-form-urlencoded; charset=utf-8",
                )],
            ),
        };
        if let Some(authorization) = &authorization {
            headers.push(("authorization", authorization));
            headers.push(("x-amz-date", "20260101T000000Z"));
        }
        connection
            .ask("POST", "/", &headers, Some(&body))
            .await
            .unwrap();
    }

    pub(crate) async fn answer(&self, action: &str, parameters: &Value) -> Answer {
        let mut connection = self.connect().await;
        self.ask(&mut connection, action, parameters).await;
        let limit = crate::harness::client::ANSWER_LIMIT;
        let answer = tokio::time::timeout(limit, connection.answer()).await;
        answer.expect("it answers in time").unwrap()
    }

    #[track_caller]
    pub(crate) fn read(&self, action: &str, answer: &Answer) -> Result<Value, Refused> {
        let id = answer.header("x-amzn-requestid").expect("a request id");
        assert_eq!(id.len(), 36, "{id}");
        assert!(answer.header("date").is_some());
        match self.wire {
            Wire::Json => read_json(answer),
            Wire::Query => read_xml(action, id, answer),
        }
    }

    pub(crate) async fn call(&self, action: &str, parameters: Value) -> Result<Value, Refused> {
        let answer = self.answer(action, &parameters).await;
        self.read(action, &answer)
    }

    /// The answer to what must go well.
    pub(crate) async fn ok(&self, action: &str, parameters: Value) -> Value {
        let said = format!("{:?} {action} {parameters}", self.wire);
        let result = self.call(action, parameters).await;
        result.unwrap_or_else(|refused| panic!("{said}: {refused:?}"))
    }

    /// What must be refused with this code.
    pub(crate) async fn refused(&self, action: &str, parameters: Value, code: &str) -> Refused {
        let said = format!("{:?} {action} {parameters}", self.wire);
        match self.call(action, parameters).await {
            Ok(answer) => panic!("{said}: {answer}"),
            Err(refused) => {
                assert_eq!(refused.code, code, "{said}: {refused:?}");
                assert!(!refused.message.is_empty());
                refused
            }
        }
    }

    /// The URL of a new queue.
    pub(crate) async fn queue(&self, name: &str, attributes: Value) -> String {
        let name = self.name(name);
        let parameters = json!({"QueueName": name, "Attributes": attributes});
        let created = self.ok("CreateQueue", parameters).await;
        created["QueueUrl"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn attribute(&self, url: &str, name: &str) -> Value {
        let parameters = json!({"QueueUrl": url, "AttributeNames": [name]});
        let answer = self.ok("GetQueueAttributes", parameters).await;
        answer["Attributes"][name].clone()
    }

    pub(crate) async fn arn(&self, url: &str) -> String {
        self.attribute(url, "QueueArn")
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) async fn send(&self, url: &str, body: &str) -> Value {
        let parameters = json!({"QueueUrl": url, "MessageBody": body});
        self.ok("SendMessage", parameters).await
    }

    /// One short poll, with everything there is to see.
    pub(crate) async fn receive(&self, url: &str, more: Value) -> Vec<Value> {
        let mut parameters = json!({
            "QueueUrl": url, "MaxNumberOfMessages": 10,
            "AttributeNames": ["All"], "MessageAttributeNames": ["All"],
        });
        for (name, value) in more.as_object().unwrap() {
            parameters[name] = value.clone();
        }
        let answer = self.ok("ReceiveMessage", parameters).await;
        let messages = answer
            .get("Messages")
            .map(|list| list.as_array().unwrap().clone());
        messages.unwrap_or_default()
    }

    pub(crate) async fn delete(&self, url: &str, message: &Value) {
        let parameters = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]});
        self.ok("DeleteMessage", parameters).await;
    }
}

/// Of a list of messages.
pub(crate) fn bodies(messages: &[Value]) -> Vec<&str> {
    let bodies = messages.iter();
    bodies
        .map(|message| message["Body"].as_str().unwrap())
        .collect()
}

fn read_json(answer: &Answer) -> Result<Value, Refused> {
    let kind = answer.header("content-type");
    assert_eq!(kind, Some("application/x-amz-json-1.0"));
    let body = answer.json();
    if answer.status == 200 {
        return Ok(body);
    }
    let query = answer
        .header("x-amzn-query-error")
        .expect("it names the code");
    let (code, fault) = query.split_once(';').unwrap();
    let kind = body["__type"].as_str().unwrap();
    Err(Refused {
        status: answer.status,
        code: code.to_owned(),
        shape: Some(kind.split_once('#').unwrap().1.to_owned()),
        message: body["message"].as_str().unwrap().to_owned(),
        sender: fault == "Sender",
    })
}

fn read_xml(action: &str, id: &str, answer: &Answer) -> Result<Value, Refused> {
    assert_eq!(answer.header("content-type"), Some("text/xml"));
    let document = Node::parse(&answer.body);
    if let Some(root) = document.child("ErrorResponse") {
        assert_ne!(answer.status, 200);
        assert_eq!(root.text("RequestId"), Some(id));
        let error = root.child("Error").unwrap();
        let text = |name: &str| error.text(name).unwrap().to_owned();
        return Err(Refused {
            status: answer.status,
            code: text("Code"),
            shape: None,
            message: text("Message"),
            sender: text("Type") == "Sender",
        });
    }
    assert_eq!(answer.status, 200, "{}", answer.body);
    let root = document.child(&format!("{action}Response")).unwrap();
    let metadata = root.child("ResponseMetadata").unwrap();
    assert_eq!(metadata.text("RequestId"), Some(id));
    let result = root.child(&format!("{action}Result"));
    // An action without a result, and a result without members, are an empty object in JSON.
    let value = result.map(|result| xml::to_json(action, result));
    Ok(value.filter(Value::is_object).unwrap_or_else(|| json!({})))
}

/// The parameters of the query protocol, as SDKs that speak it write them.
pub(crate) fn form(action: &str, parameters: &Value) -> String {
    let mut pairs = vec![
        ("Action".to_owned(), action.to_owned()),
        ("Version".to_owned(), "2012-11-05".to_owned()),
    ];
    flatten("", action, parameters, &mut pairs);
    let pairs = pairs.into_iter();
    let encoded = pairs.map(|(name, value)| format!("{}={}", encode(&name), encode(&value)));
    encoded.collect::<Vec<_>>().join("&")
}

fn flatten(path: &str, action: &str, value: &Value, pairs: &mut Vec<(String, String)>) {
    for (name, value) in value.as_object().unwrap() {
        let name = format!("{path}{name}");
        match (name.rsplit('.').next().unwrap(), value) {
            ("Attributes", Value::Object(map)) => {
                flatten_map(&replaced(&name, "Attribute"), "Name", map, pairs);
            }
            ("tags" | "Tags", Value::Object(map)) => {
                flatten_map(&replaced(&name, "Tag"), "Key", map, pairs);
            }
            (last @ ("MessageAttributes" | "MessageSystemAttributes"), Value::Object(map)) => {
                let singular = replaced(&name, last.strip_suffix('s').unwrap());
                flatten_map(&singular, "Name", map, pairs);
            }
            ("Entries", Value::Array(entries)) => {
                for (at, entry) in entries.iter().enumerate() {
                    let path = format!("{action}RequestEntry.{}.", at + 1);
                    flatten(&path, action, entry, pairs);
                }
            }
            ("Actions", Value::Array(items)) => flatten_list("ActionName", items, pairs),
            (_, Value::Array(items)) => {
                flatten_list(name.strip_suffix('s').unwrap(), items, pairs);
            }
            (_, value) => pairs.push((name, text(value))),
        }
    }
}

fn replaced(path: &str, last: &str) -> String {
    match path.rsplit_once('.') {
        Some((path, _)) => format!("{path}.{last}"),
        None => last.to_owned(),
    }
}

fn flatten_map(path: &str, key: &str, map: &Map<String, Value>, pairs: &mut Vec<(String, String)>) {
    for (at, (name, value)) in map.iter().enumerate() {
        let at = at + 1;
        pairs.push((format!("{path}.{at}.{key}"), name.clone()));
        match value {
            Value::Object(_) => flatten(&format!("{path}.{at}.Value."), "", value, pairs),
            _ => pairs.push((format!("{path}.{at}.Value"), text(value))),
        }
    }
}

fn flatten_list(path: &str, items: &[Value], pairs: &mut Vec<(String, String)>) {
    for (at, item) in items.iter().enumerate() {
        pairs.push((format!("{path}.{}", at + 1), text(item)));
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn encode(text: &str) -> String {
    let bytes = text.bytes();
    bytes
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

/// A text, where JSON has a number.
#[track_caller]
pub(crate) fn number(value: &Value) -> i64 {
    match value {
        Value::Number(number) => number.as_i64().unwrap(),
        Value::String(text) => text.parse().unwrap(),
        other => panic!("no number: {other}"),
    }
}
