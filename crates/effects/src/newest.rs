//! The newest entry of the sale's log that these databases know.
//!
//! A log that ends before it is older than they are: its file was restored alone, or its end was lost.
//! What is sold next gets sequences that were given out before, and its effects are taken for known.
//! Looked at are the last rows of each kind: they were written in nearly the log's order.

use rusqlite::Transaction;

use crate::customers::Customers;
use crate::database::{DatabaseError, Effects};
use crate::unsigned;

const OF_CUSTOMERS: &str = "
SELECT max(coalesce((SELECT max(order_seq) FROM mileage WHERE order_seq IS NOT NULL), 0),
           coalesce((SELECT max(seq) FROM (SELECT seq FROM units ORDER BY id DESC LIMIT 1000)), 0))";

const OF_EFFECTS: &str = "
SELECT max(coalesce((SELECT max(order_seq) FROM
             (SELECT order_seq FROM parcel ORDER BY id DESC LIMIT 1000)), 0),
           coalesce((SELECT max(event) FROM
             (SELECT event FROM mail WHERE kind <> 'alert' ORDER BY no DESC LIMIT 1000)), 0))";

fn newest(transaction: &Transaction<'_>, query: &str) -> rusqlite::Result<u64> {
    transaction
        .query_row(query, [], |row| row.get(0))
        .map(unsigned)
}

impl Customers {
    /// 0 when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_known(&self) -> Result<u64, DatabaseError> {
        let read = |transaction: &Transaction<'_>| newest(transaction, OF_CUSTOMERS);
        self.database().read(read).await
    }
}

impl Effects {
    /// 0 when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_known(&self) -> Result<u64, DatabaseError> {
        let read = |transaction: &Transaction<'_>| newest(transaction, OF_EFFECTS);
        self.0.read(read).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::customers::{MileageFact, MileageWhat};

    #[tokio::test]
    async fn the_newest_is_found_whoever_knows_it() {
        let directory = tempfile::tempdir().unwrap();
        let customers = Customers::new(&directory.path().join("customers.db"));
        assert_eq!(customers.newest_known().await.unwrap(), 0);
        let fact = |order_seq| MileageFact {
            customer: "kim@example.com".to_owned(),
            at: 1,
            what: MileageWhat::Accepted {
                order_seq,
                points: 5,
            },
        };
        customers
            .count_mileage(vec![fact(7), fact(3)])
            .await
            .unwrap();
        assert_eq!(customers.newest_known().await.unwrap(), 7);
        let effects = Effects::new(&directory.path().join("effects.db"));
        assert_eq!(effects.newest_known().await.unwrap(), 0);
        let insert = "INSERT INTO mail (id, kind, recipient, lang, event, subject, text, html,
                        created_at, status, attempts, deferrals, may_be_taken)
                      VALUES (?1, ?2, 'a', 'en', ?3, '', '', '', 1, 0, 0, 0, 0)";
        for (id, kind, event) in [("a", "order.accepted", 12), ("b", "alert", 99)] {
            let insert = move |tx: &Transaction<'_>| tx.execute(insert, (id, kind, event));
            effects.0.write(insert).await.unwrap();
        }
        assert_eq!(effects.newest_known().await.unwrap(), 12);
    }
}
