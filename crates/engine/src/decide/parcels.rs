//! What is told of parcels. The engine keeps no state of them: an entry is a note for those who
//! listen to the log, and repeating it changes nothing.

use std::borrow::Cow;

use super::Batch;
use crate::command::{PARCEL_NOTES_MAX, ParcelNote, Refusal, Reply};
use crate::entry::{Data, Kind};

impl Batch {
    pub(super) fn tell_parcels(&mut self, notes: Vec<ParcelNote>) -> Result<Reply, Refusal> {
        if notes.len() > PARCEL_NOTES_MAX {
            return Err(Refusal::TooMany {
                what: "notes of parcels at once",
                limit: PARCEL_NOTES_MAX,
            });
        }
        let told = notes.into_iter().map(|note| self.tell_parcel(&note));
        Ok(Reply::Batch(told.collect()))
    }

    fn tell_parcel(&mut self, note: &ParcelNote) -> Result<Reply, Refusal> {
        let order = self
            .find_order(note.order.seq)
            .filter(|order| order.id == note.order)
            .ok_or(Refusal::OrderNotFound)?;
        let kind = if note.is_new {
            Kind::ParcelCreated
        } else {
            Kind::ParcelMoved
        };
        let data = Data {
            sku: Some(Cow::Borrowed(order.sku.as_str())),
            reference: Some(Cow::Borrowed(&note.tracking_id)),
            status: Some(Cow::Borrowed(note.status)),
            ..Data::default()
        };
        self.record_system(kind, order.id.seq, &data);
        Ok(Reply::Done)
    }
}
