//! The actions of SNS: from a form to a command or a look, and back.
//!
//! What always holds: a topic is found and its policy asked before anything else is said about
//! a request, so nobody learns of another's topic; a message that was published is stored when it is
//! answered, for every subscriber, or once where they are many, and `workers/fan_out.rs` makes their
//! copies; `workers/deliveries.rs` takes further what is not for a queue.
//!
//! Not here: mobile push and text messages, platform applications, message archives and data
//! protection policies. What names them is refused with Amazon's error for it.
//!
//! Deliberately not known here: HTTP, signatures of requests, and who gets a copy.

mod call;
pub(crate) mod confirmations;
pub(crate) mod delivery_policy;
mod envelopes;
mod error;
mod lists;
mod log;
mod names;
mod permissions;
mod publish;
pub mod signing;
mod subscription_attributes;
mod subscriptions;
mod tags;
mod topic_attributes;
mod topics;

use std::sync::atomic::{AtomicU64, Ordering};

use outgoing::{AllowedHosts, BuildError, Client, Timeouts};
use wire::aws::sns::{Request, Response};
use wire::aws::{Arn, AwsError, Form, Service};

use self::call::Call;
pub use self::log::LogEnvelopes;
use self::signing::Signing;
use crate::aws::context::Context;
use crate::config::{Aws, Config};
use crate::mailer::Mailer;
use crate::state::App;

/// As long as Amazon waits for an endpoint.
const ENDPOINT_TIMEOUTS: Timeouts = Timeouts {
    connect: std::time::Duration::from_secs(5),
    total: std::time::Duration::from_secs(15),
};

/// What notifications need beside the engine.
pub struct Sns {
    pub signing: Signing,
    /// Calls the endpoints of subscriptions, and knows which it may.
    pub client: Client,
    pub mailer: Mailer,
    /// Where this server is, for messages that no client's request says it for.
    base_url: String,
    /// Counts the changes of subscriptions, and of the attributes of topics.
    subscriptions: AtomicU64,
}

impl Sns {
    /// # Errors
    /// When the client cannot be set up.
    pub fn new(
        config: &Config,
        allowed: AllowedHosts,
        base_url: String,
        mailer: Mailer,
    ) -> Result<Self, BuildError> {
        Ok(Self {
            signing: Signing::new(&config.data),
            client: Client::new(allowed, ENDPOINT_TIMEOUTS)?,
            mailer,
            base_url,
            subscriptions: AtomicU64::new(0),
        })
    }

    /// Moves whenever a subscription or a topic was changed here, before that is answered.
    fn subscriptions_version(&self) -> u64 {
        self.subscriptions.load(Ordering::Acquire)
    }
}

/// The ARN of a topic where no client says which region it means.
pub(crate) fn topic_arn(settings: &Aws, owner: Option<&str>, topic: &str) -> String {
    let arn = Arn {
        partition: "aws",
        service: Service::Sns.name(),
        region: &settings.region,
        account: owner.unwrap_or(&settings.account),
        resource: topic,
    };
    arn.to_string()
}

/// Answers one request.
///
/// # Errors
/// With Amazon's code for what is wrong with it.
pub async fn handle(app: &App, context: &Context, form: &Form) -> Result<Response, AwsError> {
    let request = Request::from_form(form)?;
    let call = Call {
        app,
        context,
        action: request.action(),
    };
    match request {
        Request::AddPermission(request) => permissions::add(&call, request).await,
        Request::ConfirmSubscription(request) => subscriptions::confirm(&call, request).await,
        Request::CreateTopic(request) => topics::create(&call, request).await,
        Request::DeleteTopic(request) => topics::delete(&call, request).await,
        Request::GetSubscriptionAttributes(request) => {
            subscriptions::get_attributes(&call, request).await
        }
        Request::GetTopicAttributes(request) => topics::get_attributes(&call, request).await,
        Request::ListSubscriptions(request) => lists::subscriptions(&call, request).await,
        Request::ListSubscriptionsByTopic(request) => {
            lists::subscriptions_by_topic(&call, request).await
        }
        Request::ListTagsForResource(request) => tags::list(&call, request).await,
        Request::ListTopics(request) => lists::topics(&call, request).await,
        Request::Publish(request) => publish::publish(&call, request).await,
        Request::PublishBatch(request) => publish::publish_batch(&call, request).await,
        Request::RemovePermission(request) => permissions::remove(&call, request).await,
        Request::SetSubscriptionAttributes(request) => {
            subscriptions::set_attributes(&call, request).await
        }
        Request::SetTopicAttributes(request) => topics::set_attributes(&call, request).await,
        Request::Subscribe(request) => subscriptions::subscribe(&call, request).await,
        Request::TagResource(request) => tags::tag(&call, request).await,
        Request::Unsubscribe(request) => subscriptions::unsubscribe(&call, request).await,
        Request::UntagResource(request) => tags::untag(&call, request).await,
    }
}
