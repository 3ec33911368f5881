//! The carrier of the demo: takes every parcel to its receiver within seconds.
//!
//! It is a carrier like any other: it knows tracking ids and calls the webhook over HTTP, signed
//! when there is a secret. Due is what the parcel's age says, so a restart forgets nothing.

use std::net::SocketAddr;
use std::time::Duration;

use commerce::Millis;
use effects::parcels::{Parcel, ParcelStatus};
use outgoing::{AllowedHosts, Client, Timeouts};
use serde_json::json;
use wire::webhooks;

use crate::state::App;

const EVERY: Duration = Duration::from_millis(500);
/// Parcels looked at in one round; the rest has its turn in the next.
const ROWS: usize = 100;

/// What follows, and at which age of the parcel.
fn next(status: ParcelStatus) -> Option<(ParcelStatus, Millis, &'static str)> {
    match status {
        ParcelStatus::Created => Some((ParcelStatus::Packed, 3_000, "The shop")),
        ParcelStatus::Packed => Some((ParcelStatus::InTransit, 6_000, "On the road")),
        ParcelStatus::InTransit => Some((ParcelStatus::Delivered, 12_000, "At the door")),
        ParcelStatus::Delivered | ParcelStatus::Returned => None,
    }
}

/// Runs until the server stops. `address` is where this server is called.
pub(crate) async fn run(app: App, address: SocketAddr) {
    let Some(client) = client(address) else {
        return;
    };
    let mut is_away = false;
    loop {
        tokio::select! {
            () = app.cancel.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        match round(&app, &client, address).await {
            Ok(()) => is_away = false,
            Err(error) if !is_away => {
                is_away = true;
                tracing::warn!(error, "the demo's carrier stands still");
            }
            Err(_) => {}
        }
    }
}

fn client(address: SocketAddr) -> Option<Client> {
    let allowed = if address.ip().is_loopback() {
        Ok(AllowedHosts::loopback())
    } else {
        AllowedHosts::new(&[address.to_string()])
    };
    let client = allowed
        .map_err(|error| error.to_string())
        .and_then(|allowed| {
            Client::new(allowed, Timeouts::default()).map_err(|error| error.to_string())
        });
    match client {
        Ok(client) => Some(client),
        Err(error) => {
            tracing::warn!(error, "the demo has no carrier");
            None
        }
    }
}

async fn round(app: &App, client: &Client, address: SocketAddr) -> Result<(), String> {
    let now = app.engine.now();
    let parcels = app.effects.parcels_on_their_way(ROWS).await;
    for parcel in parcels.map_err(|error| error.to_string())? {
        if let Some((status, age, place)) = next(parcel.status)
            && now - parcel.created_at >= age
        {
            tell(app, client, address, &parcel, status, place).await?;
        }
    }
    Ok(())
}

async fn tell(
    app: &App,
    client: &Client,
    address: SocketAddr,
    parcel: &Parcel,
    status: ParcelStatus,
    place: &str,
) -> Result<(), String> {
    let body = json!({"status": status.as_str(), "place": place}).to_string();
    // The same notice has the same id, whenever it is tried again.
    let named = format!("{} {}", parcel.tracking_id, status.as_str());
    let id = format!("demo_{}", blake3::hash(named.as_bytes()).to_hex());
    let secrets = app.config.carrier.secrets();
    let mut headers = vec![(webhooks::ID_HEADER, id.as_str())];
    let signed;
    if !secrets.is_empty() {
        signed = webhooks::sign(&id, body.as_bytes(), &secrets, app.engine.now())
            .map_err(|error| error.to_string())?;
        headers = signed.headers().to_vec();
    }
    let path = encode(&parcel.tracking_id);
    let url = format!("http://{address}/carrier/parcels/{path}");
    let answer = client.post_json(&url, &headers, body).await;
    match answer.map_err(|error| error.to_string())?.status {
        // Somebody else moved it meanwhile.
        200 | 409 => Ok(()),
        status => Err(format!("the webhook answered {status}")),
    }
}

/// As one part of a path: a purchase names its tracking id as it likes.
fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
