//! Teams counted from the ground up.

use ledger::Violation;

use super::SeatState;
use crate::book::Book;
use crate::book::order::Phase;
use crate::book::seats::SeatsOf;
use crate::book::team::TeamState;

impl Book {
    /// INV-6, counted from the ground up.
    pub(in crate::book) fn check_teams(&self) -> Result<(), Violation> {
        let off = |team: u32, what: &str| {
            let detail = format!("team {team}: {what}: {:?}", self.teams.get(team));
            Err(Violation::new("INV-6", detail))
        };
        let (mut teams_of, mut members) = (0, 0);
        for (team, number) in self.teams.all.iter().zip(0_u32..) {
            let (mut held, mut paid, mut charging) = (0, 0, 0);
            for member in &team.members {
                let order = self.orders.get(member.order);
                let Some(order) = order.filter(|order| order.seat.team() == Some(number)) else {
                    return off(number, "a member whose order is elsewhere");
                };
                let is_held = matches!(member.seat, SeatState::Held(_));
                if is_held != (order.phase == Phase::Held) {
                    return off(number, "a seat outlived its order, or an order its seat");
                }
                held += u32::from(is_held);
                paid += u32::from(member.seat == SeatState::Paid);
                charging += u32::from(order.phase == Phase::Held && order.is_charging());
                if member.buyer != order.buyer {
                    return off(number, "a seat of somebody else");
                }
            }
            members += team.members.len();
            let seats = SeatsOf::of(&team.members);
            teams_of += seats.buyers().count();
            if team.seats_of.as_ref().is_some_and(|kept| *kept != seats) {
                return off(number, "seats by buyer do not add up");
            }
            team.seats.check()?;
            if (team.seats.held().0, team.seats.sold().0, team.charging) != (held, paid, charging) {
                return off(number, "seats do not add up");
            }
            if team.is_full() && team.state != TeamState::Complete {
                return off(number, "full and not complete");
            }
        }
        let counted = self.teams.teams_of.iter().map(|&teams| usize::from(teams));
        if counted.sum::<usize>() != teams_of {
            return Err(Violation::new("INV-6", "teams by buyer do not add up"));
        }
        let seated = self
            .orders
            .iter()
            .filter(|order| order.seat.team().is_some());
        if seated.count() != members {
            return Err(Violation::new("INV-6", "an order has a seat in no team"));
        }
        Ok(())
    }
}
