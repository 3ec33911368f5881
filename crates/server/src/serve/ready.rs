//! Saying that requests are taken, to a script that asked for a file.

use std::path::Path;

use super::ServeError;

/// Whole or not at all: a reader never sees half a file.
pub(super) fn write_ready_file(file: Option<&Path>, text: &str) -> Result<(), ServeError> {
    let Some(file) = file else {
        return Ok(());
    };
    let beside = file.with_extension("tmp");
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, file))
        .map_err(|error| ServeError::Start(format!("cannot write {}: {error}", file.display())))
}
