//! What operators read and write of webhook endpoints.

use effects::webhooks::{Attempt, Delivery, Endpoint, EventTypes, StoredSecret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::Code;

use crate::adapters::rfc3339;
use crate::http::error::{HttpError, HttpResult};
use crate::http::products::given;
use crate::state::App;
use crate::workers::webhooks::is_told;

/// The longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 200;

/// An endpoint at the door.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct NewEndpointArgs {
    /// `https://`; `http://` only to this machine. Its host must be in `outgoing.allowed_hosts`.
    pub(super) url: String,
    /// 1 to 50 of `order.accepted`, `order.*` or `*`.
    pub(super) types: Vec<String>,
    #[serde(default)]
    #[schema(max_length = 200)]
    pub(super) description: String,
    #[serde(default = "yes")]
    pub(super) enabled: bool,
}

fn yes() -> bool {
    true
}

/// What of an endpoint is to be changed; what is missing stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ChangeArgs {
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false)]
    pub(super) url: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Vec<String>, required = false)]
    pub(super) types: Option<Vec<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false, max_length = 200)]
    pub(super) description: Option<String>,
    /// To enable one that failed forgets its failures.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = bool, required = false)]
    pub(super) enabled: Option<bool>,
}

pub(super) fn url_of(app: &App, url: &str) -> HttpResult<String> {
    let refuse = |why: String| Err(HttpError::at(Code::InvalidField, "url", why));
    let target = match app.sns.client.check(url) {
        Ok(target) => target,
        Err(error) => return refuse(format!("{error} (outgoing.allowed_hosts)")),
    };
    let host = target.host();
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => bare,
        Some(_) | None => &host,
    };
    let bare = bare.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = bare == "localhost"
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback());
    let is_secure = url
        .get(..8)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
    if is_secure || is_loopback {
        Ok(url.to_owned())
    } else {
        refuse("must be https; http is for this machine only".to_owned())
    }
}

pub(super) fn types_of(types: Vec<String>) -> HttpResult<EventTypes> {
    let refuse = |why: String| HttpError::at(Code::InvalidField, "types", why);
    let types = EventTypes::new(types).map_err(|error| refuse(error.to_string()))?;
    match types.entries().iter().find(|entry| !is_told(entry)) {
        Some(unknown) => Err(refuse(format!(
            "no events are told of the type `{unknown}`"
        ))),
        None => Ok(types),
    }
}

pub(super) fn description_of(description: String) -> HttpResult<String> {
    let length = description.chars().count();
    if length > DESCRIPTION_CHARS_MAX || description.chars().any(char::is_control) {
        return Err(HttpError::at(
            Code::InvalidField,
            "description",
            format!(
                "must have at most {DESCRIPTION_CHARS_MAX} characters, none of them control characters"
            ),
        ));
    }
    Ok(description)
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EndpointView {
    id: String,
    url: String,
    types: Vec<String>,
    description: String,
    /// `enabled` or `disabled`.
    status: &'static str,
    /// `operator`, `gone` (it answered 410), `failing` or `too_far_behind`.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<String>,
    /// The first failure since the last success.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<String>,
    /// Deliveries that wait.
    pending: i64,
    created_at: String,
    /// When the secrets end that are being replaced, newest first.
    old_secrets_end_at: Vec<String>,
}

impl EndpointView {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        let disabled = endpoint.disabled;
        Self {
            id: endpoint.id,
            url: endpoint.url,
            types: endpoint.types.entries().to_vec(),
            description: endpoint.description,
            status: if disabled.is_some() {
                "disabled"
            } else {
                "enabled"
            },
            disabled_reason: disabled.map(|(reason, _)| reason.as_str()),
            disabled_at: disabled.map(|(_, at)| rfc3339(at)),
            failing_since: endpoint.failing_since.map(rfc3339),
            pending: endpoint.pending,
            created_at: rfc3339(endpoint.created_at),
            old_secrets_end_at: endpoint
                .old_secrets_end_at
                .into_iter()
                .map(rfc3339)
                .collect(),
        }
    }
}

/// An endpoint with the secret that its receiver must be given.
#[derive(Serialize, ToSchema)]
pub(super) struct EndpointWithSecret {
    #[serde(flatten)]
    endpoint: EndpointView,
    /// `whsec_...`
    secret: String,
}

impl EndpointWithSecret {
    pub(super) fn new(endpoint: Endpoint, secret: StoredSecret) -> Self {
        Self {
            endpoint: EndpointView::new(endpoint),
            secret: secret.0,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AttemptView {
    n: u32,
    at: String,
    /// The answer's, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    ms: i64,
}

impl AttemptView {
    fn new(attempt: Attempt) -> Self {
        Self {
            n: attempt.n,
            at: rfc3339(attempt.at),
            status: attempt.status,
            error: attempt.error,
            ms: attempt.ms,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeliveryView {
    id: i64,
    /// The `webhook-id`.
    event: String,
    r#type: String,
    /// 0, or the number of the replay.
    replay: i64,
    /// `pending`, `delivered` or `failed`.
    status: &'static str,
    created_at: String,
    /// Not before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    attempts: Vec<AttemptView>,
    /// What is posted.
    #[schema(value_type = Object)]
    body: serde_json::Value,
}

impl DeliveryView {
    pub(super) fn new(delivery: Delivery) -> Self {
        let body = serde_json::from_str(&delivery.body);
        Self {
            id: delivery.n,
            event: delivery.event,
            r#type: delivery.kind,
            replay: delivery.replay,
            status: delivery.status.as_str(),
            created_at: rfc3339(delivery.created_at),
            next_at: delivery.next_at.map(rfc3339),
            ended_at: delivery.ended_at.map(rfc3339),
            attempts: delivery
                .attempts
                .into_iter()
                .map(AttemptView::new)
                .collect(),
            body: body.unwrap_or(serde_json::Value::String(delivery.body)),
        }
    }
}
