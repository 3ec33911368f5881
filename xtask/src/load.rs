//! The scripts of `load/`, each for a moment against a server of its own.
//!
//! What is tried here is the scripts and what k6 makes of their thresholds, not how fast the
//! server is: the bounds on time are wide enough for any machine, the others are the scripts' own.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process;
use crate::server::Server;

const SCRIPTS: [&str; 3] = ["purchases.js", "queues.js", "bids.js"];
/// Iterations that begin each second, and for how long.
const LOAD: [&str; 2] = ["RATE=20", "SECONDS=3"];
/// Bounds that answers keep on any machine, and ones that no answer keeps.
const WIDE: [&str; 2] = ["P95_MS=10000", "P99_MS=10000"];
const IMPOSSIBLE: [&str; 2] = ["P95_MS=0.001", "P99_MS=0.001"];
/// What k6 ends with when a threshold is not met, and when a script gives up.
const THRESHOLDS_CROSSED: i32 = 99;
const ABORTED: i32 = 108;
/// Three seconds of load, ten in which iterations may end, and a start.
const RUN_LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn run(k6: &Path, scripts: &Path, binary: &Path) -> Result<(), String> {
    let server = Server::start(binary)?;
    let shop = server.shop();
    let try_one = |script: &str, bounds, shop: &str, expected| {
        let mut run = Command::new(k6);
        // No other program is told of the run, and none can steer it.
        run.args(["run", "--no-usage-report", "--quiet", "--address", ""]);
        let addresses = [
            format!("BASE_URL={shop}"),
            format!("AWS_ENDPOINT_URL={}", server.aws_endpoint()),
        ];
        for setting in LOAD.into_iter().chain(bounds) {
            run.args(["-e", setting]);
        }
        for address in &addresses {
            run.args(["-e", address]);
        }
        run.arg(scripts.join(script));
        let status = process::run_to_end(&mut run, RUN_LIMIT)?;
        match status.code() {
            Some(code) if code == expected => Ok(()),
            _ => Err(format!("{script}: k6 ended with {status}, not {expected}")),
        }
    };
    for script in SCRIPTS {
        try_one(script, WIDE, &shop, 0)?;
        try_one(script, IMPOSSIBLE, &shop, THRESHOLDS_CROSSED)?;
    }
    // The other listener knows nothing of auctions.
    try_one("bids.js", WIDE, &server.aws_endpoint(), ABORTED)?;
    server.audit(binary)
}
