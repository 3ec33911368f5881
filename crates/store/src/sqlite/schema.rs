//! The tables, and how an older store becomes a newer one.
//!
//! ```text
//! log            seq -> everything that happened, appended only; an order is its first row
//! products       a product and the state of its line, JSON with its version in `v`
//! order_changes  what became of an order after its first row
//! waiting        (product, place) -> orders without a verdict
//! line_sums      (product, stretch) -> how many wait in so many places of a line
//! receipts       (product, reference) -> goods that were counted
//! replenishments seq -> requests to factories
//! queues         a queue's settings, and how many messages it has
//! messages       (partition, seq) in one number -> a message and its state
//! message_groups (partition, group) of FIFO queues -> from when on something may be received
//! duplicates     what was sent to FIFO queues and topics in the last minutes; appended only
//! attempts       what receive attempts were answered in the last minutes
//! dropped        partitions that were purged, to be cleared away
//! topics, subscriptions
//! auctions       seq -> an auction, JSON with its version in `auction.v`
//! bids_waiting   (auction, bid) -> deferred bids without a verdict
//! bid_changes    what became of a bid after its first row
//! lookups        blocks of what a decision looks up by a key or a customer
//! key_pages, holder_pages  (block, first in it, page) -> the idempotency keys of a block, sorted
//! meta           the relay's cursor, the last probe
//! ```

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::look_ups;

/// The version this program writes.
pub const VERSION: u32 = 6;

/// One script for each version, never edited once released.
const MIGRATIONS: [&str; VERSION as usize] = [V1, V2, V3, V4, V5, V6];

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

/// Full SQS and SNS: messages in columns, by partition; groups, deduplication, topics.
const V2: &str = "
ALTER TABLE queues RENAME TO queues_v1;
ALTER TABLE messages RENAME TO messages_v1;
ALTER TABLE subscriptions RENAME TO subscriptions_v1;
DROP INDEX messages_visible;
CREATE TABLE queues (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    partition INTEGER NOT NULL,
    next_seq INTEGER NOT NULL,
    total INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    purged_at INTEGER,
    config TEXT NOT NULL,
    more TEXT NOT NULL,
    moves TEXT NOT NULL
);
CREATE TABLE messages (
    key INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL,
    visible_at INTEGER NOT NULL,
    held INTEGER NOT NULL,
    receives INTEGER NOT NULL,
    first_received_at INTEGER,
    received_at INTEGER,
    receipt INTEGER,
    sent_at INTEGER NOT NULL,
    grp TEXT,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    extra TEXT
);
CREATE INDEX messages_visible ON messages (partition, visible_at, key, held, grp);
CREATE INDEX messages_group ON messages (partition, grp, key) WHERE grp IS NOT NULL;
CREATE TABLE message_groups (
    partition INTEGER NOT NULL,
    grp TEXT NOT NULL,
    available_at INTEGER NOT NULL,
    PRIMARY KEY (partition, grp)
) WITHOUT ROWID;
CREATE INDEX message_groups_available ON message_groups (partition, available_at, grp);
CREATE TABLE duplicates (
    n INTEGER PRIMARY KEY,
    sent_at INTEGER NOT NULL,
    hash BLOB NOT NULL,
    message TEXT NOT NULL,
    seq INTEGER NOT NULL
);
CREATE TABLE attempts (
    queue INTEGER NOT NULL,
    id TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (queue, id)
) WITHOUT ROWID;
CREATE INDEX attempts_received ON attempts (received_at);
CREATE TABLE dropped (partition INTEGER PRIMARY KEY);
CREATE TABLE topics (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL
);
CREATE TABLE subscriptions (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    topic TEXT NOT NULL,
    state TEXT NOT NULL
);
CREATE INDEX subscriptions_topic ON subscriptions (topic, n);

INSERT INTO queues
SELECT id, name, id, next_seq, total, created_at, created_at, NULL, config, '{}', '[]' FROM queues_v1;
INSERT INTO messages
SELECT (queue << 40) | seq, queue, visible_at, 0,
       state ->> 'receive_count', state ->> 'first_received_at_ms', state ->> 'received_at_ms',
       NULL, sent_at, state ->> 'group', state ->> 'id', state ->> 'body',
       nullif(json_remove(state, '$.seq', '$.id', '$.body', '$.group', '$.sent_at_ms',
           '$.visible_at_ms', '$.receive_count', '$.first_received_at_ms', '$.received_at_ms',
           '$.receipt'), '{}')
FROM messages_v1;
-- A receipt is a number of 64 bits without a sign, which JSON functions would round. Whoever
-- holds a message over the upgrade receives it again, at once.
UPDATE messages SET visible_at = sent_at
WHERE key IN (SELECT (queue << 40) | seq FROM messages_v1 WHERE in_flight);
INSERT INTO topics
SELECT (SELECT coalesce(max(id), 0) FROM queues_v1) + row_number() OVER (ORDER BY topic), topic,
       json_object('id', (SELECT coalesce(max(id), 0) FROM queues_v1)
                             + row_number() OVER (ORDER BY topic),
                   'topic', json_object('name', topic, 'fifo', NULL),
                   'attributes', json('{}'), 'tags', json('{}'), 'next_seq', 1, 'created_at', 0)
FROM (SELECT DISTINCT topic FROM subscriptions_v1);
INSERT INTO subscriptions (id, topic, state)
SELECT id, topic, json_object('topic', topic, 'attributes', json('{}'), 'created_at', 0,
    'subscription', json_object('id', id, 'protocol', 'queue', 'endpoint', queue,
                                'raw', json('true'), 'confirmed', json('true')))
