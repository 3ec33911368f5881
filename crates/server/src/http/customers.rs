//! What the shop knows of a customer, from the customers database.

use axum::Json;
use axum::extract::State;
use effects::DatabaseError;
use effects::customers::{CustomerView as Customer, MileageEntry, Notice};
use effects::parcels::Parcel;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;

use crate::adapters::rfc3339;
use crate::http::args::{PathArgs, QueryArgs, cursor, limit};
use crate::http::error::{HttpError, HttpResult};
use crate::http::views::{ParcelBrief, ProblemView};
use crate::state::App;

/// Of a customer, shown with it.
const PARCELS_MAX: usize = 20;

pub fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_customer))
        .routes(routes!(list_mileage))
}

/// A customer as it stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CustomerView {
    /// In small letters.
    #[schema(example = "ada@example.com")]
    customer: String,
    /// `normal` or `vip`.
    #[schema(example = "normal")]
    tier: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    vip_since: Option<String>,
    /// Of accepted orders, less those of cancelled ones.
    qualifying_units: i64,
    /// How many are missing; 0 for a VIP.
    units_to_vip: u64,
    /// Points.
    mileage: i64,
    /// What became of telling the marketing system; absent for who is not VIP.
    #[serde(skip_serializing_if = "Option::is_none")]
    marketing: Option<NoticeView>,
    /// The newest 20. Absent while the database of effects is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    parcels: Option<Vec<CustomerParcelView>>,
}

#[derive(Debug, Serialize, ToSchema)]
struct CustomerParcelView {
    #[serde(flatten)]
    parcel: ParcelBrief,
    /// Absent for a purchase that was made elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NoticeView {
    /// The webhook's id.
    notice: String,
    /// `waiting`, `queued` or `told`.
    #[schema(example = "told")]
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    queued_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    told_at: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MileageView {
    /// Rises in the order in which they were counted.
    seq: u64,
    /// `order:<seq>:accepted`, `order:<seq>:cancelled` or `purchase:<id>`.
    #[schema(example = "order:17:accepted")]
    cause: String,
    /// Negative when they were taken back.
    points: i64,
    /// When it happened.
    at: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct MileageList {
    mileage: Vec<MileageView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Page {
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    before: Option<u64>,
}

impl CustomerView {
    fn new(customer: Customer, bound: u64, parcels: Option<Vec<Parcel>>) -> Self {
        let parcel_view = |parcel: Parcel| CustomerParcelView {
            parcel: ParcelBrief::of(&parcel),
            sku: parcel.sku,
        };
        let units = u64::try_from(customer.units).unwrap_or(0);
        let units_to_vip = match customer.vip_since {
            Some(_) => 0,
            None => bound.saturating_sub(units),
        };
        Self {
            customer: customer.name,
            tier: customer.tier.as_str(),
            vip_since: customer.vip_since.map(rfc3339),
            qualifying_units: customer.units,
            units_to_vip,
            mileage: customer.mileage,
            marketing: customer.notice.map(NoticeView::new),
            parcels: parcels.map(|parcels| parcels.into_iter().map(parcel_view).collect()),
        }
    }
}

impl NoticeView {
    fn new(notice: Notice) -> Self {
        let state = notice.state;
        Self {
            notice: notice.id,
            status: match (state.queued_at, state.told_at) {
                (_, Some(_)) => "told",
                (Some(_), None) => "queued",
                (None, None) => "waiting",
            },
            queued_at: state.queued_at.map(rfc3339),
            told_at: state.told_at.map(rfc3339),
        }
    }
}

impl MileageView {
    fn new(entry: MileageEntry) -> Self {
        Self {
            seq: entry.id,
            cause: entry.cause,
            points: entry.points,
            at: rfc3339(entry.at),
        }
    }
}

fn not_found() -> HttpError {
    HttpError::new(
        Code::CustomerNotFound,
        "nothing was counted for this customer yet",
    )
}

/// What is wrong is for the log, where the path of a file belongs.
fn unavailable(error: DatabaseError) -> HttpError {
    tracing::warn!(%error, "the customers database cannot be read");
    HttpError::new(
        Code::CustomersUnavailable,
        "the customers database cannot be read now; what is counted meanwhile is not lost",
    )
}

/// Tier, qualifying units and mileage of a customer.
#[utoipa::path(
    get, path = "/customers/{email}", tag = "customers",
    params(("email" = String, Path, description = "an e-mail address or another name, in letters of either case")),
    responses(
        (status = 200, description = "The customer", body = CustomerView),
        (status = 404, description = "Nothing was counted for this customer yet", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn get_customer(
    State(app): State<App>,
    PathArgs(email): PathArgs<String>,
) -> HttpResult<Json<CustomerView>> {
    let found = app.customers.customer(&email).await.map_err(unavailable)?;
    let found = found.ok_or_else(not_found)?;
    // A customer is shown whether the parcels can be read or not.
    let parcels = app.effects.parcels_of(&found.name, PARCELS_MAX).await;
    let parcels = parcels
        .inspect_err(|error| tracing::warn!(%error, "a customer is shown without parcels"))
        .ok();
    Ok(Json(CustomerView::new(
        found,
        app.config.vip.units,
        parcels,
    )))
}

/// The ledger of a customer's mileage, newest first. Its points add up to the balance.
#[utoipa::path(
    get, path = "/customers/{email}/mileage", tag = "customers",
    params(("email" = String, Path), Page),
    responses(
        (status = 200, description = "A page", body = MileageList),
        (status = 404, description = "Nothing was counted for this customer yet", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn list_mileage(
    State(app): State<App>,
    PathArgs(email): PathArgs<String>,
    QueryArgs(page): QueryArgs<Page>,
) -> HttpResult<Json<MileageList>> {
    let limit = limit(page.limit)?;
    let before = cursor("before", page.before)?;
    let found = app.customers.mileage(&email, before, limit + 1).await;
    let mut found = found.map_err(unavailable)?.ok_or_else(not_found)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| last.id);
    Ok(Json(MileageList {
        mileage: found.into_iter().map(MileageView::new).collect(),
        next,
    }))
}
