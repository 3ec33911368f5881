//! Replenishments: each row against what the log says of it. A row has the token that the factory
//! answers with, when it was asked and how often; the log has not, so of those nothing is told.

use commerce::LineId;

use super::{Audit, Violation};
use crate::entry::{Data, Entry};
use crate::ports::StoreError;

/// How often one that changes while it is compared is looked at again.
const LOOKS: usize = 50;
/// Rows read at a time.
const PAGE: usize = 1_000;

/// What the newest entry about a replenishment says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    line: LineId,
    id: String,
    factory: String,
    status: String,
    asked: u64,
    received: u64,
    last_seq: u64,
}

impl Audit<'_> {
    /// The entry is about a replenishment; `is_counted` when its goods arrived with it.
    pub(super) fn note_request(&mut self, entry: &Entry, data: &Data<'_>, is_counted: bool) {
        let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().unwrap_or("").into();
        let units = data.quantity.unwrap_or(0);
        let before = self.requests.get(&entry.subject);
        let request = Request {
            line: entry.line,
            id: text(&data.replenishment),
            factory: text(&data.factory),
            status: text(&data.status),
            asked: if is_counted {
                before.map_or(0, |before| before.asked)
            } else {
                units
            },
            received: if is_counted { units } else { 0 },
            last_seq: entry.seq,
        };
        self.requests.insert(entry.subject, request);
    }

    /// Rule 8: the rows are what their history gives.
    pub(super) fn compare_requests(&mut self) -> Result<(), StoreError> {
        let mut known: Vec<u64> = self.requests.keys().copied().collect();
        known.sort_unstable();
        for seq in known {
            self.compare_request(seq)?;
        }
        let mut before = None;
        loop {
            let page = self.reader.replenishments(None, before, PAGE)?;
            // What a live server asked for meanwhile is in the log before it is here.
            self.read_on()?;
            for stored in &page {
                before = Some(stored.seq);
                if !self.requests.contains_key(&stored.seq) {
                    self.tell_request(stored.seq, "is a replenishment that has no history");
                }
            }
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }

    fn compare_request(&mut self, seq: u64) -> Result<(), StoreError> {
        for _ in 0..LOOKS {
            let before = self.requests.get(&seq).map(|request| request.last_seq);
            let stored = self.reader.replenishment(seq)?;
            self.read_on()?;
            let Some(request) = self.requests.get(&seq) else {
                return Ok(());
            };
            if Some(request.last_seq) != before {
                continue;
            }
            let Some(stored) = stored else {
                self.tell_request(seq, "is a replenishment that is not stored");
                return Ok(());
            };
            let found = Request {
                line: stored.product.into(),
                id: stored.id().to_string(),
                factory: stored.factory.to_string(),
                status: stored.status.as_str().to_owned(),
                asked: stored.quantity,
                received: stored.received,
                last_seq: request.last_seq,
            };
            if found != *request {
                self.tell_request(
                    seq,
                    "is a replenishment that is stored differently from what its history gives",
                );
            }
            return Ok(());
        }
        Ok(())
    }

    fn tell_request(&mut self, seq: u64, what: &str) {
        let line = self.requests.get(&seq).map(|request| request.line);
        let line = line.and_then(|line| self.lines.get(&line));
        let sku = line.map(|line| line.sku.clone());
        self.tell(Violation {
            rule: 8,
            sku,
            seq: Some(seq),
            place: None,
            what: what.to_owned(),
        });
    }
}
