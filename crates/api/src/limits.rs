//! The limits of every input, in one place. Lengths are in bytes unless the name says otherwise.

/// Lines of one order.
pub const LINES_MAX: usize = 2_000;
/// Orders of one batch.
pub const BATCH_ORDERS_MAX: usize = 1_000;
/// SKUs of one sale.
pub const SKUS_MAX: usize = 10_000;
/// Rules of one sale.
pub const RULES_MAX: usize = 16;
/// Tags that one rule names in each of its lists.
pub const RULE_TAGS_MAX: usize = 16;
/// Tags of one buyer.
pub const TAGS_MAX: usize = 16;
/// One tag.
pub const TAG_MAX: usize = 32;
/// One SKU code.
pub const SKU_MAX: usize = 64;
/// The pseudonym of one buyer.
pub const BUYER_MAX: usize = 64;
/// The level of a buyer in the merchant's programme.
pub const LEVEL_MAX: u64 = 1_000;
/// Points of a buyer, either way from zero.
pub const POINTS_MAX: u64 = 1_000_000_000_000;
/// Where a buyer is, in the merchant's words.
pub const REGION_MAX: usize = 64;
/// The pseudonym of a buyer's device.
pub const DEVICE_MAX: usize = 64;
/// An IP address as text.
pub const ADDRESS_MAX: usize = 45;
/// A name that people read: of a sale, a SKU, a rule, a key.
pub const NAME_MAX: usize = 200;
/// The merchant account of a key.
pub const ACCOUNT_MAX: usize = 64;
/// A reference or a reason given by a client.
pub const REFERENCE_MAX: usize = 128;
/// An idempotency key.
pub const KEY_MAX: usize = 128;
/// A request id taken over from a client.
pub const REQUEST_ID_MAX: usize = 63;
/// Units of one line, and limits of units per order or buyer.
pub const QUANTITY_MAX: u32 = 1_000_000;
/// Units of one SKU, all deliveries of stock together.
pub const STOCK_MAX: u32 = 1_000_000_000;
/// One amount of money in minor units: enough for any order, far from the edge of 64 bits.
pub const AMOUNT_MAX: u64 = 1_000_000_000_000_000;
/// Shortest time that units are held, ms.
pub const HOLD_MS_MIN: u64 = 1_000;
/// Longest time that units are held, ms (seven days).
pub const HOLD_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1_000;
/// Time that units are held when a sale does not say, ms (15 minutes).
pub const HOLD_MS_DEFAULT: u64 = 15 * 60 * 1_000;
/// Units per order and per buyer when a sale does not say.
pub const UNITS_DEFAULT: u32 = 10;
/// Entries of one page when the client does not say.
pub const PAGE_DEFAULT: u32 = 50;
/// Entries of one page at most.
pub const PAGE_MAX: u32 = 200;
/// SKUs that one live tick shows.
pub const LIVE_SKUS_MAX: usize = 200;
/// A cursor of a list.
pub const CURSOR_MAX: usize = 256;
/// Group rules of one sale.
pub const GROUPS_MAX: usize = 100;
/// Seats of one team, at least.
pub const TEAM_SEATS_MIN: u32 = 2;
/// Seats of one team, at most.
pub const TEAM_SEATS_MAX: u32 = 1_000;
/// Price tiers of one group rule.
pub const TIERS_MAX: usize = 16;
/// Longest life of a team, ms (30 days).
pub const LIFETIME_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1_000;
/// Longest wait for payments in flight of a team, a hold or a balance, ms (one hour).
pub const GRACE_MS_MAX: u64 = 60 * 60 * 1_000;
/// Steps of a hold policy.
pub const STEPS_MAX: usize = 8;
/// Lapsed holds that a step may ask for.
pub const LAPSES_MAX: u32 = 60_000;
/// Places in the line of one SKU.
pub const LINE_PLACES_MAX: u32 = 10_000_000;
/// A whole, in basis points.
pub const WHOLE_BP: u32 = 10_000;
/// Coupons of one sale.
pub const COUPONS_MAX: usize = 1_000;
/// Coupons of one order.
pub const CODES_MAX: usize = 4;
/// Discounts by level of one sale.
pub const LEVELS_MAX: usize = 16;
/// Rules as text of one sale.
pub const TEXT_RULES_MAX: usize = 64;
/// Bytes of a rule's expression.
pub const RULE_TEXT_MAX: usize = 2_048;
/// Bytes of a rule's reason.
pub const REASON_MAX: usize = 200;
