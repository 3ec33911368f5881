//! `firstcome audit`: the rules proved on a store, or on the certificate of one auction.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use commerce::auction::certificate::{self, Verified, Violations};
use engine::audit::{Report, audit_with};
use engine::ports::Clock as _;
use serde_json::json;

use crate::adapters::SystemClock;
use crate::cli::{complain, say};

/// The largest certificate that is read, in bytes: it has to fit into memory.
const CERTIFICATE_BYTES_MAX: u64 = 2 << 30;
/// Heads of lines that are shown to a person; JSON has them all.
const HEADS_SHOWN: usize = 100;

#[derive(Args)]
pub(crate) struct AuditArgs {
    /// The directory of the store
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// What the server's `limits.key_retention_hours` is: a key may come again after it
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    key_retention_hours: u64,
    /// Verify the certificate of an auction instead, with nothing else
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    certificate: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &AuditArgs) -> ExitCode {
    match &args.certificate {
        Some(file) => run_certificate(file, args.json),
        None => run_store(args),
    }
}

fn run_certificate(file: &Path, as_json: bool) -> ExitCode {
    let length = std::fs::metadata(file).map(|metadata| metadata.len());
    let bytes = match length {
        Ok(length) if length > CERTIFICATE_BYTES_MAX => {
            complain(&format!(
                "{} has {length} bytes, the most is {CERTIFICATE_BYTES_MAX}",
                file.display()
            ));
            return ExitCode::FAILURE;
        }
        Ok(_) => std::fs::read(file),
        Err(error) => Err(error),
    };
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) => {
            complain(&format!("cannot read {}: {error}", file.display()));
            return ExitCode::FAILURE;
        }
    };
    let verified = certificate::verify(&bytes);
    say(&match (&verified, as_json) {
        (Ok(verified), true) => verified_json(verified).to_string(),
        (Ok(verified), false) => verified_text(verified),
        (Err(violations), true) => violations_json(violations).to_string(),
        (Err(violations), false) => format!("{violations}\nTHE CERTIFICATE DOES NOT HOLD"),
    });
    if verified.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn verified_json(verified: &Verified) -> serde_json::Value {
    let winners: Vec<_> = verified
        .winners
        .iter()
        .map(|won| json!({"bidder": won.bidder.as_str(), "no": won.no, "price": won.price}))
        .collect();
    json!({
        "holds": true,
        "auction": verified.auction,
        "final": verified.is_final,
        "opened": verified.opened,
        "entries": verified.entries,
        "bids": verified.bids,
        "refused": verified.refused,
        "undecided": verified.undecided,
        "onTrust": verified.on_trust,
        "winners": winners,
        "head": hex(verified.head),
        "headNamed": verified.head_named,
    })
}

fn violations_json(violations: &Violations) -> serde_json::Value {
    let told: Vec<_> = violations
        .told
        .iter()
        .map(|violation| json!({"seq": violation.seq, "what": violation.what}))
        .collect();
    json!({
        "holds": false,
        "violations": told,
        "violationsTotal": violations.total,
    })
}

fn verified_text(verified: &Verified) -> String {
    let mut text = format!(
        "{}: {} entries, {} bids taken, {} refused\n",
        verified.auction, verified.entries, verified.bids, verified.refused
    );
    if verified.undecided > 0 {
        let _ = writeln!(
            text,
            "{} deferred bids without a verdict",
            verified.undecided
        );
    }
    if verified.on_trust > 0 {
        let _ = writeln!(
            text,
            "{} bids came through the queue from elsewhere: when they did is the server's word",
            verified.on_trust
        );
    }
    for won in &verified.winners {
        let _ = writeln!(
            text,
            "won by {} with bid {} for {}",
            won.bidder,
            won.no,
            won.price.minor()
        );
    }
    if !verified.is_final {
        text.push_str("not closed: only what is public could be compared\n");
    } else if verified.winners.is_empty() {
        text.push_str("nobody won\n");
    }
    if !verified.head_named {
        text.push_str("from an older server: the number of its newest entry is not proved\n");
    }
    let _ = writeln!(text, "{}  entry {}", hex(verified.head), verified.head_seq);
    text.push_str("the certificate holds");
    text
}

fn run_store(args: &AuditArgs) -> ExitCode {
    let report = store::sqlite::open_reader(&args.data)
        .map_err(|error| error.to_string())
        .and_then(|reader| {
            let kept = Duration::from_secs(args.key_retention_hours.saturating_mul(3_600));
            audit_with(&*reader, kept, SystemClock.now()).map_err(|error| {
                let source = error.source.map(|source| format!(": {source}"));
                format!("{}{}", error.context, source.unwrap_or_default())
            })
        });
    match report {
        Ok(report) => {
            if args.json {
                say(&report_json(&report).to_string());
            } else {
                say(&report_text(&report));
            }
            if report.is_clean() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn hex(hash: [u8; 32]) -> String {
    blake3::Hash::from_bytes(hash).to_hex().to_string()
}

fn report_json(report: &Report) -> serde_json::Value {
    let violations: Vec<_> = report
        .violations
        .iter()
        .map(|violation| {
            json!({
                "rule": violation.rule,
                "sku": violation.sku,
                "seq": violation.seq,
                "place": violation.place,
                "what": violation.what,
            })
        })
        .collect();
    let heads: serde_json::Map<_, _> = report
        .heads
        .iter()
        .map(|(sku, hash)| (sku.clone(), hex(*hash).into()))
        .collect();
    json!({
        "clean": report.is_clean(),
        "entries": report.entries,
        "products": report.products,
        "orders": report.orders,
        "accepted": report.accepted,
        "replenishments": report.replenishments,
        "auctions": report.auctions,
        "auctionsClosed": report.auctions_closed,
        "bids": report.bids,
        "violations": violations,
        "violationsTotal": report.violations_total,
        "heads": heads,
    })
}

fn report_text(report: &Report) -> String {
    let mut text = format!(
        "{} entries, {} products, {} orders, {} accepted, {} replenishments, {} auctions, {} of them closed, {} bids\n",
        report.entries,
        report.products,
        report.orders,
        report.accepted,
        report.replenishments,
        report.auctions,
        report.auctions_closed,
        report.bids
    );
    for violation in &report.violations {
        let sku = violation.sku.as_deref().unwrap_or("-");
        let _ = write!(text, "rule {}: {sku}", violation.rule);
        if let Some(place) = violation.place {
            let _ = write!(text, " place {place}");
        }
        if let Some(seq) = violation.seq {
            let _ = write!(text, " (entry {seq})");
        }
        let _ = writeln!(text, " {}", violation.what);
    }
    let told = report.violations.len() as u64;
    if report.violations_total > told {
        let _ = writeln!(text, "and {} more", report.violations_total - told);
    }
    for (line, hash) in report.heads.iter().take(HEADS_SHOWN) {
        let _ = writeln!(text, "{}  {line}", hex(*hash));
    }
    if report.heads.len() > HEADS_SHOWN {
        let _ = writeln!(text, "and {} lines more", report.heads.len() - HEADS_SHOWN);
    }
    text.push_str(if report.is_clean() {
        "every rule holds"
    } else {
        "RULES ARE BROKEN"
    });
    text
}
