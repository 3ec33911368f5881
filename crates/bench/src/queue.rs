//! What follows a sent message: it is received and deleted, by the connection that sent it or by
//! another one. The handles are cut out of the answer as bytes, so that the generator stays
//! cheap beside what it measures.

use std::net::SocketAddr;

use memchr::memmem;

/// What an SDK sends besides: some servers tell by it which service is meant. None of those that
/// are measured here checks it, since none has keys.
pub const SIGNED: [(&str, &str); 2] = [
    ("X-Amz-Date", "20260101T000000Z"),
    (
        "Authorization",
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, \
         SignedHeaders=host;x-amz-date, \
         Signature=0000000000000000000000000000000000000000000000000000000000000000",
    ),
];

/// The two protocols of SQS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// AWS JSON 1.0.
    Json,
    /// Forms and XML.
    Query,
}

/// Receives up to `batch` messages and deletes them in one request.
#[derive(Clone, Debug)]
pub struct Cycle {
    wire: Wire,
    target: SocketAddr,
    queue_url: String,
    batch: usize,
    receive: Vec<u8>,
}

impl Cycle {
    pub fn new(wire: Wire, target: SocketAddr, queue_url: &str, batch: usize) -> Self {
        let mut cycle = Self {
            wire,
            target,
            queue_url: queue_url.to_owned(),
            batch,
            receive: Vec::new(),
        };
        let body = match wire {
            Wire::Json => {
                format!(r#"{{"QueueUrl":"{queue_url}","MaxNumberOfMessages":{batch}}}"#)
            }
            Wire::Query => format!(
                "Action=ReceiveMessage&Version=2012-11-05&QueueUrl={}&MaxNumberOfMessages={batch}",
                encoded(queue_url)
            ),
        };
        cycle.receive = cycle.request("ReceiveMessage", &body);
        cycle
    }

    pub(crate) fn receive(&self) -> &[u8] {
        &self.receive
    }

    /// Writes the request that deletes what an answer brought; says how many messages those are.
    /// With none nothing is written.
    pub(crate) fn delete(&self, answer: &[u8], out: &mut Vec<u8>) -> u64 {
        let (before, after): (&[u8], &[u8]) = match self.wire {
            Wire::Json => (br#""ReceiptHandle":"#, b"\""),
            Wire::Query => (b"<ReceiptHandle>", b"<"),
        };
        let mut handles: Vec<&str> = Vec::new();
        for at in memmem::find_iter(answer, before) {
            let rest = answer[at + before.len()..].trim_ascii_start();
            let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
            let end = memmem::find(rest, after).unwrap_or(rest.len());
            handles.extend(std::str::from_utf8(&rest[..end]));
        }
        if handles.is_empty() {
            return 0;
        }
        let (action, body) = if self.batch == 1 {
            ("DeleteMessage", self.delete_one(handles[0]))
        } else {
            ("DeleteMessageBatch", self.delete_all(&handles))
        };
        out.clear();
        out.extend_from_slice(&self.request(action, &body));
        handles.len() as u64
    }

    fn delete_one(&self, handle: &str) -> String {
        let queue_url = &self.queue_url;
        match self.wire {
            Wire::Json => format!(r#"{{"QueueUrl":"{queue_url}","ReceiptHandle":"{handle}"}}"#),
            Wire::Query => format!(
                "Action=DeleteMessage&Version=2012-11-05&QueueUrl={}&ReceiptHandle={}",
                encoded(queue_url),
                encoded(handle)
            ),
        }
    }

    fn delete_all(&self, handles: &[&str]) -> String {
        let queue_url = &self.queue_url;
        match self.wire {
            Wire::Json => {
                let entries: Vec<String> = handles
                    .iter()
                    .enumerate()
                    .map(|(id, handle)| format!(r#"{{"Id":"{id}","ReceiptHandle":"{handle}"}}"#))
                    .collect();
                let entries = entries.join(",");
                format!(r#"{{"QueueUrl":"{queue_url}","Entries":[{entries}]}}"#)
            }
            Wire::Query => {
                let mut body = format!(
                    "Action=DeleteMessageBatch&Version=2012-11-05&QueueUrl={}",
                    encoded(queue_url)
                );
                for (index, handle) in handles.iter().enumerate() {
                    let entry = format!("&DeleteMessageBatchRequestEntry.{}", index + 1);
                    body.push_str(&format!(
                        "{entry}.Id={index}{entry}.ReceiptHandle={}",
                        encoded(handle)
                    ));
                }
                body
            }
        }
    }

    fn request(&self, action: &str, body: &str) -> Vec<u8> {
        let headers = match self.wire {
            Wire::Json => format!(
                "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.{action}\r\n"
            ),
            Wire::Query => "Content-Type: application/x-www-form-urlencoded\r\n".to_owned(),
        };
        let signed = SIGNED.map(|(name, value)| format!("{name}: {value}\r\n"));
        let headers = headers + &signed.concat();
        format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            match self.wire {
                Wire::Json => "/",
                Wire::Query => path(&self.queue_url),
            },
            self.target,
            body.len()
        )
        .into_bytes()
    }
}

/// The path of a URL: the query protocol is spoken on the queue's own.
pub(crate) fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("/", |at| &rest[at..])
}

/// As a value of a form: everything but letters, digits and a few signs in hexadecimal.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
