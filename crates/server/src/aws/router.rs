//! Requests as they come in, and their answers: both services, both protocols, every path.
//!
//! ```text
//! POST, X-Amz-Target: AmazonSQS.*          AWS JSON 1.0
//! POST a form, or GET with a query         the query protocol; SQS or SNS by its version
//! ```
//!
//! The path only says which queue is meant, and that only in the query protocol.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::{Extension, Router};
use engine::ports::Ids as _;
use futures_util::future::Either;
use tokio::time::Instant;
use wire::aws::sigv4::HttpRequest;
use wire::aws::{
    AwsError, ErrorAnswer, ErrorCode, Form, Service, limits, sns as wire_sns, sqs as wire_sqs,
};

use super::context::{Context, base_url, uuid};
use super::directory::Directory;
use super::{auth, sns, sqs};
use crate::adapters::OsIds;
use crate::budget::{Budget, Held, UNCOUNTED_BYTES};
use crate::foreign::{Doors, Foreign};
use crate::request_form::wrong_host;
use crate::shortcut::{Answering, Shortcut};
use crate::socket::{BODY_WITHIN, BodyError, Line, Watched};
use crate::state::App;

/// Seconds after which an overloaded server may be asked again.
const RETRY_AFTER_S: &str = "1";
/// The action, in metrics, of what names none that there is.
const UNKNOWN: &str = "unknown";

/// What every request is handed.
struct Desk {
    app: App,
    ids: OsIds,
    directory: Directory,
    doors: Doors,
    /// The host of URLs for a client that names none.
    listens: String,
    /// Of what comes in.
    bodies: Budget,
    /// Of messages that go out.
    answers: Budget,
}

/// Everything that AWS SDKs call, and the way past the routes.
pub(crate) fn router(app: App, ids: OsIds, listens: SocketAddr) -> (Router, Shortcut) {
    let desk = Desk {
        doors: Doors::of_queues(&app.config),
        app,
        ids,
        directory: Directory::new(),
        listens: listens.to_string(),
        bodies: Budget::new(),
        answers: Budget::new(),
    };
    let desk = Arc::new(desk);
    let routes = Router::new()
        .merge(sns::signing::certificate_route(&desk.app))
        .fallback(answer)
        .with_state(Arc::clone(&desk));
    let shortcut = move |request: Request<Watched>| {
        let is_plain = request.method() == Method::POST;
        if !is_plain || sns::signing::is_certificate(request.uri().path()) {
            return Either::Right(request);
        }
        let line = Arc::clone(request.body().line());
        let answering = answer(
            State(Arc::clone(&desk)),
            Extension(line),
            request.map(Body::new),
        );
        Either::Left(Box::pin(answering) as Answering)
    };
    (routes, Arc::new(shortcut))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Json,
    Query,
}

impl Protocol {
    /// How much longer a text may become that is written in it: `\"` in JSON, `&quot;` in XML.
    const fn growth(self) -> usize {
        match self {
            Self::Json => 2,
            Self::Query => 6,
        }
    }

    /// A client that speaks JSON must be answered in JSON, also when it does not say what it
    /// wants.
    fn of(parts: &Parts) -> Self {
        let is_json = |value: &HeaderValue| {
            value
                .to_str()
                .is_ok_and(|value| value.starts_with(wire::aws::JSON_CONTENT_TYPE))
        };
        let headers = &parts.headers;
        if headers.contains_key(wire::aws::TARGET_HEADER)
            || headers.get(header::CONTENT_TYPE).is_some_and(is_json)
        {
            Self::Json
        } else {
            Self::Query
        }
    }
}

/// A request that was understood.
enum Ask {
    Sqs(wire_sqs::Request),
    Sns(Form),
}

/// For the metrics, also of a request that was not understood.
struct Label {
    service: Service,
    action: &'static str,
}

async fn answer(
    State(desk): State<Arc<Desk>>,
    Extension(line): Extension<Arc<Line>>,
    request: Request,
) -> Response {
    let began = Instant::now();
    let (parts, body) = request.into_parts();
    let protocol = Protocol::of(&parts);
    let entropy = desk.ids.entropy();
    let request_id = uuid(entropy[..16].try_into().expect("32 bytes have 16"));
    let mut label = Label {
        service: Service::Sqs,
        action: UNKNOWN,
    };
    let ask = (protocol, parts, body);
    let answered = serve(&desk, &line, ask, &request_id, &mut label).await;
    count(&label, answered.as_ref().err(), began);
    render(protocol, label.service, &request_id, answered)
}

