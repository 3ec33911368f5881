//! The contract of a store, as tests: every store passes all of them.
//!
//! They are written against `engine::ports` only. A store says how it is opened and how it is
//! opened again after a crash ([`Harness`]), and `suite!` makes one test of each check. What
//! is committed is told by a [`script::Script`], which fills in what an entry needs to be one;
//! no rule of selling is applied here, a store does not know any.
//!
//! A store that several processes write to passes more: all of this on two handles by turns
//! ([`shared::InTurns`]), and `shared_suite!`. It says how it is opened beside itself
//! ([`shared::SharedHarness`]).
//!
//! Not checked here: that a commit survives a power failure, which no test in a process can
//! see; each store says how it makes sure.

mod auctions;
mod bids;
mod clearing;
mod contention;
mod fair;
mod groups;
mod lines;
mod log;
mod looks;
mod lookups;
pub(crate) mod lots;
pub(crate) mod mail;
mod queues;
mod remembered;
pub(crate) mod script;
pub(crate) mod shared;
mod stock;
mod topics;

use engine::ports::{Loaded, Opened, Touch};

pub(crate) use auctions::{
    an_auction_is_loaded_with_the_bids_that_wait, auctions_are_due_in_the_order_of_their_times,
    auctions_are_found_and_listed_newest_first,
    entries_of_auctions_keep_their_line_and_what_is_sealed,
};
pub(crate) use bids::{
    an_auction_is_found_by_the_key_that_made_it, bids_carry_what_became_of_them,
    keys_of_bids_are_found_until_they_expire, standing_bids_leave_out_what_was_taken_back,
    the_bids_that_messages_refer_to_are_loaded_with_them,
};
pub(crate) use clearing::{
    a_purge_empties_a_queue_at_once, a_queue_deleted_and_made_again_is_another_one,
    what_is_past_its_retention_is_swept,
};
pub(crate) use contention::{
    a_reader_never_sees_half_a_commit, many_readers_do_not_disturb_the_writer,
};
pub(crate) use fair::{
    a_quiet_tenant_is_found_behind_the_backlog_of_a_noisy_one,
    a_tenant_with_few_but_slow_messages_becomes_noisy, many_quiet_tenants_are_all_found_in_time,
    nobody_is_noisy_without_much_in_flight,
};
pub(crate) use groups::{
    a_group_in_flight_is_left_out_until_all_of_it_is_back, a_head_holds_the_first_ten_of_a_group,
    a_new_delay_counts_for_what_nobody_has_received,
    groups_come_by_the_time_they_could_be_received, several_receives_find_enough_groups,
    the_first_of_a_group_come_whatever_their_state,
};
pub(crate) use lines::{
    a_head_is_loaded_when_it_is_asked_for, a_head_is_never_longer_than_one_call_decides,
    orders_carry_what_became_of_them, products_are_found_by_sku, the_line_is_read_in_place_order,
    unsettled_products_are_those_that_may_be_owed_something,
    who_stands_before_a_place_is_counted_in_long_lines,
};
pub(crate) use log::{an_empty_store_has_nothing, entries_come_back_as_they_were_written};
pub(crate) use looks::{
    queues_keep_all_that_was_set, queues_with_a_move_under_way_are_found,
    the_next_message_that_becomes_visible_is_known, there_is_room_for_many_purges_and_messages,
};
pub(crate) use lookups::{
    customers_hold_the_keys_that_are_still_live, keys_are_found_until_they_expire,
    keys_that_share_their_first_half_are_told_apart, purchases_count_what_was_not_given_back,
    purchases_from_before_the_limit_count,
};
pub(crate) use queues::{
    dead_letters_bring_the_queue_they_came_from, depths_tell_visible_from_in_flight_and_delayed,
    messages_are_changed_and_removed, messages_in_flight_are_counted_near_the_bound,
    messages_past_their_bytes_are_left_out, queues_are_loaded_with_those_beside_them,
    the_oldest_visible_message_comes_first,
    what_was_visible_when_the_newest_entry_was_made_still_is,
};
pub(crate) use remembered::{
    duplicates_are_found_in_both_scopes, duplicates_outlive_the_message_and_a_purge,
    receive_attempts_come_with_their_messages, topics_bring_the_duplicates_of_all_they_lead_to,
};
pub(crate) use shared::{
    a_batch_has_the_store_until_it_ends, two_writers_leave_no_gap_and_lose_nothing,
    what_was_committed_is_news_once,
};
pub(crate) use stock::{references_are_known_per_product, replenishments_are_found_and_listed};
pub(crate) use topics::{
    a_page_goes_on_when_its_last_subscription_is_gone, a_probe_writes_and_changes_nothing,
    a_queue_that_is_named_and_subscribed_comes_with_its_messages,
    subscriptions_are_kept_and_listed_in_their_order, subscriptions_bring_their_queues,
    the_relay_cursors_are_kept, topics_are_kept_and_listed_by_name,
    wide_topics_bring_the_queues_of_a_step,
};

