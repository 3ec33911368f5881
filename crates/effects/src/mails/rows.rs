//! A row of the table, as values.

use std::fmt;

use commerce::{CustomerHash, Millis};
use rusqlite::Row;
use rusqlite::types::Type;

use crate::unsigned;

/// The columns that [`Mail::from_row`] reads, in its order.
pub(super) const COLUMNS: &str = "no, id, kind, recipient, lang, order_seq, event, after, subject,
    text, html, created_at, status, attempts, deferrals, claimed_at, last_error, sent_at";

/// An e-mail that is to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct NewMail {
    /// The same id is the same e-mail.
    pub id: String,
    /// Why it is sent: `ads.pause`, `order.accepted`.
    pub kind: &'static str,
    pub recipient: String,
    /// As in HTML's `lang`.
    pub lang: &'static str,
    pub order_seq: Option<u64>,
    pub event: u64,
    /// Not handed over before the end of this one is known.
    pub after: Option<String>,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub created_at: Millis,
}

/// An e-mail as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Rises with every e-mail: what pages of a list are cut by.
    pub no: u64,
    pub new: Kept,
    pub status: Status,
    /// How often somebody began to hand it over.
    pub attempts: u32,
    /// How often the server put it off, since it was last begun.
    pub deferrals: u32,
    pub claimed_at: Option<Millis>,
    pub last_error: Option<String>,
    pub sent_at: Option<Millis>,
}

/// [`NewMail`] as it is read back: with the names that this or an older program has written.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    pub id: String,
    pub kind: String,
    pub recipient: String,
    pub lang: String,
    pub order_seq: Option<u64>,
    pub event: u64,
    pub after: Option<String>,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub created_at: Millis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Pending,
    Sent,
    /// It was refused for good.
    Failed,
    /// Before anybody had it, it was for nothing.
    Withdrawn,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Withdrawn => "withdrawn",
        }
    }

    pub(super) const fn number(self) -> i64 {
        match self {
            Self::Pending => 0,
            Self::Sent => 1,
            Self::Failed => 2,
            Self::Withdrawn => 3,
        }
    }

    pub(super) fn from_row(row: &Row<'_>, column: usize) -> rusqlite::Result<Self> {
        let number: i64 = row.get(column)?;
        [Self::Pending, Self::Sent, Self::Failed, Self::Withdrawn]
            .into_iter()
            .find(|status| status.number() == number)
            .ok_or_else(|| {
                let what = format!("no e-mail has the status {number}");
                rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, what.into())
            })
    }
}

impl Mail {
    pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            no: unsigned(row.get(0)?),
            new: Kept {
                id: row.get(1)?,
                kind: row.get(2)?,
                recipient: row.get(3)?,
                lang: row.get(4)?,
                order_seq: row.get::<_, Option<i64>>(5)?.map(unsigned),
                event: unsigned(row.get(6)?),
                after: row.get(7)?,
                subject: row.get(8)?,
                text: row.get(9)?,
                html: row.get(10)?,
                created_at: row.get(11)?,
            },
            status: Status::from_row(row, 12)?,
            attempts: row.get(13)?,
            deferrals: row.get(14)?,
            claimed_at: row.get(15)?,
            last_error: row.get(16)?,
            sent_at: row.get(17)?,
        })
    }
}

/// Without what it says, and the address as its hash.
fn show(f: &mut fmt::Formatter<'_>, id: &str, recipient: &str) -> fmt::Result {
    write!(f, "Mail({id} to {})", CustomerHash::of(recipient))
}

impl fmt::Debug for NewMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, &self.id, &self.recipient)
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, &self.new.id, &self.new.recipient)
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, &self.id, &self.recipient)
    }
}