async fn serve(
    desk: &Desk,
    line: &Arc<Line>,
    (protocol, parts, body): (Protocol, Parts, Body),
    request_id: &str,
    label: &mut Label,
) -> Result<Bytes, AwsError> {
    check_host(&parts)?;
    let (body, _held) = read(desk, line, body).await?;
    let (context, ask) = decode(desk, protocol, &parts, &body, label)?;
    // Somebody who waits holds neither.
    drop((parts, body));
    match ask {
        Ask::Sqs(request) => {
            let call = sqs::Call {
                app: &desk.app,
                directory: &desk.directory,
                context: &context,
                action: request.action(),
                room: sqs::AnswerRoom::new(&desk.answers, line.peer, protocol.growth()),
            };
            let response = sqs::handle(&call, request).await?;
            let bytes = match protocol {
                Protocol::Json => response.to_json(),
                Protocol::Query => response.to_xml(request_id),
            };
            Ok(call.room.sent(bytes, line))
        }
        Ask::Sns(form) => {
            let response = sns::handle(&desk.app, &context, &form).await?;
            Ok(response.to_xml(request_id).into())
        }
    }
}

/// Of the queues' URLs, and of what is signed, there must be one.
fn check_host(parts: &Parts) -> Result<(), AwsError> {
    match wrong_host(parts.version, &parts.headers) {
        None => Ok(()),
        Some(wrong) => Err(AwsError::new(
            ErrorCode::MalformedHttpRequest,
            format!("The header Host must be there once; {wrong}."),
        )),
    }
}

/// The whole body, and what it counts until it was answered.
async fn read(desk: &Desk, line: &Line, body: Body) -> Result<(Bytes, Option<Held>), AwsError> {
    let refused = || {
        let most = limits::REQUEST_BYTES_MAX;
        let detail = format!("The body is cut short, or has more than {most} bytes.");
        Err(AwsError::new(ErrorCode::RequestEntityTooLarge, detail))
    };
    // What the client says it will send: it may wait to be told to.
    if body.size_hint().lower() > limits::REQUEST_BYTES_MAX as u64 {
        return refused();
    }
    // What does not say how much it is counts as the most.
    let most = body.size_hint().upper();
    let most = most.map_or(limits::REQUEST_BYTES_MAX, |most| {
        usize::try_from(most).unwrap_or(usize::MAX)
    });
    let mut held = None;
    if most > UNCOUNTED_BYTES {
        let until = Instant::now() + BODY_WITHIN;
        let taken = desk.bodies.take(line.peer, most, until).await;
        held = Some(taken.ok_or_else(|| {
            let detail = "Larger requests wait than this server takes; nothing was stored.";
            AwsError::new(ErrorCode::ServiceUnavailable, detail)
        })?);
    }
    match to_bytes(body, limits::REQUEST_BYTES_MAX).await {
        Ok(bytes) => {
            if let Some(held) = &mut held {
                held.shrink_to(bytes.len());
            }
            Ok((bytes, held))
        }
        Err(error) if BodyError::is_late(&error) => Err(AwsError::new(
            ErrorCode::RequestExpired,
            format!(
                "The body did not arrive within {} seconds.",
                BODY_WITHIN.as_secs()
            ),
        )),
        Err(_) => refused(),
    }
}

/// Any of these requests may do something, also a GET.
fn foreign(foreign: Foreign) -> AwsError {
    let message = match foreign {
        Foreign::Page => {
            "A browser sent this for a page of another origin. Only programs may call.".to_owned()
        }
        Foreign::Name(name) => format!(
            "Without access keys this server is called by its address, by localhost, a local name or \
             the host of the setting public_url, not by {name}."
        ),
    };
    AwsError::new(ErrorCode::AccessDenied, message)
}

fn decode(
    desk: &Desk,
    protocol: Protocol,
    parts: &Parts,
    body: &Bytes,
    label: &mut Label,
) -> Result<(Context, Ask), AwsError> {
    let settings = &desk.app.config.aws;
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    let headers = signed_headers(parts, settings.trust_forwarded);
    let request = HttpRequest {
        method: parts.method.as_str(),
        path,
        query,
        headers: &headers,
        body,
    };
    let signed = auth::find(settings, &request)?;
    let form = match protocol {
        Protocol::Json => None,
        Protocol::Query => Some(form(parts, query, body)?),
    };
    if let Some(form) = &form {
        label.service = form.service(signed.as_ref().map(|signed| signed.scope.service.as_str()));
    }
    let needs_none = form
        .as_ref()
        .is_some_and(|form| auth::needs_none(label.service, form));
    // A person follows those links from an e-mail or a page.
    if !needs_none {
        desk.doors.check(true, &parts.headers).map_err(foreign)?;
    }
    let now = desk.app.engine.now();
    let caller = auth::identify(
        settings,
        label.service,
        &request,
        signed.as_ref(),
        needs_none,
        now,
    )?;
    let context = Context {
        account: caller.account,
        region: caller.region,
        base_url: base_url(&parts.headers, settings.trust_forwarded, &desk.listens),
        default_account: settings.account.clone(),
        is_anonymous: caller.is_anonymous,
    };
    let ask = match form {
        None => {
            let target = parts.headers.get(wire::aws::TARGET_HEADER);
            let target = target.and_then(|target| target.to_str().ok());
            wire_sqs::Request::from_json(target.unwrap_or_default(), body).map(Ask::Sqs)?
        }
        Some(form) => match label.service {
            Service::Sqs => wire_sqs::Request::from_form(form, path).map(Ask::Sqs)?,
            Service::Sns => Ask::Sns(form),
        },
    };
    label.action = match &ask {
        Ask::Sqs(request) => request.action().as_str(),
        Ask::Sns(form) => {
            let action = form.get("Action").and_then(wire_sns::Action::parse);
            action.map_or(UNKNOWN, wire_sns::Action::as_str)
        }
    };
    Ok((context, ask))
}

