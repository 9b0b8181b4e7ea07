//! Seats of one team by buyer: a sorted list, since most teams are small and the largest has a thousand seats. One map
//! over all teams cost more than the rest of the seat together.

/// Seats by buyer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SeatsOf(Vec<(u32, u16)>);

impl SeatsOf {
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

    /// Seats of all buyers.
    pub(crate) fn seats(&self) -> usize {
        self.0.iter().map(|(_, seats)| usize::from(*seats)).sum()
    }

    /// Buyers with a seat.
    pub(crate) fn buyers(&self) -> usize {
        self.0.len()
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
        assert_eq!((seats.seats(), seats.buyers()), (3, 2));
        assert!(!seats.uncount(7) && seats.uncount(7) && !seats.uncount(7));
        assert_eq!((seats.seats(), seats.buyers()), (1, 1));
    }
}
