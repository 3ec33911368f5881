//! The story of one order: what the sale's log, the customers database and the database of
//! effects know of it, in one list.
//!
//! What always holds: an order that is there is answered; a database that is away is named and
//! what the others know is shown. Every part is bounded, and a part with more than is shown is
//! named too. An e-mail address is shown as its hash.
//!
//! The log also has notes about parcels. They are not in the list: they repeat what the parcel
//! itself says, and no index finds them.

mod story;
#[cfg(test)]
mod tests;
mod views;

use axum::Json;
use axum::extract::State;
use effects::mails;
use effects::webhooks::Webhooks;
use engine::ports::{Reader, StoreError, line_entries};
use engine::{Entry, OrderRecord};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;

use self::story::{Story, told};
use self::views::{TimelineOrderView, TimelineView};
use crate::http::args::PathArgs;
use crate::http::error::{HttpError, HttpResult};
use crate::http::orders::find_or_refuse;
use crate::http::views::ProblemView;
use crate::state::App;

/// E-mails of an order that are shown, the oldest; as many webhook deliveries.
const ROWS_MAX: usize = 100;
/// Entries of a line that are looked through for the verdict on an order that was cancelled
/// since. One that is further away is shown without its number.
const LINE_MAX: usize = 2_000;

pub fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_timeline))
}

async fn find(app: &App, id: &str) -> HttpResult<OrderRecord> {
    let Ok(seq) = id.parse::<u64>() else {
        return find_or_refuse(app, id).await;
    };
    let order = app.engine.read(move |reader| reader.order(seq)).await?;
    order.ok_or_else(|| HttpError::new(Code::OrderNotFound, "no order has this number"))
}

/// The entries about an order, in their order: three at most.
fn entries_of(reader: &dyn Reader, order: &OrderRecord) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    entries.extend(reader.entry(order.id.seq)?);
    if order.last_seq == order.id.seq {
        return Ok(entries);
    }
    let Some(last) = reader.entry(order.last_seq)? else {
        return Ok(entries);
    };
    // Of an order that waited, was decided and then cancelled, the verdict is between them.
    let is_undecided = entries.first().is_some_and(story::is_undecided);
    if order.cancelled_at.is_some() && order.decided_at.is_some() && is_undecided {
        let mut verdict = None;
        line_entries(reader, last.prev, LINE_MAX, |entry| {
            if entry.subject == order.id.seq && entry.seq != order.id.seq {
                verdict = Some(entry.clone());
            }
            verdict.is_some() || entry.seq <= order.id.seq
        })?;
        entries.extend(verdict);
    }
    entries.push(last);
    Ok(entries)
}

/// Everything that is known of an order, in the order of time.
///
/// At most the 3 entries of the log, 2 bookings of mileage and of units each, the parcel's 5
/// steps, and the oldest 100 e-mails and webhook deliveries.
#[utoipa::path(
    get, path = "/ops/orders/{id}/timeline", tag = "operations",
    params(("id" = String, Path, description = "`ord_...`, or the order's number: the sequence of its first entry")),
    responses(
        (status = 200, description = "The time line", body = TimelineView),
        (status = 404, description = "No such order", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn get_timeline(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
) -> HttpResult<Json<TimelineView>> {
    let order = find(&app, &id).await?;
    let seq = order.id.seq;
    let (order, entries) = app
        .engine
        .read(move |reader| {
            // As it stands now, so that entries and status are of one moment.
            let order = reader.order(seq)?.unwrap_or(order);
            let entries = entries_of(reader, &order)?;
            Ok((order, entries))
        })
        .await?;
    let webhooks = Webhooks::new(&app.effects);
    let key = i64::try_from(seq).unwrap_or(i64::MAX);
    let limit = u32::try_from(ROWS_MAX + 1).expect("a small number");
    let (counts, parcel, mails, deliveries) = tokio::join!(
        app.customers.of_order(seq),
        app.effects
            .parcel_history_of_order(order.id.to_string(), seq),
        app.effects
            .0
            .read(move |transaction| mails::of_order(transaction, seq, ROWS_MAX + 1)),
        webhooks.of_order(key, limit),
    );
    let story = Story {
        entries,
        counts,
        parcel,
        mails,
        deliveries,
    };
    let view = TimelineOrderView::new(&order);
    Ok(Json(told(view, &order, story, ROWS_MAX)))
}
