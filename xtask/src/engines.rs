//! The real engines that benches and tests start for themselves: are they installed? As root on
//! Debian we install them; otherwise we say what to install.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::ci;
use crate::command::{output, succeed};

struct Engine {
    package: &'static str,
    program: &'static str,
    /// Debian keeps PostgreSQL's server outside the path, one directory a version.
    elsewhere: Option<&'static str>,
}

const ENGINES: &[Engine] = &[
    Engine {
        package: "redis-server",
        program: "redis-server",
        elsewhere: None,
    },
    Engine {
        package: "postgresql",
        program: "postgres",
        elsewhere: Some("/usr/lib/postgresql"),
    },
];

/// Installs what is missing where that is possible, then runs all tests.
pub(crate) fn test(root: &Path) -> Result<ExitCode> {
    ensure()?;
    ci::tests(root)?;
    Ok(ExitCode::SUCCESS)
}

/// Makes sure that every engine is there.
///
/// # Errors
/// When one is missing and cannot be installed from here; the message says what to do.
pub(crate) fn ensure() -> Result<()> {
    let missing: Vec<&str> = ENGINES
        .iter()
        .filter(|engine| !installed(engine))
        .map(|engine| engine.package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !may_install()? {
        bail!("{}", advice(&missing));
    }
    println!("    installing {}", missing.join(", "));
    succeed(
        Command::new("apt-get")
            .args(["install", "--yes", "--no-install-recommends"])
            .args(&missing),
    )
    .with_context(|| advice(&missing))
}

fn installed(engine: &Engine) -> bool {
    on_path(engine.program)
        || engine
            .elsewhere
            .is_some_and(|place| Path::new(place).is_dir())
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    })
}

fn may_install() -> Result<bool> {
    let user = output(Command::new("id").arg("-u").stdin(Stdio::null()))?;
    Ok(user.trim() == "0" && on_path("apt-get"))
}

fn advice(missing: &[&str]) -> String {
    format!(
        "install these and try again: {} (Debian and Ubuntu package names)",
        missing.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_nowhere_is_missing() {
        let engine = Engine {
            package: "p",
            program: "no-such-engine",
            elsewhere: None,
        };
        assert!(!installed(&engine));
        let shell = Engine {
            package: "p",
            program: "sh",
            elsewhere: None,
        };
        assert!(installed(&shell));
    }

    #[test]
    fn the_advice_names_what_is_missing() {
        assert!(advice(&["redis-server", "postgresql"]).contains("redis-server, postgresql"));
    }
}
