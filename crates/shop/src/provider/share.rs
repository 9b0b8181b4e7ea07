//! What of an order's money is a provider's to know: whoever asks about the rest, or misses it in a file, alarms for
//! nothing.

use commerce::OrderRef;
use commerce::book::ChargeView;
use ledger::Minor;

/// Whether a provider was asked to charge for this order. One that is free or was paid elsewhere it never hears of.
pub(crate) fn is_charged(order: OrderRef<'_>) -> bool {
    !matches!(order.charge().1, ChargeView::Elsewhere | ChargeView::Free)
}

/// Whether a provider was asked to give this much of the order's money back.
pub(crate) fn is_refunded(order: OrderRef<'_>, amount: Minor) -> bool {
    is_charged(order) && amount.0 > 0
}
