//! Is the store as new as what follows it?

use engine::Engine;

use crate::cli::say;
use crate::workers::ConsumerParts;

/// A store that ends before what the consumers' databases know was restored without them, or has lost
/// its end. It is said, with those databases and by how many entries, and not refused: anybody who may
/// send to a consumer's queue can name a sequence.
pub(super) async fn tell_what_is_older(
    engine: &Engine,
    parts: &ConsumerParts,
) -> Vec<(String, i64)> {
    let ends_at = engine.feed().last_seq();
    let customers = parts.config.customers_file();
    let effects = parts.config.data.join("effects.db");
    let mut known = Vec::new();
    if customers.exists() {
        known.push((customers, parts.customers.newest_known().await));
    }
    if effects.exists() {
        known.push((effects, parts.effects.newest_known().await));
    }
    let mut newer = Vec::new();
    for (path, newest) in known {
        let file = path.display();
        match newest {
            Ok(knows) if knows > ends_at => {
                say(&format!(
                    "WARNING: {file} knows orders up to sequence {knows}, the store ends at {ends_at}: it is older. \
                     New orders with those sequences get no points, parcels and e-mails; restore the files of \
                     one backup together"
                ));
                tracing::error!(%file, knows, ends_at, "the store is older than what follows it");
                let name = path.file_name().unwrap_or(path.as_os_str());
                let by = i64::try_from(knows - ends_at).unwrap_or(i64::MAX);
                newer.push((name.to_string_lossy().into_owned(), by));
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%file, %error, "what follows orders waits: this cannot be read");
            }
        }
    }
    newer
}
