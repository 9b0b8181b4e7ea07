//! Attacks: what went wrong elsewhere, done on purpose to the whole shop in its simulated world.
//!
//! Each test is a life built by hand: who comes, what breaks and at which moment, over a few seeds, so that what meets
//! meets in several orders. It asserts that nothing was found, and that the attack did take place. Comments name the
//! system that had the bug, or the requirement.
//!
//! What attacks which invariant, and over which boundary:
//!
//! | invariant | attacked by |
//! |---|---|
//! | INV-1 | `stock::checkouts_that_meet_at_the_last_unit_give_one_order`, `stock::two_lines_of_one_item_share_its_stock` |
//! | INV-2 | `money::two_refunds_of_60_on_100_at_once_give_one`, `money::a_refund_after_a_chargeback_pays_nothing_twice` |
//! | INV-3 | `clocks::a_hold_is_paid_before_its_deadline_or_expires_and_never_both`, `late::a_late_paid_never_reopens_a_refunded_order` |
//! | INV-4 | `keys::one_key_at_one_moment_over_four_connections_is_one_order`, `money::retries_reach_the_bank_under_one_key_and_are_few` |
//! | INV-5 | `stock::a_limit_of_two_lets_two_of_eight_requests_at_once_through`, `stock::the_last_that_fits_is_taken_and_one_more_is_not` |
//! | INV-6 | `teams::two_last_joiners_complete_their_team_and_nobody_is_refunded`, `teams::a_failed_team_refunds_everybody_by_itself_whatever_dies`, `teams::a_finished_team_stays_finished_when_a_member_is_refunded` |
//! | INV-7 | `keys::a_crash_after_the_key_is_bound_leaves_the_buyer_an_answer`, `stock::a_crash_at_any_disk_operation_leaves_the_last_unit_sold_once` |
//! | INV-8 | `invariants::a_flipped_byte_of_the_journal_is_found_by_the_chain` |
//! | INV-9 | `stock::mass_expiry_gives_every_unit_back_once_though_the_process_dies_in_it`, `late::a_capture_after_expiry_takes_free_units_again` |
//! | INV-10 | `money::a_crash_around_a_refund_gives_the_money_back_once`, `money::a_capture_that_comes_after_the_cancellation_goes_back` |
//! | INV-11 | `stock::snapshots_and_rebuilt_models_never_write_over_live_holds`, `invariants::rebuilt_lists_say_what_the_book_says` |
#![allow(clippy::unwrap_used)]

mod chaos;
mod clocks;
mod fallbacks;
mod fences;
mod hang_up;
mod invariants;
mod keys;
mod late;
mod money;
mod plans;
mod stock;
mod teams;
mod unreadable;
