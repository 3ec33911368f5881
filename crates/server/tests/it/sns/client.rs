//! An SDK in small: calls over the query protocol, signed where that is asked for.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;
use wire::aws::sigv4::{Authorization, HttpRequest, SigningKey, canonical_request, string_to_sign};

use crate::aws::client::{Client, Wire};
use crate::aws::xml::Node;
use crate::harness::client::{Answer, Connection};
use crate::harness::{Settings, Shop};

/// The access key that [`Sns::signed`] shows, and the settings that know it.
const ACCESS_KEY: &str = "AKIASALES";
const SECRET: &str = "0123456789-0123456789";
pub(crate) const KEYS: &str =
    "[{access_key=\"AKIASALES\", secret=\"0123456789-0123456789\", account=\"111111111111\"}]";

/// A request to be: an action and its parameters, as they stand on the wire.
pub(crate) struct Ask {
    action: &'static str,
    pairs: Vec<(String, String)>,
}

impl Ask {
    pub(crate) fn new(action: &'static str) -> Self {
        let version = ("Version".to_owned(), "2010-03-31".to_owned());
        Self {
            action,
            pairs: vec![("Action".to_owned(), action.to_owned()), version],
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.pairs.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn map<'a>(
        self,
        name: &str,
        entries: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let entries = entries.into_iter().enumerate();
        entries.fold(self, |ask, (at, (key, value))| {
            let entry = format!("{name}.entry.{}", at + 1);
            ask.with(&format!("{entry}.key"), key)
                .with(&format!("{entry}.value"), value)
        })
    }

    pub(crate) fn attributes(self, attributes: &[(&str, &str)]) -> Self {
        self.map("Attributes", attributes.iter().copied())
    }

    pub(crate) fn tags(self, tags: &[(&str, &str)]) -> Self {
        tags.iter()
            .enumerate()
            .fold(self, |ask, (at, (key, value))| {
                let member = format!("Tags.member.{}", at + 1);
                ask.with(&format!("{member}.Key"), key)
                    .with(&format!("{member}.Value"), value)
            })
    }

    pub(crate) fn list(self, name: &str, items: &[&str]) -> Self {
        items.iter().enumerate().fold(self, |ask, (at, item)| {
            ask.with(&format!("{name}.member.{}", at + 1), item)
        })
    }

    /// Message attributes: name, type, value; of a message at this place in the request.
    pub(crate) fn message_attributes(self, at: &str, attributes: &[(&str, &str, &str)]) -> Self {
        let attributes = attributes.iter().enumerate();
        attributes.fold(self, |ask, (index, (name, data_type, value))| {
            let entry = format!("{at}MessageAttributes.entry.{}", index + 1);
            let kind = if data_type.starts_with("Binary") {
                "BinaryValue"
            } else {
                "StringValue"
            };
            ask.with(&format!("{entry}.Name"), name)
                .with(&format!("{entry}.Value.DataType"), data_type)
                .with(&format!("{entry}.Value.{kind}"), value)
        })
    }
}

/// What was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

#[derive(Clone)]
pub(crate) struct Sns {
    address: SocketAddr,
    /// The account that requests say they are of, unsigned.
    account: Option<String>,
    is_signed: bool,
}

impl Sns {
    pub(crate) fn new(shop: &Shop) -> Self {
        Self {
            address: shop.aws_address,
            account: None,
            is_signed: false,
        }
    }

    /// The same as another account, where nobody checks.
    pub(crate) fn account(&self, account: &str) -> Self {
        Self {
            account: Some(account.to_owned()),
            ..self.clone()
        }
    }

    /// The same with a signature, where somebody does.
    pub(crate) fn signed(&self) -> Self {
        Self {
            is_signed: true,
            ..self.clone()
        }
    }

    pub(crate) async fn call(&self, ask: &Ask) -> Result<Node, Refused> {
        let pairs = ask.pairs.iter();
        let body = pairs
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect::<Vec<_>>()
            .join("&");
        let mut headers = vec![(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8".to_owned(),
        )];
        if self.is_signed {
            headers.extend(signature(self.address, &body));
        } else if let Some(account) = &self.account {
            let zeros = "0".repeat(64);
            let value = format!(
                "AWS4-HMAC-SHA256 Credential={account}/20260101/us-east-1/sns/aws4_request, \
                 SignedHeaders=host, Signature={zeros}"
            );
            headers.push(("authorization", value));
            headers.push(("x-amz-date", "20260101T000000Z".to_owned()));
        }
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let mut connection = Connection::open(self.address).await.unwrap();
        let answer = connection.send("POST", "/", &headers, Some(&body)).await;
        read(ask.action, &answer.unwrap())
    }

    /// The result of what must go well.
    pub(crate) async fn ok(&self, ask: Ask) -> Node {
        let answer = self.call(&ask).await;
        answer.unwrap_or_else(|refused| panic!("{:?}: {refused:?}", ask.pairs))
    }

    /// What must be refused with this code.
    pub(crate) async fn refused(&self, ask: Ask, code: &str) -> Refused {
        match self.call(&ask).await {
            Ok(answer) => panic!("{:?}: {answer:?}", ask.pairs),
            Err(refused) => {
                assert_eq!(refused.code, code, "{:?}: {refused:?}", ask.pairs);
                refused
            }
        }
    }

    /// The ARN of a new topic.
    pub(crate) async fn topic(&self, name: &str, attributes: &[(&str, &str)]) -> String {
        let ask = Ask::new("CreateTopic").with("Name", name);
        let created = self.ok(ask.attributes(attributes)).await;
        created.text("TopicArn").unwrap().to_owned()
    }

