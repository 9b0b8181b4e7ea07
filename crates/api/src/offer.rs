//! What a sale offers beyond plain orders, on the wire: group buys, a deposit pre-sale, a waiting line, and what becomes
//! of holds.

mod checks;

use crate::check::{keyed, lenient_maybe_u32, lenient_u32, lenient_u64};
use crate::discounts::{Discounts, TextRule};
use crate::plan::Rule;
use crate::price::PriceText;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a sale offers beyond plain orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Group buys, one for each SKU at most, 100 in all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupRule>,
    /// Every order is paid by a deposit and a balance. Not together with groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presale: Option<Presale>,
    /// Who finds it sold out may wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LinePolicy>,
    /// What becomes of holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<HoldPolicy>,
    /// Coupons and discounts by level; buyers do not see them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discounts: Option<Discounts>,
    /// Rules as text, at most 64, asked with every order after the sale's own rules; buyers do not see them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<TextRule>,
}

/// Body of `PUT /v1/sales/{id}/offer`: the whole new offer. Teams keep the rule under which they were opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlterOffer {
    /// The whole new offer; `{}` offers plain orders only.
    pub offer: Offer,
    /// The idempotency key, when it is not in a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Box<str>>,
}

keyed!(AlterOffer);

/// How one SKU is sold to teams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupRule {
    /// Which SKU of the sale.
    pub sku: Box<str>,
    /// Seats of a team; it completes when the last one is paid.
    #[serde(deserialize_with = "lenient_u32")]
    #[schema(minimum = 2, maximum = 1_000)]
    pub size: u32,
    /// Paid seats with which a team still comes about when its time is over; `size` when missing.
    #[serde(
        default,
        deserialize_with = "lenient_maybe_u32",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000)]
    pub least: Option<u32>,
    /// From opening to end, ms.
    #[serde(deserialize_with = "lenient_u64")]
    #[schema(minimum = 1_000, maximum = 2_592_000_000_u64)]
    pub lifetime_ms: u64,
    /// How much longer a team lives at most while payments of its members are in flight, ms.
    #[serde(default, deserialize_with = "lenient_u64")]
    #[schema(minimum = 0, maximum = 3_600_000)]
    pub stretch_ms: u64,
    /// Unit prices by paid seats, in rising order of seats and falling order of price; none: the SKU's own price.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
    /// What a member pays at first; the difference to the tier at the end goes back.
    #[serde(default)]
    pub pays: Pays,
    /// Seats of one buyer in one team.
    #[serde(default = "one", deserialize_with = "lenient_u32")]
    #[schema(minimum = 1, maximum = 1_000, default = 1)]
    pub seats_per_buyer: u32,
    /// Teams in which one buyer may have a seat; missing is no limit.
    #[serde(
        default,
        deserialize_with = "lenient_maybe_u32",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 65_535)]
    pub teams_per_buyer: Option<u32>,
    /// Who may open a team; all rules must be passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open_to: Vec<Rule>,
    /// Who may join one; all rules must be passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub join_to: Vec<Rule>,
    /// What the leader, who opens the team, pays less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<Cut>,
    /// Whether a member who has paid may leave while the team is open.
    #[serde(default)]
    pub leave: Leave,
    /// Who may give up a paid seat of a finished team.
    #[serde(default)]
    pub after: AfterFinish,
    /// Seats that the house may fill, without orders, when the time is over; 0 is never. Shown to every buyer.
    #[serde(default, deserialize_with = "lenient_u32")]
    #[schema(minimum = 0, maximum = 999)]
    pub fill: u32,
    /// Whether the SKU is also sold outside of teams.
    #[serde(default)]
    pub alone: Alone,
    /// Prize units of a lottery team; missing is no lottery.
    #[serde(
        default,
        deserialize_with = "lenient_maybe_u32",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 999)]
    pub prizes: Option<u32>,
}

const fn one() -> u32 {
    1
}

/// A price from so many paid seats on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Paid seats, the house's own included.
    #[serde(deserialize_with = "lenient_u32")]
    #[schema(minimum = 1, maximum = 1_000)]
    pub seats: u32,
    /// The price of one unit.
    pub price: PriceText,
}

