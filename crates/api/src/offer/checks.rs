//! Checks of an offer: every fault with its path, all at once.

use super::{AlterOffer, Cut, GroupRule, HoldPolicy, LinePolicy, Offer, Presale};
use crate::check::{Check, Faults};
use crate::discounts::check_text_rules;
use crate::limits::{
    AMOUNT_MAX, GRACE_MS_MAX, GROUPS_MAX, HOLD_MS_MAX, HOLD_MS_MIN, LAPSES_MAX, LIFETIME_MS_MAX,
    LINE_PLACES_MAX, QUANTITY_MAX, SKU_MAX, STEPS_MAX, TEAM_SEATS_MAX, TEAM_SEATS_MIN, TIERS_MAX,
    WHOLE_BP,
};
use crate::plan::check_rules;
use std::collections::BTreeSet;
use std::fmt::Display;

/// Buyers' own counts are kept in 16 bits.
const COUNT_MAX: u64 = u16::MAX as u64;

impl Check for AlterOffer {
    fn check(&self, faults: &mut Faults) {
        self.offer.check_at(faults);
    }
}

impl Offer {
    /// Checks an offer that stands in the field `offer` of a body.
    pub(crate) fn check_at(&self, faults: &mut Faults) {
        faults.at_most("offer.groups", self.groups.len(), GROUPS_MAX);
        let mut seen = BTreeSet::new();
        for (place, group) in self.groups.iter().enumerate().take(GROUPS_MAX) {
            if !seen.insert(&*group.sku) {
                faults.add(
                    format_args!("offer.groups[{place}].sku"),
                    "has a group rule already",
                );
            }
            group.check_at(faults, GroupPath(place));
        }
        if let Some(presale) = &self.presale {
            presale.check_at(faults);
            if !self.groups.is_empty() {
                faults.add("offer.presale", "a sale has groups or a pre-sale, not both");
            }
        }
        if let Some(line) = &self.line {
            line.check_at(faults);
        }
        if let Some(holds) = &self.holds {
            holds.check_at(faults);
        }
        if let Some(discounts) = &self.discounts {
            discounts.check_at(faults);
        }
        check_text_rules(faults, &self.rules);
    }

    /// Adds a fault for each group rule whose SKU is not sold.
    pub(crate) fn check_skus(&self, faults: &mut Faults, sold: impl Fn(&str) -> bool) {
        for (place, group) in self.groups.iter().enumerate().take(GROUPS_MAX) {
            if !sold(&group.sku) {
                faults.add(
                    format_args!("offer.groups[{place}].sku"),
                    "names no SKU of the sale",
                );
            }
        }
    }
}

/// Where the fields of one group rule are.
#[derive(Clone, Copy)]
struct GroupPath(usize);

impl Display for GroupPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "offer.groups[{}]", self.0)
    }
}

impl GroupRule {
    fn check_at(&self, faults: &mut Faults, path: GroupPath) {
        faults.text(format_args!("{path}.sku"), &self.sku, SKU_MAX);
        // Where the size itself is wrong, what depends on it is held against the largest team.
        let (low, high) = (u64::from(TEAM_SEATS_MIN), u64::from(TEAM_SEATS_MAX));
        let size = u64::from(self.size);
        faults.between(format_args!("{path}.size"), size, low, high);
        let size = if (low..=high).contains(&size) {
            size
        } else {
            high
        };
        let numbers = [
            ("least", self.least.map_or(size, u64::from), 1, size),
            ("lifetime_ms", self.lifetime_ms, 1_000, LIFETIME_MS_MAX),
            ("stretch_ms", self.stretch_ms, 0, GRACE_MS_MAX),
            ("seats_per_buyer", self.seats_per_buyer.into(), 1, size),
            (
                "teams_per_buyer",
                self.teams_per_buyer.map_or(1, u64::from),
                1,
                COUNT_MAX,
            ),
            ("fill", self.fill.into(), 0, size - 1),
            (
                "prizes",
                self.prizes.map_or(1, u64::from),
                1,
                size.saturating_sub(1),
            ),
        ];
        for (name, number, least, most) in numbers {
            faults.between(format_args!("{path}.{name}"), number, least, most);
        }
        self.check_tiers(faults, path, size);
        if let Some(leader) = self.leader {
            leader.check_at(faults, format_args!("{path}.leader"));
        }
        check_rules(faults, format_args!("{path}.open_to"), &self.open_to);
        check_rules(faults, format_args!("{path}.join_to"), &self.join_to);
        self.check_lottery(faults, path, size);
    }

