//! A factory that serves on a free port, and a shop that is called back.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{Config, Factory, OpenError};

/// The limit of every wait; nothing here takes that long.
const LIMIT: Duration = Duration::from_secs(30);

/// Waits until something is so.
pub(crate) async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        loop {
            tick.tick().await;
            if let Some(found) = check().await {
                return found;
            }
        }
    };
    tokio::time::timeout(LIMIT, looking)
        .await
        .unwrap_or_else(|_| panic!("waited in vain until {what}"))
}

/// Short times, so that a whole life of a job fits into a test.
pub(crate) fn config(data: &Path) -> Config {
    Config {
        lead_time: Duration::from_millis(30),
        ..Config::new(data)
    }
}

/// A factory in this process. What it answers is compared with its own description.
pub(crate) struct Running {
    pub(crate) factory: Factory,
    pub(crate) stop: CancellationToken,
    pub(crate) run: JoinHandle<()>,
    serve: JoinHandle<()>,
    base: String,
    http: reqwest::Client,
    openapi: Value,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Value,
}

impl Running {
    pub(crate) async fn start(config: Config) -> Self {
        // One that was just dropped may still be closing its file.
        let factory = eventually("the factory opens", async || {
            match Factory::open(config.clone()) {
                Ok(factory) => Some(factory),
                Err(OpenError::Locked { .. }) => None,
                Err(error) => panic!("{error}"),
            }
        })
        .await;
        Self::serve(factory).await
    }

    pub(crate) async fn serve(factory: Factory) -> Self {
        let (router, openapi) = factory.router().split_for_parts();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let serve = tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        let stop = CancellationToken::new();
        Self {
            run: tokio::spawn(factory.run(stop.clone())),
            factory,
            stop,
            serve,
            base,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            openapi: serde_json::to_value(openapi).unwrap(),
        }
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Ends it as a kill would: nothing is told that it ends.
    pub(crate) async fn drop_dead(self) {
        self.run.abort();
        self.serve.abort();
        let _aborted = (self.run.await, self.serve.await);
    }

    pub(crate) async fn post(&self, body: &Value) -> Answer {
        self.post_raw("application/json", body.to_string()).await
    }

    pub(crate) async fn post_raw(
        &self,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let request = self
            .http
            .post(format!("{}/api/manufactures", self.base))
            .header("content-type", content_type)
            .body(body);
        self.send(request, "post", "/api/manufactures").await
    }

    pub(crate) async fn get(&self, path_and_query: &str) -> Answer {
        let template = match path_and_query.strip_prefix("/api/manufactures/") {
            Some(_) => "/api/manufactures/{job}",
            None => "/api/manufactures",
        };
        let request = self.http.get(format!("{}{path_and_query}", self.base));
        self.send(request, "get", template).await
    }

    pub(crate) async fn send(
        &self,
        request: reqwest::RequestBuilder,
        method: &str,
        template: &str,
    ) -> Answer {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            Some(value.to_str().unwrap().to_owned())
        };
        let (retry_after, content_type) = (header("retry-after"), header("content-type").unwrap());
        let text = response.text().await.unwrap();
        assert!(!text.contains("s3cret"), "a token was shown: {text}");
        let documented = &self.openapi["paths"][template][method]["responses"][status.to_string()];
        assert!(
            documented["content"][&content_type].is_object(),
            "{method} {template} answered {status} {content_type}, which is not documented"
        );
        let body: Value = serde_json::from_str(&text).unwrap();
        if status >= 400 {
            assert_eq!(content_type, "application/problem+json");
            assert_eq!(body["status"], status);
            let code = body["code"].as_str().unwrap();
            assert_eq!(body["type"], format!("https://firstcome.dev/errors/{code}"));
            assert!(body["title"].is_string() && body["detail"].is_string());
        }
        assert_eq!(retry_after.is_some(), status == 503);
        Answer {
            status,
            retry_after,
            body,
        }
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Posts a request that must be taken; gives the job's id.
    pub(crate) async fn order(&self, body: &Value) -> String {
        let answer = self.post(body).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.body["job"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn job(&self, id: &str) -> Value {
        let answer = self.get(&format!("/api/manufactures/{id}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// Waits until a job is as it should be; gives the job.
    pub(crate) async fn until(
        &self,
        id: &str,
        what: &str,
        check: impl Fn(&Value) -> bool,
    ) -> Value {
        eventually(what, async || Some(self.job(id).await).filter(&check)).await
    }

    pub(crate) async fn until_status(&self, id: &str, status: &str) -> Value {
        self.until(id, status, |job| job["status"] == status).await
    }
}

pub(crate) fn request(callback: &str) -> Value {
    json!({
        "MessageGroupId": "stock-arrival-group",
        "MessageAttributeProductId": "CP-502101",
        "MessageAttributeProductCnt": 3,
        "MessageAttributeFactoryId": "FF-500293",
        "MessageAttributeRequester": "ada",
        "CallbackUrl": callback,
    })
}

/// What stands in the shop's place: it answers with these statuses in turn, and with the
/// last of them from then on.
#[derive(Clone)]
pub(crate) struct Shop {
    address: String,
    seen: watch::Receiver<Vec<Call>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) path_and_query: String,
    pub(crate) content_type: String,
    pub(crate) body: Value,
}

#[derive(Clone)]
struct Script {
    answers: Arc<Mutex<VecDeque<u16>>>,
    seen: Arc<watch::Sender<Vec<Call>>>,
}

impl Shop {
    pub(crate) async fn answering(answers: &[u16]) -> Self {
        let (sender, seen) = watch::channel(Vec::new());
        let script = Script {
            answers: Arc::new(Mutex::new(answers.iter().copied().collect())),
            seen: Arc::new(sender),
        };
        let router = Router::new().fallback(take_call).with_state(script);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Self { address, seen }
    }

    /// A callback URL with a token that must never be shown.
    pub(crate) fn callback(&self, path: &str) -> String {
        format!("http://{}/{path}?token=s3cret", self.address)
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.seen.borrow().clone()
    }

    pub(crate) async fn until_called(&self, times: usize) -> Vec<Call> {
        let mut seen = self.seen.clone();
        let calls = seen.wait_for(|calls| calls.len() >= times);
        let calls = tokio::time::timeout(LIMIT, calls).await;
        calls.expect("the callback did not come").unwrap().clone()
    }
}

async fn take_call(State(script): State<Script>, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    assert_eq!(parts.method, "POST");
    let call = Call {
        path_and_query: parts.uri.to_string(),
        content_type: parts.headers["content-type"].to_str().unwrap().to_owned(),
        body: serde_json::from_slice(&body).unwrap(),
    };
    script.seen.send_modify(|calls| calls.push(call));
    let mut answers = script.answers.lock().unwrap();
    let answer = match answers.len() {
        1 => answers[0],
        _ => answers.pop_front().unwrap(),
    };
    StatusCode::from_u16(answer).unwrap()
}
