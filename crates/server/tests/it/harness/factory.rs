//! A factory that behaves as badly as a test wants. It answers; calling back is up to the test.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::harness::served::Served;
use crate::harness::wait::eventually;

/// What the factory does with one request.
#[derive(Debug, Clone)]
pub(crate) enum Manner {
    Answer(u16),
    /// Never says anything.
    Silent,
    /// Takes it, but answers only when it is told to.
    After(Arc<Notify>),
}

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) at: Instant,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn callback_url(&self) -> String {
        self.json()["CallbackUrl"].as_str().unwrap().to_owned()
    }

    /// Path and query of the callback URL: the shop's part of it.
    pub(crate) fn callback(&self) -> String {
        let url: Uri = self.callback_url().parse().unwrap();
        url.path_and_query().unwrap().to_string()
    }

    /// One argument of the callback URL.
    pub(crate) fn argument(&self, name: &str) -> String {
        let url: Uri = self.callback_url().parse().unwrap();
        let query = url.query().unwrap();
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(known, _)| *known == name)
            .unwrap()
            .1
            .to_owned()
    }

    /// What this factory delivers when it delivers what it was asked for.
    pub(crate) fn delivery(&self, count: impl Into<Value>) -> Value {
        let mut delivery = self.json();
        delivery["MessageAttributeProductCnt"] = count.into();
        delivery.as_object_mut().unwrap().remove("CallbackUrl");
        delivery
    }
}

struct Shared {
    requests: Mutex<Vec<Request>>,
    /// What it does with the next requests, one by one, and then for ever.
    manners: Mutex<(VecDeque<Manner>, Manner)>,
}

pub(crate) struct Factory {
    address: SocketAddr,
    shared: Arc<Shared>,
    _served: Served,
}

/// An address at which nothing listens, and where nothing else will.
pub(crate) struct Nothing(TcpSocket);

impl Nothing {
    pub(crate) fn bind() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        Self(socket)
    }

    pub(crate) fn url(&self) -> String {
        url(self.0.local_addr().unwrap())
    }

    /// The factory comes up.
    pub(crate) fn come_up(self, manner: Manner) -> Factory {
        Factory::listen(self.0, [], manner)
    }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}/api/manufactures")
}

impl Factory {
    pub(crate) fn start(manner: Manner) -> Self {
        Self::listen(Nothing::bind().0, [], manner)
    }

    /// These first, then always the last one.
    pub(crate) fn scripted<const N: usize>(first: [Manner; N], then: Manner) -> Self {
        Self::listen(Nothing::bind().0, first, then)
    }

    fn listen<const N: usize>(socket: TcpSocket, first: [Manner; N], then: Manner) -> Self {
        let address = socket.local_addr().unwrap();
        let listener = socket.listen(128).unwrap().into_std().unwrap();
        let shared = Arc::new(Shared {
            requests: Mutex::new(Vec::new()),
            manners: Mutex::new((first.into(), then)),
        });
        let router = Router::new().fallback(take).with_state(Arc::clone(&shared));
        let served = Served::start(listener, router);
        Self {
            address,
            shared,
            _served: served,
        }
    }

    pub(crate) fn url(&self) -> String {
        url(self.address)
    }

    /// From now on.
    pub(crate) fn behave(&self, manner: Manner) {
        *self.shared.manners.lock().unwrap() = (VecDeque::new(), manner);
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The n-th request, counted from 1, once it has come.
    pub(crate) async fn request(&self, n: usize) -> Request {
        eventually("the factory is asked", async || {
            self.requests().get(n - 1).cloned()
        })
        .await
    }
}

async fn take(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> impl IntoResponse {
    shared.requests.lock().unwrap().push(Request {
        at: Instant::now(),
        path: uri.path().to_owned(),
        headers,
        body,
    });
    let manner = {
        let mut manners = shared.manners.lock().unwrap();
        let then = manners.1.clone();
        manners.0.pop_front().unwrap_or(then)
    };
    let status = match manner {
        Manner::Answer(status) => status,
        Manner::Silent => std::future::pending().await,
        Manner::After(told) => {
            told.notified().await;
            202
        }
    };
    let status = StatusCode::from_u16(status).unwrap();
    (status, Json(json!({"message": "as you wish"})))
}
