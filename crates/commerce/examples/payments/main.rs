//! Prints the table of the payment machine: `cargo run -p tidegate-commerce --example payments > docs/payments.md`.

use std::io::Write;

#[path = "table.rs"]
mod table;

fn main() -> std::io::Result<()> {
    let walks = table::walks();
    std::io::stdout().write_all(table::document(&walks).as_bytes())
}