    fn check_tiers(&self, faults: &mut Faults, path: GroupPath, size: u64) {
        faults.at_most(format_args!("{path}.tiers"), self.tiers.len(), TIERS_MAX);
        for (place, tier) in self.tiers.iter().enumerate().take(TIERS_MAX) {
            faults.between(
                format_args!("{path}.tiers[{place}].seats"),
                tier.seats.into(),
                1,
                size,
            );
            faults.price(
                format_args!("{path}.tiers[{place}].price"),
                Some(tier.price),
            );
        }
        for (place, pair) in self.tiers.windows(2).enumerate().take(TIERS_MAX) {
            let place = place + 1;
            if pair[0].seats >= pair[1].seats {
                faults.add(
                    format_args!("{path}.tiers[{place}].seats"),
                    "must be more than in the tier before",
                );
            }
            if pair[0].price < pair[1].price {
                faults.add(
                    format_args!("{path}.tiers[{place}].price"),
                    "must not be above the tier before",
                );
            }
        }
    }

    /// A lottery team is full or fails.
    fn check_lottery(&self, faults: &mut Faults, path: GroupPath, size: u64) {
        if self.prizes.is_none() {
            return;
        }
        let least = self.least.map_or(size, u64::from);
        let wrong = [
            ("tiers", !self.tiers.is_empty()),
            ("fill", self.fill > 0),
            ("least", least < size),
        ];
        for (name, _) in wrong.into_iter().filter(|(_, wrong)| *wrong) {
            faults.add(
                format_args!("{path}.{name}"),
                "a lottery team is full or fails: it has no tiers, no fill, and least is size",
            );
        }
    }
}

impl Cut {
    fn check_at(self, faults: &mut Faults, path: impl Display) {
        match self {
            Self::OffMinor(amount) => {
                faults.between(format_args!("{path}.off_minor"), amount, 0, AMOUNT_MAX);
            }
            Self::ShareBp(share) => {
                faults.between(
                    format_args!("{path}.share_bp"),
                    share.into(),
                    0,
                    WHOLE_BP.into(),
                );
            }
        }
    }
}

impl Presale {
    fn check_at(&self, faults: &mut Faults) {
        self.deposit.check_at(faults, "offer.presale.deposit");
        if self.from >= self.until {
            faults.add("offer.presale.until", "must be later than from");
        }
        faults.between("offer.presale.grace_ms", self.grace_ms, 0, GRACE_MS_MAX);
    }
}

impl LinePolicy {
    fn check_at(&self, faults: &mut Faults) {
        let most = u64::from(QUANTITY_MAX);
        let numbers = [
            ("hold_ms", self.hold_ms, HOLD_MS_MIN, HOLD_MS_MAX),
            ("units_most", self.units_most.into(), 1, most),
            (
                "places_most",
                self.places_most.into(),
                1,
                LINE_PLACES_MAX.into(),
            ),
        ];
        for (name, number, least, most) in numbers {
            faults.between(format_args!("offer.line.{name}"), number, least, most);
        }
    }
}

