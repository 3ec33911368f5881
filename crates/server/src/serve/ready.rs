//! Saying that requests are taken, to a script that asked for a file.

use std::path::{Path, PathBuf};

use super::ServeError;
use crate::config::ConfigError;

/// Before anything else is done: a file of an earlier start says nothing of this one, and one that
/// cannot be written is a setting that is wrong.
pub(super) fn clear_ready_file(file: Option<&Path>) -> Result<(), ServeError> {
    let Some(file) = file else {
        return Ok(());
    };
    let beside = beside(file);
    std::fs::write(&beside, "")
        .and_then(|()| std::fs::remove_file(&beside))
        .and_then(|()| match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        })
        .map_err(|error| wrong(file, &error))
}

/// Whole or not at all: a reader never sees half a file.
pub(super) fn write_ready_file(file: Option<&Path>, text: &str) -> Result<(), ServeError> {
    let Some(file) = file else {
        return Ok(());
    };
    let beside = beside(file);
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, file))
        .map_err(|error| wrong(file, &error))
}

fn beside(file: &Path) -> PathBuf {
    file.with_extension("tmp")
}

fn wrong(file: &Path, error: &std::io::Error) -> ServeError {
    ServeError::Setting(ConfigError {
        name: "ready_file".to_owned(),
        what: format!("cannot write {}: {error}", file.display()),
    })
}
