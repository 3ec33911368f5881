//! A web server of somebody else's, at one address, that can be away.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The id of a webhook and its body, as often as it came.
type Heard = Arc<Mutex<Vec<(String, String)>>>;
/// The status, and a `Retry-After`.
type Answer = Arc<Mutex<(StatusCode, Option<String>)>>;
/// It answers 500 to bodies with this text in them.
type Chokes = Arc<Mutex<Option<&'static str>>>;

pub(super) struct Neighbour {
    address: SocketAddr,
    heard: Heard,
    answer: Answer,
    chokes: Chokes,
    serving: Option<JoinHandle<()>>,
}

async fn hear(
    State((heard, answer, chokes)): State<(Heard, Answer, Chokes)>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let named = ["webhook-id", "idempotency-key"];
    let id = named.into_iter().find_map(|name| headers.get(name));
    let id = id.map_or("", |id| id.to_str().unwrap()).to_owned();
    let chokes = chokes.lock().unwrap().is_some_and(|on| body.contains(on));
    heard.lock().unwrap().push((id, body));
    if chokes {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let (status, retry_after) = answer.lock().unwrap().clone();
    let retry_after = retry_after.map(|value| [(header::RETRY_AFTER, value)]);
    match retry_after {
        Some(headers) => (status, headers).into_response(),
        None => status.into_response(),
    }
}

impl Neighbour {
    pub(super) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut neighbour = Self {
            address,
            heard: Arc::default(),
            answer: Arc::new(Mutex::new((StatusCode::OK, None))),
            chokes: Arc::default(),
            serving: None,
        };
        neighbour.serve(listener);
        neighbour
    }

    fn serve(&mut self, listener: TcpListener) {
        let router = Router::new().fallback(hear).with_state((
            Arc::clone(&self.heard),
            Arc::clone(&self.answer),
            Arc::clone(&self.chokes),
        ));
        self.serving = Some(tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        }));
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// From now on.
    pub(super) fn answers(&self, status: StatusCode, retry_after: Option<String>) {
        *self.answer.lock().unwrap() = (status, retry_after);
    }

    /// It is there, and fails over whatever has this text in it.
    pub(super) fn chokes_on(&self, text: Option<&'static str>) {
        *self.chokes.lock().unwrap() = text;
    }

    /// Nobody listens any more.
    pub(super) async fn go_away(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
    }

    pub(super) async fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.serve(listener);
    }

    pub(super) fn heard(&self) -> Vec<(String, String)> {
        self.heard.lock().unwrap().clone()
    }
}