/// How a store is opened.
pub(crate) trait Harness {
    /// A new store with nothing in it.
    fn open(&self) -> Opened;

    /// The newest store of this harness as a new process finds it. The old one gets no chance to
    /// say goodbye; where a store can also be closed in order, the two ways take turns.
    fn reopen(&self, opened: Opened) -> Opened;
}

/// One test for each check of the suite, on the stores of this harness.
macro_rules! suite {
    ($harness:expr) => {
        $crate::conformance::suite! { $harness,
            an_empty_store_has_nothing,
            entries_come_back_as_they_were_written,
            products_are_found_by_sku,
            orders_carry_what_became_of_them,
            a_head_is_loaded_when_it_is_asked_for,
            a_head_is_never_longer_than_one_call_decides,
            the_line_is_read_in_place_order,
            who_stands_before_a_place_is_counted_in_long_lines,
            unsettled_products_are_those_that_may_be_owed_something,
            keys_are_found_until_they_expire,
            keys_that_share_their_first_half_are_told_apart,
            customers_hold_the_keys_that_are_still_live,
            purchases_count_what_was_not_given_back,
            purchases_from_before_the_limit_count,
            references_are_known_per_product,
            replenishments_are_found_and_listed,
            entries_of_auctions_keep_their_line_and_what_is_sealed,
            auctions_are_found_and_listed_newest_first,
            auctions_are_due_in_the_order_of_their_times,
            an_auction_is_loaded_with_the_bids_that_wait,
            bids_carry_what_became_of_them,
            the_bids_that_messages_refer_to_are_loaded_with_them,
            keys_of_bids_are_found_until_they_expire,
            an_auction_is_found_by_the_key_that_made_it,
            standing_bids_leave_out_what_was_taken_back,
            the_oldest_visible_message_comes_first,
            what_was_visible_when_the_newest_entry_was_made_still_is,
            messages_are_changed_and_removed,
            messages_in_flight_are_counted_near_the_bound,
            messages_past_their_bytes_are_left_out,
            depths_tell_visible_from_in_flight_and_delayed,
            queues_are_loaded_with_those_beside_them,
            dead_letters_bring_the_queue_they_came_from,
            queues_keep_all_that_was_set,
            the_next_message_that_becomes_visible_is_known,
            queues_with_a_move_under_way_are_found,
            there_is_room_for_many_purges_and_messages,
            groups_come_by_the_time_they_could_be_received,
            a_new_delay_counts_for_what_nobody_has_received,
            a_group_in_flight_is_left_out_until_all_of_it_is_back,
            a_head_holds_the_first_ten_of_a_group,
            the_first_of_a_group_come_whatever_their_state,
            several_receives_find_enough_groups,
            a_quiet_tenant_is_found_behind_the_backlog_of_a_noisy_one,
            a_tenant_with_few_but_slow_messages_becomes_noisy,
            nobody_is_noisy_without_much_in_flight,
            many_quiet_tenants_are_all_found_in_time,
            duplicates_are_found_in_both_scopes,
            topics_bring_the_duplicates_of_all_they_lead_to,
            duplicates_outlive_the_message_and_a_purge,
            receive_attempts_come_with_their_messages,
            a_purge_empties_a_queue_at_once,
            a_queue_deleted_and_made_again_is_another_one,
            what_is_past_its_retention_is_swept,
            subscriptions_bring_their_queues,
            wide_topics_bring_the_queues_of_a_step,
            topics_are_kept_and_listed_by_name,
            subscriptions_are_kept_and_listed_in_their_order,
            a_page_goes_on_when_its_last_subscription_is_gone,
            a_queue_that_is_named_and_subscribed_comes_with_its_messages,
            the_relay_cursors_are_kept,
            a_probe_writes_and_changes_nothing,
            a_reader_never_sees_half_a_commit,
            many_readers_do_not_disturb_the_writer,
        }
    };
    ($harness:expr, $($check:ident,)*) => {
        $(
            #[test]
            fn $check() {
                $crate::conformance::$check(&$harness);
            }
        )*
    };
}
pub(crate) use suite;

/// What holds now must hold after a crash, and after another one.
fn always(harness: &dyn Harness, mut opened: Opened, mut check: impl FnMut(&mut Opened)) -> Opened {
    check(&mut opened);
    for _ in 0..2 {
        opened = harness.reopen(opened);
        check(&mut opened);
    }
    opened
}

fn load(opened: &mut Opened, touch: &Touch) -> Loaded {
    opened.store.load(touch).unwrap()
}
