//! `tidegate config`: judges a configuration, or shows the one that is in effect.

use super::Configuration;
use crate::settings::{Layers, as_json, as_toml, load};
use crate::terminal;
use std::path::PathBuf;
use std::process::ExitCode;

/// Check a configuration file, or show the configuration in effect
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Judge a file by itself: all that is wrong is told at once
    Check {
        /// Configuration file, TOML
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Show every option with its value, and where it was set; secrets are hidden
    #[command(
        after_help = "Example: TIDEGATE_LOG__LEVEL=debug tidegate config show --config tidegate.toml"
    )]
    Show {
        #[command(flatten)]
        configuration: Configuration,
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
}

impl Command {
    /// Checks or shows.
    ///
    /// # Errors
    /// `TG-4004` and `TG-4007`, as [`load`] says.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Check { file } => {
                let layers = Layers {
                    file: Some(file.clone()),
                    ..Layers::default()
                };
                load(&layers)?;
                terminal::print(&format!("{}: {}\n", file.display(), terminal::green("ok")))?;
            }
            Self::Show {
                configuration,
                json,
            } => {
                let loaded = load(&configuration.layers())?;
                if json {
                    terminal::print_json(&as_json(&loaded)?)?;
                } else {
                    terminal::print(&as_toml(&loaded)?)?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
