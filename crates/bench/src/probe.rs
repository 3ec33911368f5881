//! What one durable write costs on this disk, since that is what every verdict waits for.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::clock;
use crate::error::{BenchError, io_error};
use crate::load::{histogram, micros, quantile_ms};

const WRITES: u32 = 500;
const WRITE_BYTES: usize = 4096;

/// One page and one `fdatasync`, many times.
#[derive(Clone, Debug, Serialize)]
pub struct Probe {
    /// The file grows with each write, as a log does after it was cut.
    pub append_ms_p50: f64,
    pub append_ms_p99: f64,
    /// The page was written before, as in a log that is written over.
    pub overwrite_ms_p50: f64,
    pub overwrite_ms_p99: f64,
}

pub fn run(dir: &Path) -> Result<Probe, BenchError> {
    let path = dir.join("fsync-probe");
    let probe = measure(&path).map_err(io_error(format!("fsync probe in {}", dir.display())));
    // What is left behind is one small file in a directory of measurements.
    let _ = std::fs::remove_file(&path);
    probe
}

fn measure(path: &Path) -> std::io::Result<Probe> {
    let append = measure_pass(path)?;
    let overwrite = measure_pass(path)?;
    Ok(Probe {
        append_ms_p50: quantile_ms(&append, 0.5),
        append_ms_p99: quantile_ms(&append, 0.99),
        overwrite_ms_p50: quantile_ms(&overwrite, 0.5),
        overwrite_ms_p99: quantile_ms(&overwrite, 0.99),
    })
}

fn measure_pass(path: &Path) -> std::io::Result<Histogram<u32>> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    file.seek(SeekFrom::Start(0))?;
    let page = [7; WRITE_BYTES];
    let mut times = histogram();
    for _ in 0..WRITES {
        let begin = clock::now();
        file.write_all(&page)?;
        file.sync_data()?;
        times.saturating_record(micros(clock::now() - begin));
    }
    Ok(times)
}
