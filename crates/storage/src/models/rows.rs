//! The rows: plain structs, one a table, and the lists that live inside a row.

use std::ops::Range;

use super::{DealRow, ModelsError};

/// Bits of an order's row number that count the orders of its sale; the sale stands above them.
pub const ORDER_NUMBER_BITS: u32 = 39;

/// Which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey {
    /// Its sale.
    pub sale: u32,
    /// Its number in the sale.
    pub number: u32,
}

impl OrderKey {
    pub(super) fn row(self) -> i64 {
        (i64::from(self.sale) << ORDER_NUMBER_BITS) | i64::from(self.number)
    }

    pub(super) fn from_row(row: i64) -> Result<Self, ModelsError> {
        let number = row & ((1 << ORDER_NUMBER_BITS) - 1);
        let parts = (
            u32::try_from(row >> ORDER_NUMBER_BITS),
            u32::try_from(number),
        );
        match parts {
            (Ok(sale), Ok(number)) => Ok(Self { sale, number }),
            _ => Err(ModelsError::Damaged(format!("no order has row {row}"))),
        }
    }

    /// Row numbers of all orders of a sale.
    pub(super) fn rows_of(sale: u32) -> Range<i64> {
        let first = i64::from(sale) << ORDER_NUMBER_BITS;
        first..first + (1 << u32::BITS)
    }
}

/// An order. Amounts are minor units, times Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    /// Which.
    pub key: OrderKey,
    /// Whose, if it names anybody.
    pub buyer: Option<Box<str>>,
    /// Where it stands, as people see it and ask for it.
    pub state: u8,
    /// Where it stands in its own life, whatever became of its money.
    pub phase: u8,
    /// What is known of the latest charge.
    pub charge: u8,
    /// The latest attempt to pay; 0 for none.
    pub attempt: u16,
    /// The whole price.
    pub total: i64,
    /// All money captured.
    pub captured: i64,
    /// Money given back.
    pub refunded: i64,
    /// Money on its way back.
    pub refund_pending: i64,
    /// Money that the buyer's bank took back.
    pub charged_back: i64,
    /// When it was placed.
    pub placed_ms: u64,
    /// When its hold runs out; meaningful while it is held.
    pub deadline_ms: u64,
    /// Units over all lines.
    pub units: u64,
    /// The batch that placed it.
    pub sequence: u64,
    /// Events so far; the first, that it was placed, follows from the row and has none of its own.
    pub events: u32,
    /// The reference under which it was paid elsewhere.
    pub paid: Option<Box<str>>,
    /// What was ordered.
    pub lines: Vec<LineRow>,
    /// Its refunds; a refund's number is its place, from 1.
    pub refunds: Vec<RefundRow>,
    /// What it has beyond its lines; `None` for a plain order.
    pub deal: Option<Box<DealRow>>,
}

/// One line of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineRow {
    /// The SKU's place in the sale.
    pub sku: u32,
    /// Units ordered.
    pub units: u32,
    /// Price of one unit in ten-thousandths of the major unit.
    pub price: i64,
    /// Units refunded by line.
    pub returned: u32,
}

/// A refund of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundRow {
    /// How much, minor units.
    pub amount: i64,
    /// How far it is.
    pub state: u8,
    /// Whether it was begun by the book itself.
    pub automatic: bool,
    /// Units that it put back on sale.
    pub restocked: u32,
}

/// Something that happened to an order after it was placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// To which order.
    pub order: OrderKey,
    /// Its number among the order's events; 0 is the placing, which has no row.
    pub number: u32,
    /// The journal's batch.
    pub sequence: u64,
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// What.
    pub kind: u8,
    /// Money that it was about, minor units.
    pub amount: Option<i64>,
    /// Units that it was about.
    pub units: Option<u32>,
    /// A payment, refund or outside reference that it was about.
    pub reference: Option<Box<str>>,
}

/// Units of one SKU of a sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockRow {
    /// The sale.
    pub sale: u32,
    /// The SKU's place in the sale, as orders name it.
    pub place: u32,
    /// The merchant's code.
    pub sku: Box<str>,
    /// A title for people.
    pub title: Box<str>,
    /// Price of one unit in ten-thousandths of the major unit.
    pub price: i64,
    /// Units that ever came in.
    pub stocked: u64,
    /// Units that can be bought.
    pub available: u64,
    /// Units in unpaid orders.
    pub held: u64,
    /// Units sold and not given back.
    pub sold: u64,
    /// Units lost unsold.
    pub written_off: u64,
}

