//! What a store is looked at for before it is handed out.

use std::path::Path;

use super::{FILE, OpenError};

/// A write-ahead log is of one file only. Where that file is missing or empty, `SQLite` would begin
/// a new one and delete the log, with all that was committed last; it does so for readers, too.
pub(super) fn refuse_log_alone(directory: &Path, shown: &str) -> Result<(), OpenError> {
    let length = |file: &Path| match std::fs::metadata(file) {
        Ok(found) => Ok(Some(found.len())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(OpenError::Io {
            path: shown.to_owned(),
            source,
        }),
    };
    // The log first: whoever makes a store at this moment gives it its first page before a log.
    let bytes = length(&directory.join(format!("{FILE}-wal")))?.unwrap_or(0);
    let state = match length(&directory.join(FILE))? {
        None => "missing",
        Some(0) => "empty",
        Some(_) => return Ok(()),
    };
    if bytes == 0 {
        return Ok(());
    }
    Err(OpenError::LogAlone {
        path: shown.to_owned(),
        state,
        bytes,
    })
}