fn form(parts: &Parts, query: &str, body: &[u8]) -> Result<Form, AwsError> {
    if parts.method != Method::GET && parts.method != Method::POST {
        return Err(AwsError::new(
            ErrorCode::UnsupportedOperation,
            "Requests come by GET or POST.",
        ));
    }
    Form::parse(query, body)
}

/// The headers as the client sent them: where a proxy is trusted, with the host that it saw.
fn signed_headers(parts: &Parts, trust_forwarded: bool) -> Vec<(&str, &[u8])> {
    let forwarded = parts.headers.get("x-forwarded-host");
    let forwarded = forwarded.filter(|_| trust_forwarded);
    let headers = parts.headers.iter();
    headers
        .map(|(name, value)| match forwarded {
            Some(host) if name == header::HOST => (name.as_str(), host.as_bytes()),
            Some(_) | None => (name.as_str(), value.as_bytes()),
        })
        .collect()
}

fn render(
    protocol: Protocol,
    service: Service,
    request_id: &str,
    answered: Result<Bytes, AwsError>,
) -> Response {
    let (body, answer) = match answered {
        Ok(body) => (
            body,
            ErrorAnswer {
                status: 200,
                content_type: match protocol {
                    Protocol::Json => wire::aws::JSON_CONTENT_TYPE,
                    Protocol::Query => wire::aws::XML_CONTENT_TYPE,
                },
                query_error: None,
                body: Vec::new(),
            },
        ),
        Err(error) => {
            let mut answer = match protocol {
                Protocol::Json => error.to_json(),
                Protocol::Query => error.to_xml(service, request_id),
            };
            (std::mem::take(&mut answer.body).into(), answer)
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(answer.status).expect("codes have statuses");
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(answer.content_type),
    );
    let text = |text: &str| HeaderValue::from_str(text).expect("ids and codes are plain");
    headers.insert(wire::aws::REQUEST_ID_HEADER, text(request_id));
    if let Some(query_error) = answer.query_error {
        headers.insert(wire::aws::QUERY_ERROR_HEADER, text(&query_error));
    }
    if answer.status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
    }
    response
}

/// The metrics of one action.
struct Meters {
    ok: metrics::Counter,
    seconds: metrics::Histogram,
}

/// Looked up once for each action there is, and not with every request.
static METERS: LazyLock<HashMap<(&str, &str), Meters>> = LazyLock::new(|| {
    let sqs = wire_sqs::Action::ALL
        .iter()
        .map(|action| (Service::Sqs, action.as_str()));
    let sns = wire_sns::Action::ALL
        .iter()
        .map(|action| (Service::Sns, action.as_str()));
    let unknown = [(Service::Sqs, UNKNOWN), (Service::Sns, UNKNOWN)];
    sqs.chain(sns)
        .chain(unknown)
        .map(|(service, action)| {
            let service = service.name();
            let meters = Meters {
                ok: metrics::counter!(
                    "firstcome_aws_requests_total",
                    "service" => service, "action" => action, "code" => "OK"
                ),
                seconds: metrics::histogram!(
                    "firstcome_aws_request_seconds",
                    "service" => service, "action" => action
                ),
            };
            ((service, action), meters)
        })
        .collect()
});

fn count(label: &Label, error: Option<&AwsError>, began: Instant) {
    let (service, action) = (label.service.name(), label.action);
    let meters = METERS.get(&(service, action));
    if let Some(meters) = meters {
        meters.seconds.record(began.elapsed());
    }
    match error {
        None => {
            if let Some(meters) = meters {
                meters.ok.increment(1);
            }
        }
        Some(error) => {
            let code = error.code.query_code(label.service);
            metrics::counter!(
                "firstcome_aws_requests_total",
                "service" => service, "action" => action, "code" => code
            )
            .increment(1);
        }
    }
}