/// A sale, with sums over its SKUs and counts of its orders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SaleRow {
    /// Its number.
    pub sale: u32,
    /// A title for people.
    pub title: Box<str>,
    /// Where it stands.
    pub state: u8,
    /// Its currency's code.
    pub currency: Box<str>,
    /// First moment of selling, Unix milliseconds.
    pub opens_ms: Option<u64>,
    /// First moment at which it is over, Unix milliseconds.
    pub closes_ms: Option<u64>,
    /// When it was created, Unix milliseconds.
    pub created_ms: u64,
    /// How many SKUs it has.
    pub skus: u32,
    /// Units that ever came in.
    pub stocked: u64,
    /// Units that can be bought.
    pub available: u64,
    /// Units in unpaid orders.
    pub held: u64,
    /// Units sold and not given back.
    pub sold: u64,
    /// Units lost unsold.
    pub written_off: u64,
    /// Orders ever placed.
    pub orders_placed: u64,
    /// Orders waiting for payment.
    pub orders_held: u64,
    /// Orders paid and not given up.
    pub orders_paid: u64,
    /// Orders given up.
    pub orders_cancelled: u64,
    /// Orders not paid in time.
    pub orders_expired: u64,
}

/// Up to where a sale's journal has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionRow {
    /// The sale.
    pub sale: u32,
    /// The last batch.
    pub sequence: u64,
    /// The chain hash after it.
    pub chain: [u8; 32],
    /// Its time, Unix milliseconds.
    pub time_ms: u64,
}

/// A line inside a row: SKU, units, price, returned.
type PackedLine = (u32, u32, i64, u32);
/// A refund inside a row: amount, state, whether automatic, restocked.
type PackedRefund = (i64, u8, bool, u32);

/// Lines as compact JSON, which people can read and SQL can take apart.
pub(super) fn pack_lines(lines: &[LineRow]) -> Result<String, ModelsError> {
    let packed: Vec<PackedLine> = lines
        .iter()
        .map(|line| (line.sku, line.units, line.price, line.returned))
        .collect();
    serde_json::to_string(&packed).map_err(damaged)
}

pub(super) fn unpack_lines(text: &str) -> Result<Vec<LineRow>, ModelsError> {
    let packed: Vec<PackedLine> = serde_json::from_str(text).map_err(damaged)?;
    let line = |(sku, units, price, returned)| LineRow {
        sku,
        units,
        price,
        returned,
    };
    Ok(packed.into_iter().map(line).collect())
}

/// Refunds as compact JSON; `None` for none, by far the most common.
pub(super) fn pack_refunds(refunds: &[RefundRow]) -> Result<Option<String>, ModelsError> {
    if refunds.is_empty() {
        return Ok(None);
    }
    let packed: Vec<PackedRefund> = refunds
        .iter()
        .map(|refund| {
            (
                refund.amount,
                refund.state,
                refund.automatic,
                refund.restocked,
            )
        })
        .collect();
    serde_json::to_string(&packed).map(Some).map_err(damaged)
}

pub(super) fn unpack_refunds(text: Option<&str>) -> Result<Vec<RefundRow>, ModelsError> {
    let Some(text) = text else {
        return Ok(Vec::new());
    };
    let packed: Vec<PackedRefund> = serde_json::from_str(text).map_err(damaged)?;
    let refund = |(amount, state, automatic, restocked)| RefundRow {
        amount,
        state,
        automatic,
        restocked,
    };
    Ok(packed.into_iter().map(refund).collect())
}

#[allow(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn damaged(error: serde_json::Error) -> ModelsError {
    ModelsError::Damaged(error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_refunds_come_back() {
        let lines = vec![LineRow {
            sku: 3,
            units: 2,
            price: 125_000,
            returned: 1,
        }];
        let text = pack_lines(&lines).unwrap();
        assert_eq!(text, "[[3,2,125000,1]]");
        assert_eq!(unpack_lines(&text).unwrap(), lines);
        let refunds = vec![RefundRow {
            amount: 1250,
            state: 1,
            automatic: false,
            restocked: 1,
        }];
        let text = pack_refunds(&refunds).unwrap();
        assert_eq!(unpack_refunds(text.as_deref()).unwrap(), refunds);
        assert_eq!(pack_refunds(&[]).unwrap(), None);
    }

    #[test]
    fn an_order_finds_its_row_and_back() {
        let key = OrderKey {
            sale: (1 << 24) - 1,
            number: u32::MAX,
        };
        assert_eq!(OrderKey::from_row(key.row()).unwrap(), key);
        assert!(OrderKey::rows_of(key.sale).contains(&key.row()));
        assert!(OrderKey::from_row(-1).is_err());
    }
}
