//! What the audience sees while it is played: one line for each thing that happened, with the seats as they are then.

use crate::terminal::{self, bold, faint, green, red};
use api::team::{Team, TeamSeats, TeamSettlement, TeamState};
use std::sync::Arc;
use std::time::Duration;
use world::Clock;

/// Tells what happens, or nothing.
pub(super) struct Story {
    is_told: bool,
    clock: Arc<dyn Clock>,
    begun: Duration,
}

impl Story {
    /// Begins now.
    pub(super) fn new(is_told: bool, clock: &Arc<dyn Clock>) -> Self {
        Self {
            is_told,
            clock: Arc::clone(clock),
            begun: clock.monotonic(),
        }
    }

    /// A heading and what it is about.
    ///
    /// # Errors
    /// The output is closed.
    pub(super) fn chapter(&self, title: &str, about: &str) -> anyhow::Result<()> {
        self.tell(&format!("\n{}\n  {}\n\n", bold(title), faint(about)))
    }

    /// Something happened to a team.
    ///
    /// # Errors
    /// The output is closed.
    pub(super) fn seats(&self, team: &Team, what: &str) -> anyhow::Result<()> {
        let what = match team.state {
            TeamState::Open => what.to_owned(),
            TeamState::Complete => green(what),
            TeamState::Failed => red(what),
        };
        let (seats, price) = (drawn(&team.seats), team.price);
        self.tell(&format!("  {}  {seats}  {price}  {what}\n", self.time()))
    }

    /// Money moved.
    ///
    /// # Errors
    /// The output is closed.
    pub(super) fn settlement(&self, team: &Team, far: &TeamSettlement) -> anyhow::Result<()> {
        let on_its_way = match far.pending_minor {
            0 => "nothing".to_owned(),
            pending => amount(pending),
        };
        let (back, settled, orders) = (amount(far.refunded_minor), far.settled, far.orders);
        let what = format!(
            "{back} back, {on_its_way} on its way back; {settled} of {orders} orders settled"
        );
        let (seats, price) = (drawn(&team.seats), team.price);
        self.tell(&format!("  {}  {seats}  {price}  {what}\n", self.time()))
    }

    fn time(&self) -> String {
        let past = self.clock.monotonic().saturating_sub(self.begun);
        faint(&format!("{:>5.1} s", past.as_secs_f64()))
    }

    fn tell(&self, text: &str) -> anyhow::Result<()> {
        if self.is_told {
            terminal::print(text)?;
        }
        Ok(())
    }
}

/// Seats as in `[●◐○]`: paid, held, free; `◆` is one that the house took.
pub(super) fn drawn(seats: &TeamSeats) -> String {
    let row = |sign: &str, count: u32| sign.repeat(usize::try_from(count).unwrap_or_default());
    format!(
        "[{}{}{}{}]",
        row("●", seats.paid),
        row("◆", seats.filled_by_house),
        row("◐", seats.held),
        row("○", seats.free)
    )
}

/// Money of the demo's currency, which has two decimals.
pub(super) fn amount(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let minor = minor.unsigned_abs();
    format!("{sign}{}.{:02}", minor / 100, minor % 100)
}
