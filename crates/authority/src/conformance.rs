//! The suite that every store must pass: what [`crate::store`] promises, case by case.
//!
//! A store's own tests say where its rows lie ([`Place`]) and call [`store_conformance!`](crate::store_conformance); every store so
//! runs the same cases under the same names. What concerns one engine only (files, connections, a full disk) is tested beside that
//! engine. Nothing here knows which store it talks to.

#![expect(clippy::unwrap_used, reason = "a test may end at a surprise")]

pub mod administration;
pub mod build;
pub mod contention;
pub mod earlier_versions;
pub mod grants;
pub mod identity;
pub mod keys;
pub mod ledger;
pub mod moving;
pub mod nodes;
pub mod revocations;
pub mod sessions;
pub mod sweeping;
pub mod usage;

use crate::moving::Rows;
use crate::store::Store;
use async_trait::async_trait;
use std::sync::Arc;

/// A place where rows lie: a directory, a database. It is removed when the value is dropped.
#[async_trait]
pub trait Place: Send + Sync + 'static {
    /// A place without any rows, which no other test uses.
    async fn fresh() -> Self
    where
        Self: Sized;

    /// Opens the store there, as another process or node would; the first one to open it makes the tables.
    async fn open(&self) -> Arc<dyn Store>;

    /// Opens its rows for a move, likewise.
    async fn rows(&self) -> Box<dyn Rows>;
}

/// One `#[tokio::test]` for every case, over stores of the given [`Place`](crate::conformance::Place).
#[macro_export]
macro_rules! store_conformance {
    ($place:ty) => {
        $crate::store_conformance! { @topics $place;
            administration {
                what_was_added_is_read_back
                a_platforms_id_names_one_user_and_one_account
                the_platforms_word_only_grows_and_makes_what_was_read_outdated
                a_refused_change_leaves_nothing_and_raises_no_version
                an_update_that_would_take_a_name_is_a_conflict
                a_row_that_was_read_before_a_change_replaces_nothing
                numbers_are_never_used_again
                a_given_number_is_kept_and_later_ones_are_free
                several_secrets_live_side_by_side
                an_app_leaves_with_its_secrets
                a_change_stands_with_its_records
                sixteen_tasks_add_one_name_and_one_succeeds
                a_text_that_nobody_could_have_stored_finds_nothing
            }
            contention {
                sixteen_tasks_spend_one_code_and_one_wins
                sixteen_tasks_insert_one_grant_and_one_wins
                one_grant_stands_in_a_batch_twice_and_one_wins
                one_write_sent_twice_at_once_is_recorded_once
                many_grants_at_once_are_all_written
                a_waiter_that_went_away_does_not_undo_its_write
            }
            grants {
                every_state_is_read_as_it_was_written
                a_grant_that_does_not_exist_is_none
                a_lost_write_leaves_nothing
                a_retry_recognises_its_own_write_and_records_it_once
                an_ended_grant_stays_ended
                every_ending_raises_the_tick
                a_grant_is_read_with_its_holder
                grants_are_listed_newest_first
            }
            identity {
                a_store_is_claimed_once
                sixteen_nodes_claim_a_store_and_one_wins
                the_tick_only_grows
                a_probe_changes_nothing
            }
            keys {
                a_key_is_added_once
                a_key_is_retired
                all_keys_are_resealed_or_none
                resource_servers_come_and_go
            }
            ledger {
                the_ledger_is_read_newest_first_and_keeps_one_of_a_kind
                sixteen_tasks_record_one_thing_and_it_stands_once
                entries_of_one_write_keep_their_order
            }
            moving {
                values_that_break_careless_code_arrive_as_they_left
                rows_come_in_pages_and_in_the_order_of_their_keys
                whoever_follows_a_move_finds_every_row_and_takes_no_number_twice
                an_interrupted_move_goes_on_where_it_stopped
                a_source_that_was_written_to_since_is_moved_anew
                a_changed_value_in_the_target_is_found_and_nothing_is_switched_over
                a_move_that_stopped_between_the_two_marks_is_finished_by_the_next
                what_is_not_ours_to_move_or_no_new_place_is_refused
                a_source_that_is_kept_can_be_served_again
            }
            nodes {
                what_one_node_writes_another_reads
                reopening_keeps_everything
                nodes_that_start_together_make_one_store
                two_nodes_rotate_one_grant_and_no_write_is_lost
                a_closed_store_refuses_writes
            }
            revocations {
                revocations_are_numbered_once_and_for_all
                a_token_without_a_grant_is_revoked
                a_reader_that_follows_misses_none
            }
            sessions {
                sessions_come_and_go
                a_session_that_replaces_another_ends_it
                a_change_ends_the_sessions_of_whom_it_concerns
                a_used_ticket_opens_nothing
                sixteen_tasks_use_one_ticket_and_one_wins
            }
            usage {
                usage_is_added_up_by_app_day_and_kind
                sixteen_writers_of_usage_lose_no_count
            }
            sweeping {
                sweeping_removes_what_is_over_and_never_a_live_row
                sweeping_spares_a_grant_that_comes_alive_meanwhile
                the_rest_is_swept_in_bounded_steps
            }
        }
    };
    (@topics $place:ty; $($topic:ident { $($case:ident)* })*) => {
        $(mod $topic {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let place = <$place as $crate::conformance::Place>::fresh().await;
                    $crate::conformance::$topic::$case(&place).await;
                }
            )*
        })*
    };
}

#[cfg(test)]
mod tests {
    /// A case that is missing in the list would never run.
    #[test]
    fn every_case_is_in_the_list() {
        let list = include_str!("conformance.rs");
        let topics = [
            include_str!("conformance/administration.rs"),
            include_str!("conformance/contention.rs"),
            include_str!("conformance/grants.rs"),
            include_str!("conformance/identity.rs"),
            include_str!("conformance/keys.rs"),
            include_str!("conformance/ledger.rs"),
            include_str!("conformance/moving.rs"),
            include_str!("conformance/nodes.rs"),
            include_str!("conformance/revocations.rs"),
            include_str!("conformance/sessions.rs"),
            include_str!("conformance/sweeping.rs"),
            include_str!("conformance/usage.rs"),
        ];
        let cases = topics.iter().flat_map(|topic| topic.lines()).filter_map(|line| line.strip_prefix("pub async fn "));
        for case in cases.map(|line| line.split('(').next().unwrap()) {
            assert!(list.lines().any(|line| line.trim() == case), "{case} is not in the list");
        }
    }
}
