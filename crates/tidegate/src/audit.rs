//! The shop's own reading of its journals, in the words in which the drill holds it against the buyers' memories.

use api::OrderId;
use api::order::Order;
use drill::audit::{AuditReport, AuditedLine, AuditedOrder, AuditedStock};
use shop::verify::{AuditedSale, Finding};
use std::path::Path;
use std::sync::Arc;
use world::{Disk, OsDisk};

/// Reads a data directory whose server has stopped.
///
/// # Errors
/// What keeps it from being read at all; what is wrong in it is part of the report.
pub(crate) fn audit(data: &Path) -> Result<AuditReport, String> {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let audit = shop::verify::audit(&disk, data).map_err(|error| error.to_string())?;
    Ok(AuditReport {
        orders: audit.sales.iter().flat_map(orders).collect(),
        stock: audit.sales.iter().flat_map(stock).collect(),
        problems: audit.report.findings.iter().map(problem).collect(),
        batches: audit.report.batches,
        chain: Box::new(move |sale, sequence| audit.chain(sale, sequence)),
    })
}

fn problem(finding: &Finding) -> String {
    let sale = finding
        .sale
        .map(|sale| format!("{sale}: "))
        .unwrap_or_default();
    let batch = finding
        .sequence
        .map(|sequence| format!(" (batch {sequence})"))
        .unwrap_or_default();
    format!("{sale}{}{batch}", finding.detail)
}

fn orders(sale: &AuditedSale) -> impl Iterator<Item = AuditedOrder> + '_ {
    sale.orders.iter().map(|order| AuditedOrder {
        id: order.id,
        buyer: order.buyer.clone(),
        state: order.state,
        lines: lines(sale, order),
        total_minor: order.total_minor,
        captured_minor: order.captured_minor,
        refunded_minor: order.refunded_minor,
        refund_pending_minor: order.refund_pending_minor,
    })
}

fn lines(sale: &AuditedSale, order: &Order) -> Vec<AuditedLine> {
    let number = number(order.id);
    let line = |line: &api::order::OrderLine| AuditedLine {
        sku: line.sku.clone(),
        units: line.quantity,
        returned: line.returned_quantity,
        restocked: sale
            .restocked
            .get(&(number, line.line))
            .copied()
            .unwrap_or_default(),
    };
    order.lines.iter().map(line).collect()
}

fn number(order: OrderId) -> u32 {
    u32::try_from(order.number()).unwrap_or(u32::MAX)
}

fn stock(sale: &AuditedSale) -> impl Iterator<Item = AuditedStock> + '_ {
    sale.skus.iter().map(|sku| AuditedStock {
        sale: sale.sale,
        sku: sku.sku.clone(),
        stocked: sku.stocked_count,
        available: sku.available_count,
        held: sku.held_count,
        sold: sku.sold_count,
        written_off: sku.written_off_count,
    })
}
