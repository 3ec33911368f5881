//! Why a measurement could not be made. A wrong answer is not here: it is counted.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error("{0} is not a loopback address, and only loopback addresses are loaded")]
    NotLoopback(SocketAddr),
    #[error("{field}: {problem}")]
    Option {
        field: &'static str,
        problem: String,
    },
    #[error("{what}")]
    Io {
        what: String,
        #[source]
        source: io::Error,
    },
    #[error("{program} was not ready within {limit_s} s; its output is in {log}")]
    NotReady {
        program: PathBuf,
        limit_s: u64,
        log: PathBuf,
    },
    #[error("{program} ended before it was ready ({status}); its output is in {log}")]
    EndedEarly {
        program: PathBuf,
        status: String,
        log: PathBuf,
    },
    #[error("{call} was answered {status}: {body}")]
    Setup {
        call: String,
        status: u16,
        body: String,
    },
    #[error("{call} was answered with something else than expected: {body}")]
    Answer { call: String, body: String },
}

/// Says what was being done when an I/O error came up.
pub(crate) fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> BenchError {
    let what = what.into();
    move |source| BenchError::Io { what, source }
}