FROM (SELECT topic, queue, lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4'
             || substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2) || '-'
             || hex(randomblob(6))) AS id
      FROM subscriptions_v1 ORDER BY topic, queue);
INSERT OR REPLACE INTO meta (name, value)
SELECT 'next_queue', 1 + coalesce(max(id), 0) FROM (SELECT id FROM queues UNION SELECT id FROM topics);
DROP TABLE queues_v1;
DROP TABLE messages_v1;
DROP TABLE subscriptions_v1;
";

/// Auctions and bids.
const V3: &str = "
ALTER TABLE log ADD COLUMN sealed TEXT;
CREATE TABLE auctions (
    seq INTEGER PRIMARY KEY,
    status INTEGER NOT NULL,
    due_at INTEGER,
    state TEXT NOT NULL
);
CREATE INDEX auctions_due ON auctions (due_at, seq) WHERE due_at IS NOT NULL;
CREATE INDEX auctions_status ON auctions (status, seq);
CREATE TABLE bids_waiting (
    auction INTEGER NOT NULL,
    bid INTEGER NOT NULL,
    PRIMARY KEY (auction, bid)
) WITHOUT ROWID;
CREATE TABLE bid_changes (
    bid INTEGER PRIMARY KEY,
    verdict INTEGER NOT NULL,
    retracted_at INTEGER,
    last_seq INTEGER NOT NULL
);

-- For people who look with the sqlite3 shell.
CREATE VIEW bids AS
SELECT log.seq AS bid_seq,
       -log.line AS auction_seq,
       verdict.data ->> 'no' AS no,
       log.customer AS bidder,
       log.sealed ->> 'amount' AS amount,
       log.sealed ->> 'maximum' AS maximum,
       CASE WHEN bid_changes.retracted_at IS NOT NULL THEN 'retracted'
            WHEN verdict.kind = 61 THEN 'accepted'
            WHEN verdict.kind = 62 THEN 'refused' ELSE 'pending' END AS status,
       verdict.data ->> 'reason' AS reason,
       coalesce(log.sealed ->> 'admittedAt', log.at) AS admitted_at,
       CASE verdict.kind WHEN 60 THEN NULL ELSE verdict.at END AS decided_at,
       bid_changes.retracted_at AS retracted_at
FROM log LEFT JOIN bid_changes ON bid_changes.bid = log.seq
     JOIN log AS verdict ON verdict.seq = coalesce(bid_changes.verdict, log.seq)
WHERE log.kind IN (60, 61, 62) AND log.subject = log.seq;
";

/// Entries about parcels: older programs do not know their kinds and must not open the store.
const V4: &str = "";

/// Idempotency keys on disk, sorted by block. [`fill`] puts those of older blocks there.
const V5: &str = "
CREATE TABLE key_pages (
    block INTEGER NOT NULL,
    first_key INTEGER NOT NULL,
    page INTEGER NOT NULL,
    entries BLOB NOT NULL,
    PRIMARY KEY (block, first_key, page)
);
CREATE TABLE holder_pages (
    block INTEGER NOT NULL,
    first_customer INTEGER NOT NULL,
    page INTEGER NOT NULL,
    entries BLOB NOT NULL,
    PRIMARY KEY (block, first_customer, page)
);
";

/// Sums of the waiting lines.
const V6: &str = "
CREATE TABLE line_sums (
    product INTEGER NOT NULL,
    stretch INTEGER NOT NULL,
    orders INTEGER NOT NULL,
    units INTEGER NOT NULL,
    PRIMARY KEY (product, stretch)
) WITHOUT ROWID;
INSERT INTO line_sums
SELECT product, place / 512, count(*), sum(quantity) FROM waiting GROUP BY 1, 2;
";

/// The same for those who may only read a store that is older than version 6.
pub(super) const READ_BEFORE_V6: &str = "
CREATE TEMP VIEW line_sums AS
SELECT product, place / 512 AS stretch, count(*) AS orders, sum(quantity) AS units
FROM waiting GROUP BY 1, 2;
";

/// For those who may only read a store that is older than version 3: what it does not have yet, as
/// if it were there and empty.
pub(super) const READ_BEFORE_V3: &str = "
CREATE TEMP VIEW log AS
SELECT seq, line, prev, kind, at, subject, data, hash, customer, secret, key, body, NULL AS sealed
FROM main.log;
CREATE TEMP TABLE auctions (seq INTEGER PRIMARY KEY, status, due_at, state);
CREATE INDEX auctions_due ON auctions (due_at, seq) WHERE due_at IS NOT NULL;
CREATE TEMP TABLE bids_waiting (auction, bid);
CREATE TEMP TABLE bid_changes (bid INTEGER PRIMARY KEY, verdict, retracted_at, last_seq);
";

pub(super) fn version(connection: &Connection) -> Result<u32, rusqlite::Error> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Brings a store from `found` to [`VERSION`], one transaction for each step.
pub(super) fn migrate(connection: &Connection, found: u32) -> Result<(), rusqlite::Error> {
    for (version, script) in (1..).zip(MIGRATIONS).skip(found as usize) {
        let step = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        step.execute_batch(script)?;
        fill(&step, version)?;
        step.pragma_update(None, "user_version", version)?;
        step.commit()?;
    }
    Ok(())
}

/// What no script can do.
fn fill(connection: &Connection, version: u32) -> Result<(), rusqlite::Error> {
    if version == 5 {
        look_ups::write_missing(connection)?;
    }
    Ok(())
}
