//! The rows of the log and of the lines of products as they are written.

use engine::Entry;
use engine::ports::Changes;
use rusqlite::{Connection, params};

use super::line_sums::LineSums;
use super::read;

pub(super) fn write_entries(
    connection: &Connection,
    entries: &[Entry],
) -> Result<(), rusqlite::Error> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO log (seq, line, prev, kind, at, subject, data, hash, customer, secret, key, body,
                          sealed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    for entry in entries {
        let buyer = entry.buyer.as_ref();
        insert.execute(params![
            read::stored(entry.seq),
            entry.line.number(),
            read::stored(entry.prev),
            entry.kind.number(),
            entry.at,
            read::stored(entry.subject),
            &*entry.data,
            &entry.hash[..],
            buyer.map(|buyer| &*buyer.customer),
            buyer
                .and_then(|buyer| buyer.secret.as_ref())
                .map(|secret| &secret.0[..]),
            buyer
                .and_then(|buyer| buyer.key.as_ref())
                .map(|key| &key.0[..]),
            buyer.map(|buyer| buyer.body.0.cast_signed()),
            entry.sealed.as_deref(),
        ])?;
    }
    Ok(())
}

pub(super) fn write_lines(
    connection: &Connection,
    changes: &Changes,
) -> Result<(), rusqlite::Error> {
    for product in &changes.products {
        let state = serde_json::to_string(product).expect("a product has a JSON form");
        connection
            .prepare_cached(
                "INSERT INTO products (id, sku, state) VALUES (?1, ?2, ?3)
                 ON CONFLICT (id) DO UPDATE SET state = excluded.state",
            )?
            .execute(params![product.id.0, product.sku.as_str(), state])?;
    }
    let mut sums = LineSums::default();
    for (product, waiting) in &changes.waiting_added {
        sums.add(*product, waiting.place, waiting.quantity.get());
        connection
            .prepare_cached(
                "INSERT INTO waiting (product, place, order_seq, quantity, customer)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                product.0,
                read::stored(waiting.place),
                read::stored(waiting.order),
                waiting.quantity.get(),
                &*waiting.customer,
            ])?;
    }
    // After the additions: an order may come and go in one batch.
    for (product, place) in &changes.waiting_removed {
        sums.remove(connection, *product, *place)?;
    }
    sums.write(connection)?;
    for change in &changes.order_changes {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO order_changes
                 (order_seq, status, decided_at, cancelled_at, last_seq) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                read::stored(change.order),
                change.status.number(),
                change.decided_at,
                change.cancelled_at,
                read::stored(change.last_seq),
            ])?;
    }
    for (product, reference, quantity, seq) in &changes.references {
        connection
            .prepare_cached(
                "INSERT INTO receipts (product, reference, quantity, seq) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                product.0,
                reference.as_str(),
                read::stored(*quantity),
                read::stored(*seq),
            ])?;
    }
    for replenishment in &changes.replenishments {
        let state = serde_json::to_string(replenishment).expect("it has a JSON form");
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO replenishments (seq, product, open, state)
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                read::stored(replenishment.seq),
                replenishment.product.0,
                replenishment.is_open(),
                state,
            ])?;
    }
    Ok(())
}

pub(super) fn put_meta(
    connection: &Connection,
    name: &str,
    value: i64,
) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
        .execute(params![name, value])?;
    Ok(())
}