    /// The ARN of a new subscription, also of one that is to be confirmed.
    pub(crate) async fn subscribe(
        &self,
        topic: &str,
        protocol: &str,
        endpoint: &str,
        attributes: &[(&str, &str)],
    ) -> String {
        let ask = Ask::new("Subscribe")
            .with("TopicArn", topic)
            .with("Protocol", protocol)
            .with("Endpoint", endpoint)
            .with("ReturnSubscriptionArn", "true");
        let created = self.ok(ask.attributes(attributes)).await;
        created.text("SubscriptionArn").unwrap().to_owned()
    }

    /// The id of a message to a topic.
    pub(crate) async fn publish(&self, topic: &str, message: &str) -> String {
        let ask = Ask::new("Publish")
            .with("TopicArn", topic)
            .with("Message", message);
        let published = self.ok(ask).await;
        published.text("MessageId").unwrap().to_owned()
    }

    pub(crate) async fn topic_attributes(&self, topic: &str) -> BTreeMap<String, String> {
        let ask = Ask::new("GetTopicAttributes").with("TopicArn", topic);
        attributes(&self.ok(ask).await)
    }

    pub(crate) async fn subscription_attributes(&self, arn: &str) -> BTreeMap<String, String> {
        let ask = Ask::new("GetSubscriptionAttributes").with("SubscriptionArn", arn);
        attributes(&self.ok(ask).await)
    }

    pub(crate) async fn set(&self, arn: &str, name: &str, value: &str) {
        let ask = Ask::new("SetSubscriptionAttributes")
            .with("SubscriptionArn", arn)
            .with("AttributeName", name)
            .with("AttributeValue", value);
        self.ok(ask).await;
    }

    /// A link of a message, as a browser or a program visits it.
    pub(crate) async fn visit(&self, url: &str) -> Answer {
        let host = format!("http://{}", self.address);
        let path = url.strip_prefix(&host).expect("a URL of this server");
        let mut connection = Connection::open(self.address).await.unwrap();
        connection.send("GET", path, &[], None).await.unwrap()
    }
}

/// One server, and clients of both services.
pub(crate) async fn start(settings: Settings) -> (Shop, Sns, Client) {
    let shop = Shop::start(settings).await;
    let (sns, sqs) = (Sns::new(&shop), Client::new(&shop, Wire::Json));
    (shop, sns, sqs)
}

/// A new queue: its URL and its ARN.
pub(crate) async fn queue(sqs: &Client, name: &str, attributes: Value) -> (String, String) {
    let url = sqs.queue(name, attributes).await;
    let arn = sqs.arn(&url).await;
    (url, arn)
}

pub(crate) fn members<'a>(result: &'a Node, list: &str) -> Vec<&'a Node> {
    let list = result.child(list).unwrap().children().iter();
    list.map(|(name, member)| {
        assert_eq!(name, "member");
        member
    })
    .collect()
}

fn attributes(result: &Node) -> BTreeMap<String, String> {
    let entries = result.child("Attributes").unwrap().children().iter();
    let text = |entry: &Node, name: &str| entry.text(name).unwrap().to_owned();
    entries
        .map(|(_, entry)| (text(entry, "key"), text(entry, "value")))
        .collect()
}

#[track_caller]
fn read(action: &str, answer: &Answer) -> Result<Node, Refused> {
    assert_eq!(answer.header("content-type"), Some("text/xml"));
    let id = answer.header("x-amzn-requestid").expect("a request id");
    let document = Node::parse(&answer.body);
    if let Some(root) = document.child("ErrorResponse") {
        assert_eq!(root.text("RequestId"), Some(id));
        let error = root.child("Error").unwrap();
        return Err(Refused {
            status: answer.status,
            code: error.text("Code").unwrap().to_owned(),
            message: error.text("Message").unwrap().to_owned(),
        });
    }
    assert_eq!(answer.status, 200, "{}", answer.body);
    let root = document.child(&format!("{action}Response")).unwrap();
    let metadata = root.child("ResponseMetadata").unwrap();
    assert_eq!(metadata.text("RequestId"), Some(id));
    let result = root.child(&format!("{action}Result"));
    Ok(result
        .cloned()
        .unwrap_or_else(|| Node::Elements(Vec::new())))
}

/// With what `wire` itself is tested with against Amazon's published suite.
fn signature(host: SocketAddr, body: &str) -> [(&'static str, String); 2] {
    let now = jiff::Timestamp::now();
    let (time, day) = (now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d"));
    let (time, host) = (time.to_string(), host.to_string());
    let value = |signature: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{day}/us-east-1/sns/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={signature}"
        )
    };
    let unsigned = value(&"0".repeat(64));
    let headers: [(&str, &[u8]); 3] = [
        ("host", host.as_bytes()),
        ("x-amz-date", time.as_bytes()),
        ("authorization", unsigned.as_bytes()),
    ];
    let request = HttpRequest {
        method: "POST",
        path: "/",
        query: "",
        headers: &headers,
        body: body.as_bytes(),
    };
    let authorization = Authorization::parse(&request).unwrap().unwrap();
    let canonical = canonical_request(&request, &authorization).unwrap();
    let key = SigningKey::derive(SECRET, &authorization.scope);
    let signature = key.sign(&string_to_sign(&canonical, &authorization));
    let signature: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
    [("x-amz-date", time), ("authorization", value(&signature))]
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
