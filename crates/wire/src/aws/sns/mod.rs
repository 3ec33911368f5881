//! SNS: every action on topics and subscriptions, over the query protocol.
//!
//! What always holds: a decoded request has every parameter that its action requires, not
//! empty. Whether a value is allowed is not looked at: the rules know.
//!
//! Not here: mobile push, text messages and data protection policies. Their actions are
//! unknown and answered so.

mod request;
mod response;
mod structure;

pub use request::{
    Action, AddPermission, ConfirmSubscription, CreateTopic, DeleteTopic,
    GetSubscriptionAttributes, GetTopicAttributes, ListSubscriptions, ListSubscriptionsByTopic,
    ListTagsForResource, ListTopics, Publish, PublishBatch, PublishEntry, RemovePermission,
    Request, SetSubscriptionAttributes, SetTopicAttributes, Subscribe, TagResource, Unsubscribe,
    UntagResource,
};
pub use response::{FailedEntry, PublishedEntry, Response, Subscription};
pub use structure::MessageByProtocol;

#[cfg(test)]
mod tests;
