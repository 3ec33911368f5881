//! The certificate of an auction: every entry of its line, so that anybody can prove it.
//!
//! Streamed, oldest entry first, though a line is read backwards: a first pass notes where every
//! [`PIECE`]th entry is, a second one reads piece by piece. So at most one piece is held in
//! memory, whatever the auction's size, and the store is never read for long at a time. What is
//! appended meanwhile is not part of it.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use commerce::Hash;
use engine::ports::{Reader, StoreError, line_entries};
use engine::{Engine, EngineError, Entry};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::find::find_or_refuse;
use crate::http::args::PathArgs;
use crate::http::error::HttpResult;
use crate::http::views::ProblemView;
use crate::state::App;

/// Entries that are held at a time.
const PIECE: usize = 1_000;

/// Reads for all certificates at once. Each takes a few thousandths of a second, and there may be
/// very many of them: bidders must not wait for those who look back.
const READS_MAX: usize = 2;
static READS: Semaphore = Semaphore::const_new(READS_MAX);

pub(super) fn public() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(certificate))
}

/// One entry of the line.
#[derive(Debug, Serialize, ToSchema)]
struct CertificateEntry {
    seq: u64,
    /// The entry before it in the line, 0 for the first.
    prev: u64,
    #[schema(example = "bid.accepted")]
    kind: &'static str,
    /// Milliseconds since 1970.
    at: i64,
    /// The exact text that is hashed, JSON.
    #[schema(value_type = String)]
    data: Arc<str>,
    /// Hexadecimal: BLAKE3 over the hash before it, the time, the kind and the data.
    hash: String,
    /// The exact text that `seal` in the data is the hash of, JSON. Only once it is final.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    sealed: Option<Arc<str>>,
}

/// The newest entry of the file, so that nothing about it can be changed alone.
#[derive(Debug, Serialize, ToSchema)]
struct CertificateHead {
    seq: u64,
    /// Its hash, hexadecimal.
    hash: String,
}

/// What is in the file.
#[derive(ToSchema)]
#[schema(as = Certificate)]
#[expect(
    dead_code,
    reason = "only its schema is used: the file is written in pieces"
)]
struct CertificateView {
    #[schema(example = "firstcome.certificate.v1")]
    format: String,
    auction: String,
    /// Whether it was closed, and everything is opened.
    r#final: bool,
    head: CertificateHead,
    /// Oldest first.
    entries: Vec<CertificateEntry>,
}

/// Everything that happened in an auction, for anybody to verify.
#[utoipa::path(
    get, path = "/auctions/{id}/certificate", tag = "auctions", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The certificate; sealed texts only once the auction was closed", body = CertificateView),
        (status = 404, description = "No such auction", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn certificate(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
) -> HttpResult<Response> {
    let stored = find_or_refuse(&app, &id).await?;
    let opened = stored.auction.status.was_closed();
    let ends = piece_ends(&app.engine, stored.last_seq).await?;
    let newest = CertificateHead {
        seq: stored.last_seq,
        hash: hex(stored.last_hash),
    };
    let newest = serde_json::to_string(&newest).expect("texts and numbers have a JSON form");
    let head = format!(
        r#"{{"format":"firstcome.certificate.v1","auction":"{id}","final":{opened},"head":{newest},"entries":["#
    );
    let writer = Writer {
        engine: app.engine.clone(),
        opened,
        head: Some(head),
        ends,
        previous: 0,
    };
    let pieces = stream::try_unfold(writer, Writer::next);
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    let disposition = format!("attachment; filename=\"{id}.certificate.json\"");
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_str(&disposition).expect("an id is ASCII"),
    );
    Ok(response)
}

async fn read<T: Send + 'static>(
    engine: &Engine,
    read: impl FnOnce(&dyn Reader) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, EngineError> {
    let _turn = READS.acquire().await.expect("never closed");
    engine.read(read).await
}

/// The last sequence of each piece, newest piece first.
async fn piece_ends(engine: &Engine, newest: u64) -> Result<Vec<u64>, EngineError> {
    let mut ends = Vec::new();
    let mut end = newest;
    while end > 0 {
        ends.push(end);
        end = read(engine, move |reader| before_piece(reader, end)).await?;
    }
    Ok(ends)
}

/// The entry before the piece that ends here; 0 when it is the first one.
fn before_piece(reader: &dyn Reader, end: u64) -> Result<u64, StoreError> {
    let mut seq = end;
    for _ in 0..PIECE {
        if seq == 0 {
            break;
        }
        let entry = reader.entry(seq)?.ok_or_else(|| missing(seq))?;
        seq = entry.prev;
    }
    Ok(seq)
}

fn missing(seq: u64) -> StoreError {
    StoreError::text(format!("entry {seq} of an auction's line is missing"))
}

/// What is still to be written.
struct Writer {
    engine: Engine,
    opened: bool,
    head: Option<String>,
    /// Oldest piece last.
    ends: Vec<u64>,
    /// The last entry that was written.
    previous: u64,
}

impl Writer {
    /// A failure in the middle cuts the answer off: no reader takes a part for the whole.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, EngineError> {
        let mut json = self.head.take().unwrap_or_default().into_bytes();
        let Some(end) = self.ends.pop() else {
            return Ok(None);
        };
        let previous = self.previous;
        let mut entries = read(&self.engine, move |reader| {
            line_entries(reader, end, PIECE, |entry| entry.seq <= previous)
        })
        .await?;
        entries.reverse();
        for entry in &entries {
            if self.previous > 0 {
                json.push(b',');
            }
            self.write(&mut json, entry);
            self.previous = entry.seq;
        }
        if self.ends.is_empty() {
            json.extend_from_slice(b"]}");
        }
        Ok(Some((json.into(), self)))
    }

    fn write(&self, json: &mut Vec<u8>, entry: &Entry) {
        let entry = CertificateEntry {
            seq: entry.seq,
            prev: entry.prev,
            kind: entry.kind.as_str(),
            at: entry.at,
            data: Arc::clone(&entry.data),
            hash: hex(entry.hash),
            sealed: entry.sealed.clone().filter(|_| self.opened),
        };
        serde_json::to_writer(json, &entry).expect("texts and numbers have a JSON form");
    }
}

fn hex(hash: Hash) -> String {
    blake3::Hash::from_bytes(hash).to_hex().to_string()
}
