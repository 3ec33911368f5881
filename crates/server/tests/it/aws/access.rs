//! Who may: signatures, where keys are set.

use serde_json::{Value, json};
use wire::aws::sigv4::{Authorization, HttpRequest, SigningKey, canonical_request, string_to_sign};

use super::client::{Client, WIRES, Wire, form};
use crate::harness::client::Answer;
use crate::harness::{Settings, Shop, firstcome, refused};

const SECRET: &str = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY";
const KEYS: &str = "[{access_key=\"AKIASALES\", secret=\"wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY\", \
                    account=\"111111111111\"}, {access_key=\"AKIARETURNS\", \
                    secret=\"9876543210-9876543210\"}]";

/// A request that is signed, and may then be spoilt.
struct Signed {
    access_key: &'static str,
    secret: &'static str,
    service: &'static str,
    time: String,
    wire: Wire,
    unsigned_payload: bool,
}

impl Signed {
    fn new(wire: Wire) -> Self {
        Self {
            access_key: "AKIASALES",
            secret: SECRET,
            service: "sqs",
            time: time(0),
            wire,
            unsigned_payload: false,
        }
    }

    fn credential(&self) -> String {
        let day = &self.time[..8];
        format!(
            "{}/{day}/eu-west-3/{}/aws4_request",
            self.access_key, self.service
        )
    }

