//! The head of a queue, in the order in which it is to be delivered.

use std::collections::BTreeSet;

use commerce::Millis;
use engine::ports::{LoadedQueue, QueueTouch, StoreError};
use messaging::fair::Load;
use messaging::limits;
use rusqlite::Connection;

use super::Stored;
use crate::sqlite::mailbox::{self, GROUP_HEAD, Weight};

/// Who has how much in flight is counted anew after so long: it decides only who comes first.
const LOAD_EVERY_MS: Millis = 200;
/// Groups that are looked at for one receive when some of them are noisy.
const FAIR_GROUPS_MAX: usize = 256;
/// Messages that are passed by in search of some without a group.
const FAIR_PASSED_MAX: usize = 4_096;

impl Stored {
    /// The head of the queue, in the order in which it is to be delivered.
    pub(super) fn load_visible(
        &mut self,
        connection: &Connection,
        found: &mut LoadedQueue,
        touch: &QueueTouch,
        now: Millis,
    ) -> Result<(), StoreError> {
        let partition = self.queue.partition;
        found.in_flight = self.in_flight(connection, now)?;
        if self.queue.config.is_fifo() {
            let receives = touch
                .visible
                .div_ceil(limits::RECEIVE_MAX)
                .max(touch.receives);
            let weight = Weight::of(touch.visible_bytes);
            let (groups, is_cut) =
                mailbox::group_heads(connection, partition, now, receives, touch.visible, weight)?;
            found.groups = groups.into();
            (found.is_cut, found.has_more) = (is_cut, is_cut);
            return Ok(());
        }
        let mut weight = Weight::of(touch.visible_bytes);
        let wanted = touch.visible + 1;
        let (mut visible, is_cut) =
            mailbox::visible_messages(connection, partition, now, wanted, &mut weight)?;
        found.is_cut = is_cut && visible.len() < touch.visible;
        found.has_more = is_cut || visible.len() > touch.visible;
        visible.truncate(touch.visible);
        found.visible = visible.into();
        if self.is_grouped(connection)? {
            self.load_fair(connection, found, touch, now)?;
        }
        Ok(())
    }

    fn is_grouped(&mut self, connection: &Connection) -> Result<bool, StoreError> {
        if let Some(grouped) = self.grouped {
            return Ok(grouped);
        }
        let grouped = !mailbox::groups(connection, self.queue.partition, "", 1)?.is_empty();
        self.grouped = Some(grouped);
        Ok(grouped)
    }

    /// When a tenant is noisy, the heads of the quiet ones are candidates too, wherever they
    /// stand in the queue.
    fn load_fair(
        &mut self,
        connection: &Connection,
        found: &mut LoadedQueue,
        touch: &QueueTouch,
        now: Millis,
    ) -> Result<(), StoreError> {
        let (partition, wanted) = (self.queue.partition, touch.visible);
        // A clock that was set back must not keep it for as long.
        let is_fresh = |(at, _): &(Millis, Load)| (0..LOAD_EVERY_MS).contains(&(now - *at));
        if !self.load.as_ref().is_some_and(is_fresh) {
            let load = mailbox::load(connection, partition, now)?;
            self.load = Some((now, load));
        }
        let Some((_, load)) = &self.load else {
            return Ok(());
        };
        if load.noisy().next().is_none() {
            return Ok(());
        }
        found.load = Some(load.clone());
        let known: BTreeSet<u64> = found.visible.iter().map(|message| message.seq).collect();
        let groups = mailbox::groups(connection, partition, &self.group_walk, FAIR_GROUPS_MAX)?;
        // The next receive goes on behind them, and then from the front.
        self.group_walk = match groups.last() {
            Some(last) if groups.len() == FAIR_GROUPS_MAX => last.clone(),
            _ => String::new(),
        };
        // Without a group each message is a tenant of its own.
        let mut quiet =
            mailbox::visible_without_group(connection, partition, now, FAIR_PASSED_MAX, wanted)?;
        quiet.retain(|(_, seq)| !known.contains(seq));
        for group in groups.iter().filter(|group| !load.is_noisy(group)) {
            let places = mailbox::visible_of_group(connection, partition, group, now, GROUP_HEAD)?;
            quiet.extend(places.into_iter().filter(|(_, seq)| !known.contains(seq)));
        }
        quiet.sort_unstable();
        quiet.truncate(wanted);
        let mut weight = Weight::of(touch.visible_bytes);
        let mut front = Vec::new();
        for (_, seq) in quiet {
            if weight.is_full() {
                (found.is_cut, found.has_more) = (true, true);
                break;
            }
            if let Some(message) = mailbox::message(connection, partition, seq)? {
                weight.so_far += message.bytes();
                front.push(message);
            }
        }
        for message in front.into_iter().rev() {
            found.visible.push_front(message);
        }
        Ok(())
    }
}