/// What a member pays before the team has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pays {
    /// The price of the tier that paid seats have reached so far.
    #[default]
    Reached,
    /// The price of the first tier.
    Top,
}

/// Something off a price: `{"off_minor": 500}` or `{"share_bp": 1000}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// An amount in minor units.
    OffMinor(#[serde(deserialize_with = "lenient_u64")] u64),
    /// A share in basis points, rounded once, half to even.
    ShareBp(#[serde(deserialize_with = "lenient_u32")] u32),
}

/// Whether a paid member may leave an open team.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Leave {
    /// He may, and all his money goes back.
    #[default]
    Free,
    /// He may not; he gets it back only if the team does not come about.
    Bound,
}

/// Who may give up a paid seat of a finished team.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AfterFinish {
    /// The merchant.
    #[default]
    Merchant,
    /// The merchant and the buyer himself.
    Buyer,
    /// Nobody.
    Nobody,
}

/// Whether a SKU of a group rule is sold to single buyers too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Alone {
    /// At the SKU's own price.
    #[default]
    Sold,
    /// Only to teams.
    TeamsOnly,
}

/// Two dues of one order: a deposit at once, the balance later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Presale {
    /// What of the price is the deposit.
    pub deposit: Cut,
    /// First moment at which the balance may be paid.
    pub from: Time,
    /// First moment at which it no longer may.
    pub until: Time,
    /// What becomes of the deposit when the balance is not paid.
    #[serde(default)]
    pub lapse: Lapse,
    /// How long the end waits, at most, for a balance whose payment is in flight, ms.
    #[serde(default, deserialize_with = "lenient_u64")]
    #[schema(minimum = 0, maximum = 3_600_000)]
    pub grace_ms: u64,
}

/// What becomes of a deposit whose balance was not paid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lapse {
    /// It goes back by itself.
    #[default]
    Refund,
    /// The merchant keeps it.
    Forfeit,
}

/// The waiting line of a sold-out SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinePolicy {
    /// How long an offer from the line is held, ms.
    #[serde(deserialize_with = "lenient_u64")]
    #[schema(minimum = 1_000, maximum = 604_800_000)]
    pub hold_ms: u64,
    /// Units that one place may ask for.
    #[serde(default = "one", deserialize_with = "lenient_u32")]
    #[schema(minimum = 1, maximum = 1_000_000, default = 1)]
    pub units_most: u32,
    /// Places in the line of one SKU.
    #[serde(default = "places", deserialize_with = "lenient_u32")]
    #[schema(minimum = 1, maximum = 10_000_000, default = 100_000)]
    pub places_most: u32,
}

const fn places() -> u32 {
    100_000
}

/// What becomes of holds beyond their time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldPolicy {
    /// How much longer a hold lives, once, if a payment is in flight when it runs out, ms; 0 is not at all.
    #[serde(default, deserialize_with = "lenient_u64")]
    #[schema(minimum = 0, maximum = 3_600_000)]
    pub grace_ms: u64,
    /// Orders that one buyer may hold unpaid at a time; missing is no limit.
    #[serde(
        default,
        deserialize_with = "lenient_maybe_u32",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 65_535)]
    pub open_most: Option<u32>,
    /// What a buyer gets who let holds lapse, in rising order of lapses; the last step that he reached counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Shrink>,
}

/// What a buyer still gets who let so many holds lapse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Shrink {
    /// From so many lapsed holds on.
    #[serde(deserialize_with = "lenient_u32")]
    #[schema(minimum = 1, maximum = 60_000)]
    pub lapses: u32,
    /// How long his holds live, ms.
    #[serde(deserialize_with = "lenient_u64")]
    #[schema(minimum = 1_000, maximum = 604_800_000)]
    pub hold_ms: u64,
    /// Orders that he may hold unpaid at a time.
    #[serde(deserialize_with = "lenient_u32")]
    #[schema(minimum = 1, maximum = 65_535)]
    pub open_most: u32,
}
