//! What entries do to the rows of teams: seats that are taken, paid and left, the end, the prizes.

use commerce::deal::{Opening, TeamEnd};
use ledger::UnitPrice;
use storage::models::{OrderKey, TeamRow};

use super::orders::Moment;
use super::shelf::{Shelf, Spot};
use super::words::{SeatWord, TEAM_STATES, number};
use api::team::TeamState;

/// A team that begins; a lottery team takes its prize units.
pub(super) fn opened(
    shelf: &mut Shelf,
    at: Moment,
    team: u32,
    opening: &Opening,
) -> Result<TeamRow, String> {
    let (rule, sku) = shelf.rule(opening.rule)?;
    let (size, prizes) = (rule.size, rule.prizes.unwrap_or(0));
    shelf.shift(sku, prizes.into(), Spot::Available, Spot::Held)?;
    Ok(TeamRow {
        key: OrderKey {
            sale: shelf.sale.sale,
            number: team,
        },
        rule: opening.rule,
        state: number(TEAM_STATES, &TeamState::Open),
        opened_ms: at.time_ms,
        ends_ms: opening.ends.0,
        ended_ms: None,
        size: size.into(),
        held: 0,
        paid: 0,
        filled: 0,
        house_fills: false,
        members: 0,
        settled: 0,
        prizes: prizes.into(),
        drawn: false,
    })
}

/// A team that something happens to.
pub(super) struct Seats<'a> {
    pub(super) team: &'a mut TeamRow,
    pub(super) at: Moment,
}

impl Seats<'_> {
    fn is(&self, state: TeamState) -> bool {
        self.team.state == number(TEAM_STATES, &state)
    }

    /// A seat is taken, for the first time or again.
    pub(super) fn take(&mut self, was: SeatWord) -> SeatWord {
        self.team.held += 1;
        self.team.members += u32::from(was == SeatWord::None);
        SeatWord::Held
    }

    /// A seat is paid; the last one completes the team.
    pub(super) fn post(&mut self) -> Result<SeatWord, String> {
        let held = self.team.held.checked_sub(1);
        self.team.held = held.ok_or("a seat is paid that nobody holds")?;
        self.team.paid += 1;
        if self.is(TeamState::Open) && self.team.paid + self.team.filled == self.team.size {
            self.end(TeamState::Complete);
        }
        Ok(SeatWord::Paid)
    }

    /// A seat is left; completion is never undone.
    pub(super) fn leave(&mut self, was: SeatWord) -> Result<SeatWord, String> {
        let none = "a seat is left that nobody has";
        match was {
            SeatWord::Held => {
                self.team.held = self.team.held.checked_sub(1).ok_or(none)?;
                self.team.filled += u32::from(self.team.house_fills);
                Ok(SeatWord::Gone)
            }
            SeatWord::Paid if self.is(TeamState::Complete) => Ok(SeatWord::Paid),
            SeatWord::Paid => {
                self.team.paid = self.team.paid.checked_sub(1).ok_or(none)?;
                Ok(SeatWord::Gone)
            }
            SeatWord::Gone | SeatWord::None => Ok(was),
        }
    }

    /// The time is over.
    pub(super) fn ended(&mut self, shelf: &mut Shelf, how: TeamEnd) -> Result<(), String> {
        match how {
            TeamEnd::Reached => self.end(TeamState::Complete),
            TeamEnd::Filled { seats } => {
                self.team.house_fills = true;
                self.team.filled += u32::from(seats);
                self.end(TeamState::Complete);
            }
            TeamEnd::Failed => {
                self.end(TeamState::Failed);
                self.free_prizes(shelf)?;
            }
        }
        Ok(())
    }

    fn end(&mut self, state: TeamState) {
        self.team.state = number(TEAM_STATES, &state);
        self.team.ended_ms = Some(self.at.time_ms);
    }

    /// So many of its orders are settled; after the last one no prize is left over.
    pub(super) fn settled(&mut self, shelf: &mut Shelf, orders: u32) -> Result<(), String> {
        self.team.settled += orders;
        if self.team.settled < self.team.members {
            return Ok(());
        }
        self.free_prizes(shelf)
    }

    fn free_prizes(&mut self, shelf: &mut Shelf) -> Result<(), String> {
        let (_, sku) = shelf.rule(self.team.rule)?;
        let prizes = std::mem::take(&mut self.team.prizes);
        shelf.shift(sku, prizes.into(), Spot::Held, Spot::Available)
    }

    /// A prize unit is sold to one of its orders.
    pub(super) fn win(&mut self, shelf: &mut Shelf) -> Result<(), String> {
        let (_, sku) = shelf.rule(self.team.rule)?;
        let left = self.team.prizes.checked_sub(1);
        self.team.prizes = left.ok_or("no prize is left")?;
        shelf.shift(sku, 1, Spot::Held, Spot::Sold)
    }

    /// The unit price of the tier at the end. A team that the house fills is full, from the first settled order on: the
    /// seats that are not paid then are the house's as soon as their orders are void.
    pub(super) fn last_price(&self, shelf: &Shelf) -> Result<Option<UnitPrice>, String> {
        let (rule, _) = shelf.rule(self.team.rule)?;
        let filled = match self.team.house_fills {
            true => rule.size,
            false => u16::try_from(self.team.paid + self.team.filled).unwrap_or(u16::MAX),
        };
        let first = rule.tiers.first();
        Ok(first.map(|first| rule.price_at(filled, first.price)))
    }
}