impl HoldPolicy {
    fn check_at(&self, faults: &mut Faults) {
        faults.between("offer.holds.grace_ms", self.grace_ms, 0, GRACE_MS_MAX);
        let open = self.open_most.map_or(1, u64::from);
        faults.between("offer.holds.open_most", open, 1, COUNT_MAX);
        faults.at_most("offer.holds.steps", self.steps.len(), STEPS_MAX);
        for (place, step) in self.steps.iter().enumerate().take(STEPS_MAX) {
            let numbers = [
                ("lapses", step.lapses.into(), 1, LAPSES_MAX.into()),
                ("hold_ms", step.hold_ms, HOLD_MS_MIN, HOLD_MS_MAX),
                ("open_most", step.open_most.into(), 1, COUNT_MAX),
            ];
            for (name, number, least, most) in numbers {
                let path = format_args!("offer.holds.steps[{place}].{name}");
                faults.between(path, number, least, most);
            }
        }
        for (place, pair) in self.steps.windows(2).enumerate().take(STEPS_MAX) {
            if pair[0].lapses >= pair[1].lapses {
                faults.add(
                    format_args!("offer.holds.steps[{}].lapses", place + 1),
                    "must be more than in the step before",
                );
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn faults_of(offer: &str) -> Vec<String> {
        let body: AlterOffer = serde_json::from_str(&format!("{{\"offer\":{offer}}}")).unwrap();
        let problem = body.checked().unwrap_err();
        let fields = problem.errors().iter().map(|error| error.field.to_string());
        fields.collect()
    }

    #[test]
    fn a_small_rule_is_enough_for_a_group_buy() {
        let json = r#"{"offer":{"groups":[{"sku":"CUP","size":3,"lifetime_ms":60000}],
            "line":{"hold_ms":60000},"holds":{"grace_ms":5000,"steps":[{"lapses":2,"hold_ms":60000,"open_most":1}]}}}"#;
        let body: AlterOffer = serde_json::from_str(json).unwrap();
        assert_eq!(body.checked(), Ok(()));
        let back = serde_json::to_string(&body).unwrap();
        assert_eq!(serde_json::from_str::<AlterOffer>(&back).unwrap(), body);
    }

    #[test]
    fn every_bad_field_of_a_group_is_named_at_once() {
        let fields = faults_of(
            r#"{"groups":[{"sku":"","size":1,"least":0,"lifetime_ms":-1,"stretch_ms":3600001,
                "tiers":[{"seats":5,"price":"2"},{"seats":4,"price":"x"},{"seats":2000,"price":"3"}],
                "seats_per_buyer":0,"teams_per_buyer":0,"fill":1000,"prizes":0,"leader":{"share_bp":10001},
                "open_to":[{"test":"any_tag"}]}]}"#,
        );
        let expected = [
            "sku",
            "size",
            "least",
            "lifetime_ms",
            "stretch_ms",
            "seats_per_buyer",
            "teams_per_buyer",
            "fill",
            "prizes",
            "tiers[1].price",
            "tiers[2].seats",
            "tiers[1].seats",
            "tiers[2].price",
            "leader.share_bp",
            "open_to[0].tags",
            "tiers",
            "fill",
            "least",
        ];
        let expected: Vec<String> = expected
            .iter()
            .map(|field| format!("offer.groups[0].{field}"))
            .collect();
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_presale_a_line_and_holds_are_checked_field_by_field() {
        let fields = faults_of(
            r#"{"groups":[{"sku":"A","size":2,"lifetime_ms":1000},{"sku":"A","size":2,"lifetime_ms":1000}],
                "presale":{"deposit":{"off_minor":-1},"from":"2026-11-11T00:00:00Z","until":"2026-11-11T00:00:00Z",
                    "grace_ms":-1},
                "line":{"hold_ms":1,"units_most":0,"places_most":0},
                "holds":{"grace_ms":-1,"open_most":0,"steps":[{"lapses":2,"hold_ms":1,"open_most":0},
                    {"lapses":2,"hold_ms":1000,"open_most":1}]}}"#,
        );
        let expected = [
            "offer.groups[1].sku",
            "offer.presale.deposit.off_minor",
            "offer.presale.until",
            "offer.presale.grace_ms",
            "offer.presale",
            "offer.line.hold_ms",
            "offer.line.units_most",
            "offer.line.places_most",
            "offer.holds.grace_ms",
            "offer.holds.open_most",
            "offer.holds.steps[0].hold_ms",
            "offer.holds.steps[0].open_most",
            "offer.holds.steps[1].lapses",
        ];
        assert_eq!(fields, expected);
    }
}
