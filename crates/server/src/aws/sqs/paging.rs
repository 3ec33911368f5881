//! Lists of queues, a page at a time.
//!
//! A token is the name that the page before ended with: what is created or deleted in between
//! neither repeats nor hides anything else.

use std::sync::Arc;

use engine::ports::{Queue, Reader, StoreError};
use messaging::QueueName;
use wire::aws::AwsError;
use wire::aws::sqs::{ListDeadLetterSourceQueues, ListQueues, Response};

use super::call::Call;
use super::error::{bounded, from_engine, invalid};
use crate::aws::tokens::{page_after, parse_page};

/// API reference, `ListQueues`.
const PAGE_MAX: u32 = 1_000;

#[derive(Debug, Clone)]
struct Page {
    after: Option<String>,
    size: usize,
    /// Without a size of his own a client gets no token, as at Amazon.
    is_paged: bool,
}

pub(super) async fn list_queues(
    call: &Call<'_>,
    request: ListQueues,
) -> Result<Response, AwsError> {
    let page = page(request.next_token.as_deref(), request.max_results)?;
    let prefix = request.queue_name_prefix.unwrap_or_default();
    let is_named = move |name: &str| name.starts_with(&prefix);
    let (queues, next_token) = list(call, page, is_named, |_| true).await?;
    Ok(Response::ListQueues {
        queue_urls: queues.iter().map(|queue| call.url(queue)).collect(),
        next_token,
    })
}

pub(super) async fn list_sources(
    call: &Call<'_>,
    request: ListDeadLetterSourceQueues,
) -> Result<Response, AwsError> {
    let dead = call.queue(&request.queue_url).await?;
    let page = page(request.next_token.as_deref(), request.max_results)?;
    let is_source = move |queue: &Queue| {
        let redrive = queue.config.redrive.as_ref();
        redrive.is_some_and(|redrive| redrive.dead_letter_queue == dead.name)
    };
    let (queues, next_token) = list(call, page, |_| true, is_source).await?;
    Ok(Response::ListDeadLetterSourceQueues {
        queue_urls: queues.iter().map(|queue| call.url(queue)).collect(),
        next_token,
    })
}

fn page(token: Option<&str>, max_results: Option<i32>) -> Result<Page, AwsError> {
    let size = max_results
        .map(|value| {
            let reason = "MaxResults must be an integer between 1 and 1000.";
            bounded("MaxResults", value, 1..=PAGE_MAX, reason)
        })
        .transpose()?;
    let after = token
        .filter(|token| !token.is_empty())
        .map(|token| decode(token).ok_or_else(|| invalid("Invalid or expired next token.")))
        .transpose()?;
    Ok(Page {
        is_paged: size.is_some() || after.is_some(),
        size: size.unwrap_or(PAGE_MAX) as usize,
        after,
    })
}

/// The caller's own queues that pass, by name, and the token of the page after. Only those
/// whose name will do are read.
async fn list(
    call: &Call<'_>,
    page: Page,
    is_named: impl Fn(&str) -> bool + Send + 'static,
    passes: impl Fn(&Queue) -> bool + Send + 'static,
) -> Result<(Vec<Queue>, Option<String>), AwsError> {
    let context = Arc::new(call.context.clone());
    let passes =
        move |queue: &Queue| passes(queue) && context.is_owner(queue.more.owner.as_deref());
    let (after, size) = (page.after, page.size);
    let engine = &call.app.engine;
    let read = move |reader: &dyn Reader| -> Result<(Vec<Queue>, bool), StoreError> {
        let mut queues = Vec::new();
        for queue in reader.queue_rows()? {
            let is_before = after.as_ref().is_some_and(|after| queue.name <= *after);
            if is_before || !is_named(&queue.name) || !passes(&queue) {
                continue;
            }
            if queues.len() == size {
                return Ok((queues, true));
            }
            queues.push(queue);
        }
        Ok((queues, false))
    };
    let (queues, more) = engine.read(read).await.map_err(from_engine)?;
    let last = queues.last().filter(|_| more && page.is_paged);
    let token = last.map(|queue| page_after(&queue.name));
    Ok((queues, token))
}

fn decode(token: &str) -> Option<String> {
    QueueName::new(parse_page(token)?).ok().map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_bounded_and_a_token_must_be_ours() {
        let token = page_after("orders.fifo");
        let first = page(Some(&token), Some(2)).unwrap();
        assert_eq!(
            (first.after.as_deref(), first.size),
            (Some("orders.fifo"), 2)
        );
        assert!(!page(None, None).unwrap().is_paged);
        assert_eq!(page(Some(""), None).unwrap().size, 1_000);
        for (token, max_results) in [
            (None, Some(0)),
            (None, Some(1_001)),
            (None, Some(-1)),
            (Some("!"), None),
            (Some("YSBi"), None), // "a b"
        ] {
            assert!(
                page(token, max_results).is_err(),
                "{token:?} {max_results:?}"
            );
        }
    }
}