    /// Signs with what `wire` itself is tested with against Amazon's published suite.
    fn signature(&self, request: &HttpRequest<'_>) -> String {
        let authorization = Authorization::parse(request).unwrap().unwrap();
        let canonical = canonical_request(request, &authorization).unwrap();
        let key = SigningKey::derive(self.secret, &authorization.scope);
        let signature = key.sign(&string_to_sign(&canonical, &authorization));
        signature.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    async fn send(&self, shop: &Shop, action: &str, parameters: &Value, sent: &str) -> Answer {
        let host = shop.aws_address.to_string();
        let target = format!("AmazonSQS.{action}");
        let mut headers: Vec<(&str, String)> = vec![("x-amz-date", self.time.clone())];
        let mut signed = "content-type;host;x-amz-date".to_owned();
        let body = match self.wire {
            Wire::Json => {
                headers.push(("content-type", "application/x-amz-json-1.0".to_owned()));
                headers.push(("x-amz-target", target));
                signed.push_str(";x-amz-target");
                parameters.to_string()
            }
            Wire::Query => {
                headers.push((
                    "content-type",
                    "application/x-www-form-urlencoded".to_owned(),
                ));
                form(action, parameters)
            }
        };
        if self.unsigned_payload {
            headers.push(("x-amz-content-sha256", "UNSIGNED-PAYLOAD".to_owned()));
            signed = signed.replace("host;", "host;x-amz-content-sha256;");
        }
        let value = |signature: &str| {
            let credential = self.credential();
            format!(
                "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed}, \
                 Signature={signature}"
            )
        };
        let mut with_host = headers.clone();
        with_host.push(("host", host));
        with_host.push(("authorization", value(&"0".repeat(64))));
        let pairs: Vec<(&str, &[u8])> = with_host
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        let signature = self.signature(&HttpRequest {
            method: "POST",
            path: "/",
            query: "",
            headers: &pairs,
            body: body.as_bytes(),
        });
        headers.push(("authorization", value(&signature)));
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let client = Client::new(shop, self.wire);
        let mut connection = client.connect().await;
        let body = if sent.is_empty() { &body } else { sent };
        connection
            .send("POST", "/", &headers, Some(body))
            .await
            .unwrap()
    }

    async fn call(&self, shop: &Shop, action: &str, parameters: &Value) -> Result<Value, String> {
        let answer = self.send(shop, action, parameters, "").await;
        let read = Client::new(shop, self.wire).read(action, &answer);
        read.map_err(|refused| format!("{} {}", refused.status, refused.code))
    }
}

/// So many seconds from now, as Amazon writes it.
fn time(offset_s: i64) -> String {
    let now = jiff::Timestamp::now().as_second() + offset_s;
    let time = jiff::Timestamp::from_second(now).unwrap();
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

async fn keyed() -> Shop {
    Shop::start(Settings::new().set("AWS__KEYS", KEYS)).await
}

#[tokio::test]
async fn where_keys_are_set_a_request_must_be_signed() {
    let shop = keyed().await;
    for wire in WIRES {
        let list = json!({"QueueNamePrefix": "none"});
        let signed = Signed::new(wire);
        assert_eq!(signed.call(&shop, "ListQueues", &list).await, Ok(json!({})));
        let unsigned = Client::new(&shop, wire);
        let code = "MissingAuthenticationToken";
        assert_eq!(
            unsigned
                .refused("ListQueues", list.clone(), code)
                .await
                .status,
            403
        );
        let rows: [(Signed, &str); 7] = [
            (
                Signed {
                    secret: "9876543210-9876543210",
                    ..Signed::new(wire)
                },
                "403 SignatureDoesNotMatch",
            ),
            (
                Signed {
                    access_key: "AKIANOBODY",
                    ..Signed::new(wire)
                },
                "403 InvalidClientTokenId",
            ),
            (
                Signed {
                    service: "s3",
                    ..Signed::new(wire)
                },
                "403 SignatureDoesNotMatch",
            ),
            (
                Signed {
                    time: time(-20 * 60),
                    ..Signed::new(wire)
                },
                "403 SignatureDoesNotMatch",
            ),
            (
                Signed {
                    time: time(20 * 60),
                    ..Signed::new(wire)
                },
                "403 SignatureDoesNotMatch",
            ),
            (
                Signed {
                    time: time(-10 * 60),
                    ..Signed::new(wire)
                },
                "",
            ),
            (
                Signed {
                    unsigned_payload: true,
                    ..Signed::new(wire)
                },
                "",
            ),
        ];
        for (request, expected) in rows {
            let answer = request.call(&shop, "ListQueues", &list).await;
            match expected {
                "" => assert_eq!(answer, Ok(json!({}))),
                expected => assert_eq!(answer, Err(expected.to_owned())),
            }
        }
        // Signed for one thing, sent as another.
        let parameters = json!({"QueueName": "mine"});
        let other = match wire {
            Wire::Json => json!({"QueueName": "thine"}).to_string(),
            Wire::Query => form("CreateQueue", &json!({"QueueName": "thine"})),
        };
        let answer = Signed::new(wire)
            .send(&shop, "CreateQueue", &parameters, &other)
            .await;
        assert_eq!(answer.status, 403, "{}", answer.body);
    }
    let log = shop.log_text();
    assert!(!log.contains(SECRET), "{log}");
}

#[tokio::test]
async fn a_key_names_its_account_and_the_scope_the_region() {
    let shop = keyed().await;
    for (access_key, secret, account) in [
        ("AKIASALES", SECRET, "111111111111"),
        ("AKIARETURNS", "9876543210-9876543210", "000000000000"),
    ] {
        let signed = Signed {
            access_key,
            secret,
            ..Signed::new(Wire::Json)
        };
        let name = format!("of-{account}");
        let created = signed
            .call(&shop, "CreateQueue", &json!({"QueueName": name}))
            .await;
        let url = format!("http://{}/{account}/{name}", shop.aws_address);
        assert_eq!(created.unwrap()["QueueUrl"], url);
        let arn = json!({"QueueUrl": url, "AttributeNames": ["QueueArn"]});
        let arn = signed
            .call(&shop, "GetQueueAttributes", &arn)
            .await
            .unwrap();
        let expected = format!("arn:aws:sqs:eu-west-3:{account}:{name}");
        assert_eq!(arn["Attributes"]["QueueArn"], expected);
    }
}

#[tokio::test]
async fn a_signed_url_works_until_it_expires() {
    let shop = keyed().await;
    let signed = Signed::new(Wire::Query);
    for (age_s, expected) in [(0, 200), (120, 400)] {
        let time = time(-age_s);
        let signed = Signed {
            time: time.clone(),
            ..Signed::new(signed.wire)
        };
        let query = format!(
            "Action=ListQueues&Version=2012-11-05&X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential={}&X-Amz-Date={time}&X-Amz-Expires=60&X-Amz-SignedHeaders=host",
            signed.credential().replace('/', "%2F")
        );
        let host = shop.aws_address.to_string();
        let unsigned = format!("{query}&X-Amz-Signature={}", "0".repeat(64));
        let signature = signed.signature(&HttpRequest {
            method: "GET",
            path: "/",
            query: &unsigned,
            headers: &[("host", host.as_bytes())],
            body: b"",
        });
        let path = format!("/?{query}&X-Amz-Signature={signature}");
        let mut connection = Client::new(&shop, Wire::Query).connect().await;
        let answer = connection.send("GET", &path, &[], None).await.unwrap();
        assert_eq!(answer.status, expected, "{}", answer.body);
    }
}

#[tokio::test]
async fn elsewhere_than_on_loopback_keys_are_needed() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    for (keys, named) in [
        (None, "aws.keys"),
        (Some("[]"), "aws.keys"),
        (
            Some("[{access_key=\"AKIA\", secret=\"sesame-open\"}]"),
            "aws.keys.0",
        ),
        (Some("AKIA:sesame-open-sesame"), "aws.keys"),
        (
            Some("[{access_key=\"AKIA\", secrett=\"sesame-open-sesame\"}]"),
            "aws.keys",
        ),
    ] {
        let mut command = firstcome(&["serve", "--listen", "127.0.0.1:0"]);
        command
            .args(["--aws-listen", "0.0.0.0:0", "--data"])
            .arg(&data);
        if let Some(keys) = keys {
            command.env("FIRSTCOME_AWS__KEYS", keys);
        }
        let (code, said) = refused(command).await;
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(named), "{said}");
        assert!(!said.contains("sesame"), "{said}");
        assert!(!data.exists(), "nothing was begun");
    }
}
