//! Prints the OpenAPI description: `cargo run -p tidegate-edge --example openapi > docs/openapi.json`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(tidegate_edge::openapi().as_bytes())
}
