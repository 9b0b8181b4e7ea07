//! `tidegate export`: orders as files.

use super::audit::escaped;
use super::place::{Found, Place};
use crate::outside::{Outside, runtime};
use crate::server::{Backroom, house_call};
use crate::terminal;
use api::export::Format;
use api::order::{OrderPage, OrderQuery};
use api::service::Orders;
use api::{Code, Problem, SaleId};
use std::process::ExitCode;

/// Write orders out for other programs
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  tidegate export orders --sale sale_00001 --format csv --data shop-data > orders.csv
  tidegate export orders --sale sale_00001 --format jsonl --url http://127.0.0.1:8080 --key-file auditor.key

docs/howto/export-orders.md says what the columns mean.")]
pub(crate) enum Command {
    /// All orders of a sale, to standard output
    Orders {
        /// Which sale
        #[arg(long)]
        sale: SaleId,
        /// A row for each order line, or a JSON object for each order
        #[arg(long, value_enum, default_value_t = Kind::Csv)]
        format: Kind,
        #[command(flatten)]
        place: Place,
    },
}

/// What is written.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Comma-separated values
    Csv,
    /// JSON lines
    Jsonl,
}

impl Command {
    /// Exports.
    ///
    /// # Errors
    /// `TG-4001` when a server has the directory, `TG-2001`, or what the server refuses.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self::Orders {
            sale,
            format,
            place,
        } = self;
        let format = match format {
            Kind::Csv => Format::Csv,
            Kind::Jsonl => Format::Jsonl,
        };
        let outside = Outside::real();
        runtime()?.block_on(async {
            let mut found = place.open_lists(&outside, sale).await?;
            let written = write(&mut found, sale, format).await;
            if let Found::Local(shop) = found {
                shop.stop().await;
            }
            written
        })
    }
}

async fn write(found: &mut Found, sale: SaleId, format: Format) -> anyhow::Result<ExitCode> {
    let mut head = format.head();
    let mut cursor = None;
    loop {
        let page = match found {
            Found::Remote(server) => server.get(&path(sale, cursor.as_deref())).await?,
            Found::Local(shop) => local(shop, sale, format, cursor).await?,
        };
        let mut text = std::mem::take(&mut head);
        for order in &page.orders {
            format.write(order, &mut text);
        }
        terminal::print(&text)?;
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

fn path(sale: SaleId, cursor: Option<&str>) -> String {
    let limit = api::limits::PAGE_MAX;
    let cursor = cursor.map(|cursor| format!("&cursor={}", escaped(cursor)));
    format!(
        "/v1/orders?sale_id={sale}&limit={limit}{}",
        cursor.unwrap_or_default()
    )
}

async fn local(
    shop: &Backroom,
    sale: SaleId,
    format: Format,
    cursor: Option<Box<str>>,
) -> anyhow::Result<OrderPage> {
    let handle = shop.handle();
    let book = handle.registry().house().book();
    // The owner's account stands in the registry; a sale that is not there belongs to nobody.
    let known = book.sale(sale.get());
    let known = known.ok_or_else(|| Problem::new(Code::SaleNotFound))?;
    let query = OrderQuery {
        sale_id: Some(sale),
        cursor,
        limit: Some(api::limits::PAGE_MAX),
        ..OrderQuery::default()
    };
    let call = house_call(&known.account, "");
    if query.cursor.is_none() {
        Orders::export(&*handle, call.clone(), sale, format).await?;
    }
    Ok(Orders::orders(&*handle, call, query).await?.body)
}
