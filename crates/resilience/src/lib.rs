//! What keeps one sick neighbour from making everybody sick: breakers, bulkheads, retry budgets, rate limits.
//!
//! Why it exists: whoever calls something outside needs the same three answers (may I call at all, is there a place for
//! me, may I call again), and they must be the same under a real clock and under that of a seed. So nothing in here
//! waits, reads a clock or starts anything: time is an argument, a refusal is a value that says when to come back, and
//! a change of state is returned, for the caller to tell.
//!
//! ```text
//!   a call ──▶ bulkhead: is there a place? ──▶ breaker: does it answer at all? ──▶ the neighbour
//!     ▲                                              ▲                                  │
//!     └── budget: may it be tried again? ◀───────────┴────────── answered, or not ◀─────┘
//! ```
//!
//! [`rate`] stands on both sides: before calls to a neighbour that publishes how many it bears, and at our own door.
//!
//! Start with [`breaker`], then [`bulkhead`], [`budget`] and [`rate`].
//!
//! Invariants: an open breaker lets nobody through; a half-open one lets at most its number of probes through; a
//! bulkhead never holds more than its places; retries never exceed the share of calls plus the floor plus the burst; in no span of time
//! does a rate limit let more through than its burst and what came back meanwhile.
//!
//! Not here: waiting, timers, and what counts as a failure; the caller knows.

pub mod breaker;
pub mod budget;
pub mod bulkhead;
pub mod rate;

pub use breaker::{Breaker, Change, Pass, Refusal, State, TripRule, Verdict};
pub use budget::Budget;
pub use bulkhead::{Bulkhead, Entry};
pub use rate::{Keyed, Meter, Pace, Standing};
