//! The tables, and how an older store becomes a newer one.
//!
//! ```text
//! log            seq -> everything that happened, appended only; an order is its first row
//! products       a product and the state of its line, JSON with its version in `v`
//! order_changes  what became of an order after its first row
//! waiting        (product, place) -> orders without a verdict
//! receipts       (product, reference) -> goods that were counted
//! replenishments seq -> requests to factories
//! queues, messages (queue, seq), subscriptions
//! lookups        blocks of what the writer keeps in memory
//! meta           the relay's cursor, the last probe
//! ```

use rusqlite::Connection;

/// The version this program writes.
pub const VERSION: u32 = 1;

/// One script for each version, never edited once released.
const MIGRATIONS: [&str; VERSION as usize] = [V1];

const V1: &str = "
CREATE TABLE log (
    seq INTEGER PRIMARY KEY,
    line INTEGER NOT NULL,
    prev INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    at INTEGER NOT NULL,
    subject INTEGER NOT NULL,
    data TEXT NOT NULL,
    hash BLOB NOT NULL,
    customer TEXT,
    secret BLOB,
    key BLOB,
    body INTEGER
);
CREATE TABLE products (
    id INTEGER PRIMARY KEY,
    sku TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL
);
CREATE TABLE order_changes (
    order_seq INTEGER PRIMARY KEY,
    status INTEGER NOT NULL,
    decided_at INTEGER,
    cancelled_at INTEGER,
    last_seq INTEGER NOT NULL
);
CREATE TABLE waiting (
    product INTEGER NOT NULL,
    place INTEGER NOT NULL,
    order_seq INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    customer TEXT NOT NULL,
    PRIMARY KEY (product, place)
) WITHOUT ROWID;
CREATE TABLE receipts (
    product INTEGER NOT NULL,
    reference TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (product, reference)
) WITHOUT ROWID;
CREATE TABLE replenishments (
    seq INTEGER PRIMARY KEY,
    product INTEGER NOT NULL,
    open INTEGER NOT NULL,
    state TEXT NOT NULL
);
CREATE INDEX replenishments_open ON replenishments (seq) WHERE open = 1;
CREATE INDEX replenishments_product ON replenishments (product, seq);
CREATE TABLE queues (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    next_seq INTEGER NOT NULL,
    total INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    config TEXT NOT NULL
);
CREATE TABLE messages (
    queue INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    visible_at INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    in_flight INTEGER NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (queue, seq)
) WITHOUT ROWID;
CREATE INDEX messages_visible ON messages (queue, visible_at, seq, in_flight);
CREATE TABLE subscriptions (
    topic TEXT NOT NULL,
    queue TEXT NOT NULL,
    PRIMARY KEY (topic, queue)
) WITHOUT ROWID;
CREATE TABLE lookups (
    last_seq INTEGER PRIMARY KEY,
    newest_at INTEGER NOT NULL,
    entries BLOB NOT NULL
);
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

-- For people who look with the sqlite3 shell.
CREATE VIEW orders AS
SELECT log.seq AS order_seq,
       log.data ->> 'sku' AS sku,
       log.data ->> 'place' AS place,
       log.data ->> 'quantity' AS quantity,
       log.customer AS customer,
       CASE coalesce(order_changes.status, CASE log.kind WHEN 10 THEN 0 WHEN 11 THEN 1 ELSE 2 END)
           WHEN 0 THEN 'pending' WHEN 1 THEN 'accepted' WHEN 2 THEN 'sold_out'
           WHEN 3 THEN 'rejected' WHEN 4 THEN 'expired' ELSE 'cancelled' END AS status,
       log.at AS placed_at,
       coalesce(order_changes.decided_at, CASE log.kind WHEN 10 THEN NULL ELSE log.at END) AS decided_at,
       order_changes.cancelled_at AS cancelled_at
FROM log LEFT JOIN order_changes ON order_changes.order_seq = log.seq
WHERE log.kind IN (10, 11, 12) AND log.subject = log.seq;
";

pub(super) fn version(connection: &Connection) -> Result<u32, rusqlite::Error> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Brings a store from `found` to [`VERSION`], one transaction for each step.
pub(super) fn migrate(connection: &Connection, found: u32) -> Result<(), rusqlite::Error> {
    for (version, script) in (1..).zip(MIGRATIONS).skip(found as usize) {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {version};\nCOMMIT;"
        ))?;
    }
    Ok(())
}
