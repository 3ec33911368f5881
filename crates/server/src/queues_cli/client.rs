//! Requests to the server, and what can go wrong with them, in words that say what to do.

use std::fmt;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url, redirect};
use serde::Deserialize;
use serde_json::Value;

use super::nearest::nearest;
use crate::config::{ClientSettings, Secret};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Why a command could not be done.
#[derive(Debug)]
pub(super) enum Trouble {
    Unreachable {
        url: String,
        why: String,
    },
    NotAuthorised {
        url: String,
        shown: bool,
    },
    /// An answer that firstcome does not give.
    Stranger {
        url: String,
        status: u16,
    },
    UnknownQueue {
        name: String,
        nearest: Vec<String>,
    },
    /// What the server says is wrong.
    Refused {
        detail: String,
        field: Option<String>,
    },
    Here(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { url, why } => write!(
                f,
                "cannot reach {url}: {why}\n  is `firstcome serve` running there? --url or \
                 FIRSTCOME_URL names another place"
            ),
            Self::NotAuthorised { url, shown: false } => write!(
                f,
                "not authorised: {url} asks for the operator token\n  give it with --token, with \
                 FIRSTCOME_TOKEN, or name the server's settings with --config"
            ),
            Self::NotAuthorised { url, shown: true } => write!(
                f,
                "not authorised: {url} does not know this operator token\n  its setting is \
                 auth.operator_token"
            ),
            Self::Stranger { url, status } => write!(
                f,
                "{url} answers {status}, and not as firstcome does; --url or FIRSTCOME_URL names \
                 another place"
            ),
            Self::UnknownQueue { name, nearest } => {
                write!(f, "no queue is called `{name}`")?;
                match nearest.split_last() {
                    None => f.write_str("; `firstcome queues list` shows them"),
                    Some((last, [])) => write!(f, "; did you mean `{last}`?"),
                    Some((last, others)) => {
                        write!(f, "; did you mean `{}` or `{last}`?", others.join("`, `"))
                    }
                }
            }
            Self::Refused {
                detail,
                field: None,
            } => f.write_str(detail),
            Self::Refused {
                detail,
                field: Some(field),
            } => write!(f, "{field}: {detail}"),
            Self::Here(what) => f.write_str(what),
        }
    }
}

/// What an error of the API says (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: String,
    field: Option<String>,
}

#[derive(Deserialize)]
struct Names {
    queues: Vec<Name>,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<Secret>,
}

/// A request on its way.
#[derive(Default)]
pub(super) struct Ask<'a> {
    /// Below `/ops/queues`.
    pub(super) path: &'a [&'a str],
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
}

impl Client {
    pub(super) fn new(settings: ClientSettings) -> Result<Self, Trouble> {
        // A process has one provider of cryptography; this one has no other use for it.
        let _already_chosen = rustls::crypto::ring::default_provider().install_default();
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
            .map_err(|error| Trouble::Here(format!("cannot start: {}", cause(&error))))?;
        Ok(Self {
            http,
            url: settings.url,
            token: settings.token,
        })
    }

    pub(super) async fn get(&self, path: &[&str]) -> Result<Value, Trouble> {
        let ask = Ask {
            path,
            ..Ask::default()
        };
        self.call(Method::GET, ask).await
    }

    pub(super) async fn post(&self, path: &[&str], body: Value) -> Result<Value, Trouble> {
        let ask = Ask {
            path,
            body: Some(body),
            ..Ask::default()
        };
        self.call(Method::POST, ask).await
    }

    /// The JSON of an answer; null where there is none.
    pub(super) async fn call(&self, method: Method, ask: Ask<'_>) -> Result<Value, Trouble> {
        let mut request = self.http.request(method, self.address(&ask)?);
        if let Some(token) = &self.token {
            let shown = HeaderValue::from_str(&format!("Bearer {}", token.0));
            let mut shown = shown.map_err(|_| {
                Trouble::Here("the token has characters that no token has".to_owned())
            })?;
            shown.set_sensitive(true);
            request = request.header(AUTHORIZATION, shown);
        }
        if let Some(body) = &ask.body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        let answer = request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let bytes = answer
            .bytes()
            .await
            .map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            if bytes.is_empty() {
                return Ok(Value::Null);
            }
            return serde_json::from_slice(&bytes).map_err(|_| self.stranger(status.as_u16()));
        }
        if status.as_u16() == 401 {
            return Err(Trouble::NotAuthorised {
                url: self.url.clone(),
                shown: self.token.is_some(),
            });
        }
        let problem: Problem =
            serde_json::from_slice(&bytes).map_err(|_| self.stranger(status.as_u16()))?;
        match (problem.code.as_str(), ask.path.first()) {
            ("queue_not_found", Some(name)) => Err(self.unknown(name).await),
            // There is no such route: an older server.
            ("not_found" | "method_not_allowed", _) if ask.path.len() < 3 => {
                Err(self.stranger(status.as_u16()))
            }
            _ => Err(Trouble::Refused {
                detail: problem.detail,
                field: problem.field,
            }),
        }
    }

    fn address(&self, ask: &Ask<'_>) -> Result<Url, Trouble> {
        let invalid = || Trouble::Here(format!("{} is not a URL", self.url));
        let mut url = Url::parse(&self.url).map_err(|_| invalid())?;
        url.path_segments_mut()
            .map_err(|()| invalid())?
            .pop_if_empty()
            .extend(["ops", "queues"])
            .extend(ask.path);
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&ask.query);
        }
        Ok(url)
    }

    fn stranger(&self, status: u16) -> Trouble {
        Trouble::Stranger {
            url: self.url.clone(),
            status,
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Trouble {
        Trouble::Unreachable {
            url: self.url.clone(),
            why: if error.is_timeout() {
                "it does not answer in time".to_owned()
            } else {
                cause(error)
            },
        }
    }

    async fn unknown(&self, name: &str) -> Trouble {
        // Only a courtesy: without the list there are no names to offer.
        let names = Box::pin(self.get(&[])).await.ok();
        let names = names.and_then(|answer| Names::deserialize(answer).ok());
        let names = names.map(|names| names.queues).unwrap_or_default();
        let names = names.iter().map(|queue| queue.name.as_str());
        Trouble::UnknownQueue {
            name: name.to_owned(),
            nearest: nearest(name, names)
                .into_iter()
                .map(str::to_owned)
                .collect(),
        }
    }
}

/// The last cause, which is the one that says something, without the number behind it.
fn cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    let text = last.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}
