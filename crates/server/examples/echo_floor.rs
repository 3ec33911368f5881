//! The floor that `POST /orders` is measured against: the same HTTP stack with no work in it.
//!
//! The same axum, runtime, allocator and socket option as the server, with a thread for each
//! processor, of which the server leaves one to its sequencer. The request is parsed from typed
//! JSON and an answer of an order's size is written as typed JSON. What it leaves out is everything
//! that makes an order: validation, a place, a verdict, a disk.
//!
//! `echo_floor [--listen 127.0.0.1:0] [--ready-file PATH]`

use std::error::Error;
use std::io;
use std::path::PathBuf;

use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderRequest {
    sku: String,
    quantity: u64,
    customer: String,
}

/// The members of an accepted order, in their usual length.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrderResponse {
    id: &'static str,
    sku: String,
    quantity: u64,
    customer: String,
    status: &'static str,
    place: u64,
    unit_price: u64,
    currency: &'static str,
    placed_at: &'static str,
    decided_at: &'static str,
}

async fn echo_order(Json(order): Json<OrderRequest>) -> (StatusCode, Json<OrderResponse>) {
    let answer = OrderResponse {
        id: "ord_0000000r3k2m9q0x7d4c1v5b8n6j",
        sku: order.sku,
        quantity: order.quantity,
        customer: order.customer,
        status: "accepted",
        place: 100_017,
        unit_price: 19_900,
        currency: "KRW",
        placed_at: "2026-11-20T10:00:00.000Z",
        decided_at: "2026-11-20T10:00:00.000Z",
    };
    (StatusCode::CREATED, Json(answer))
}

struct Args {
    listen: String,
    ready_file: Option<PathBuf>,
}

fn parse_args() -> Result<Args, String> {
    let mut args = Args {
        listen: "127.0.0.1:0".to_owned(),
        ready_file: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words
            .next()
            .ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--listen" => args.listen = value,
            "--ready-file" => args.ready_file = Some(PathBuf::from(value)),
            _ => return Err(format!("unknown option {word}")),
        }
    }
    Ok(args)
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = parse_args()?;
    // One worker thread for each processor, as anyone would have it.
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(args))?;
    Ok(())
}

async fn serve(args: Args) -> io::Result<()> {
    let listener = TcpListener::bind(&args.listen).await?;
    let ready = format!("{{\"http\":\"http://{}\"}}", listener.local_addr()?);
    if let Some(path) = args.ready_file {
        std::fs::write(path, ready)?;
    }
    let listener = listener.tap_io(|stream| {
        // Without it answers are late, not wrong; the client then sees it in its latencies.
        let _ = stream.set_nodelay(true);
    });
    let routes = Router::new().route("/echo", post(echo_order));
    axum::serve(listener, routes).await
}
