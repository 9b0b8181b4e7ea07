//! Seats of one large team by buyer: a sorted list, since the largest has a thousand seats. One map over all teams cost
//! more than the rest of the seat together, and small teams need no list at all.

use super::team::{Member, SeatState};

/// Seats by buyer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SeatsOf(Vec<(u32, u16)>);

impl SeatsOf {
    /// The seats that these members have.
    pub(crate) fn of(members: &[Member]) -> Self {
        let mut seats = Self::default();
        for member in members {
            if member.seat != SeatState::Gone {
                seats.count(member.buyer);
            }
        }
        seats
    }

    /// Seats of this buyer.
    pub(crate) fn get(&self, buyer: u32) -> u16 {
        let found = self.0.binary_search_by_key(&buyer, |(of, _)| *of);
        found.map_or(0, |at| self.0[at].1)
    }

    /// Counts a seat; whether it is the buyer's first one.
    pub(crate) fn count(&mut self, buyer: u32) -> bool {
        match self.0.binary_search_by_key(&buyer, |(of, _)| *of) {
            Ok(at) => {
                let seats = &mut self.0[at].1;
                *seats = seats.saturating_add(1);
                false
            }
            Err(at) => {
                self.0.insert(at, (buyer, 1));
                true
            }
        }
    }

    /// Counts a seat no longer; whether it was the buyer's last one.
    pub(crate) fn uncount(&mut self, buyer: u32) -> bool {
        let Ok(at) = self.0.binary_search_by_key(&buyer, |(of, _)| *of) else {
            return false;
        };
        let seats = &mut self.0[at].1;
        *seats = seats.saturating_sub(1);
        let last = *seats == 0;
        if last {
            self.0.remove(at);
        }
        last
    }

    /// Buyers with a seat.
    pub(crate) fn buyers(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|(buyer, _)| *buyer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_seat_of_a_buyer_are_told() {
        let mut seats = SeatsOf::default();
        assert!(seats.count(7) && !seats.count(7) && seats.count(3));
        assert_eq!((seats.get(7), seats.get(3), seats.get(5)), (2, 1, 0));
        assert!(seats.buyers().eq([3, 7]));
        assert!(!seats.uncount(7) && seats.uncount(7) && !seats.uncount(7));
        assert!(seats.buyers().eq([3]));
    }
}
