//! `tidegate-sim`: lives of a shop, by seed.
//!
//! ```text
//!   tidegate-sim                         200 lives, from seed 1 on, and every mark must be reached
//!   tidegate-sim --seed 17               one life; one that fails is shrunk and told
//!   tidegate-sim --seeds 1000 --jobs 2   a thousand lives
//!   tidegate-sim --hours 8               lives until then, or until Ctrl-C
//! ```

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
