//! `firstcome bench`: measures the binary that it is, and leaves nothing behind.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::harness::{firstcome, run, text};

const QUICK: [&str; 14] = [
    "bench",
    "suite",
    "--rounds",
    "1",
    "--attempts",
    "1",
    "--quiet-wait",
    "0",
    "--warmup",
    "0",
    "--seconds",
    "0.2",
    "--connections",
    "4",
];

fn measure(here: &Path, more: &[&str]) -> Output {
    let mut bench = firstcome(&[&QUICK[..], more].concat());
    bench.current_dir(here);
    run(bench)
}

#[test]
fn a_machine_is_measured_with_the_binary_alone() {
    let here = tempfile::tempdir().unwrap();
    let output = measure(here.path(), &["--json", "figures.json"]);
    let (table, notes) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{notes}");
    assert!(
        table.contains("| `POST /orders`, accepted | 4 |"),
        "{table}"
    );

    let json = std::fs::read_to_string(here.path().join("figures.json")).unwrap();
    let report: Value = serde_json::from_str(&json).unwrap();
    let cells = report["cells"].as_array().unwrap();
    let rows: Vec<_> = cells
        .iter()
        .map(|cell| cell["row"].as_str().unwrap())
        .collect();
    assert!(rows.ends_with(&["orders", "sold-out"]), "{rows:?}");
    for cell in &cells[cells.len() - 2..] {
        let answered = cell["outcome"]["answered_total"].as_u64().unwrap();
        assert!(answered > 0);
        assert_eq!(
            cell["counted"], answered,
            "the product has that many orders"
        );
    }
    let left = std::fs::read_dir(here.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["figures.json"], "its stores are gone");
}

#[test]
fn what_cannot_be_measured_is_said() {
    let here = tempfile::tempdir().unwrap();
    let output = measure(here.path(), &["--firstcome", "nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("starting nowhere"),
        "{output:?}"
    );

    // Only this machine is ever loaded.
    let elsewhere = run(firstcome(&["bench", "load", "192.0.2.1:80"]));
    assert_eq!(elsewhere.status.code(), Some(1));
    assert!(
        text(&elsewhere.stderr).contains("loopback"),
        "{elsewhere:?}"
    );
}
