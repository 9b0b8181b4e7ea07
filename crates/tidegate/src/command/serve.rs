//! `tidegate serve`: runs a server until it is asked to stop.

use super::Configuration;
use crate::demo;
use crate::failure::Failure;
use crate::interrupt::{Asked, Interrupts};
use crate::outside::{Outside, cores, runtime};
use crate::reload::Reload;
use crate::scratch::Scratch;
use crate::server::{Backroom, Server};
use crate::settings::{Layers, Loaded, Settings, load};
use crate::terminal;
use api::Code;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;
use telemetry::fact::{Started, Stopping};
use telemetry::log::Format;

/// Run a server
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate serve --demo
  tidegate serve --config tidegate.toml --data shop-data --listen 127.0.0.1:8080

SIGTERM and Ctrl-C drain and end with exit code 0, a second one ends at once; SIGHUP reads the
configuration again.")]
pub(crate) struct Options {
    #[command(flatten)]
    configuration: Configuration,
    /// Address of the public port; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Address of the operators' port [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<SocketAddr>,
    /// Open a demo sale with ready-made credentials, on loopback only
    #[arg(long)]
    demo: bool,
}

impl Options {
    /// Serves.
    ///
    /// # Errors
    /// `TG-4001` to `TG-4007`.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let outside = Outside::real();
        let layers = self.layers();
        let mut loaded = load(&layers)?;
        if !self.demo {
            return runtime()?.block_on(serve(layers, loaded, outside));
        }
        let _scratch = Scratch::unless_given(&mut loaded, &outside);
        if !loaded.origins.contains_key("log.format") && std::io::stdout().is_terminal() {
            // A person is looking, and nobody asked for anything else.
            loaded.settings.log.format = Format::Text;
        }
        runtime()?.block_on(serve_demo(layers, loaded, outside))
    }

    fn layers(&self) -> Layers {
        let mut layers = self.configuration.layers();
        let addresses = [
            ("edge.listen", self.listen),
            ("edge.admin_listen", self.admin_listen),
        ];
        let given = addresses
            .into_iter()
            .filter_map(|(name, address)| Some((name, address?)));
        layers
            .flags
            .extend(given.map(|(name, address)| (name.to_owned(), address.to_string())));
        layers
    }
}

async fn serve(layers: Layers, loaded: Loaded, outside: Outside) -> anyhow::Result<ExitCode> {
    let settings = loaded.settings.clone();
    let reload = begin(layers, loaded, &outside)?;
    let mut interrupts = Interrupts::listen()?;
    let backroom = Backroom::open(&settings, &outside).await?;
    let server = backroom.listen(&settings, &outside, None).await?;
    reload.note(&server.handle()).await?;
    until_stopped(server, &mut interrupts, &outside, reload).await
}

async fn serve_demo(layers: Layers, loaded: Loaded, outside: Outside) -> anyhow::Result<ExitCode> {
    let mut settings = loaded.settings.clone();
    only_loopback(&settings)?;
    let secret = demo::token_secret(&outside);
    settings.edge.token_secrets.push(secret.clone());
    let reload = begin(layers, loaded, &outside)?;
    let mut interrupts = Interrupts::listen()?;
    let backroom = Backroom::open(&settings, &outside).await?;
    let credentials = demo::prepare(&backroom.handle(), &secret, &outside).await?;
    let demo = edge::Demo {
        sale: credentials.sale,
    };
    let server = backroom.listen(&settings, &outside, Some(demo)).await?;
    terminal::to_stderr(&demo::welcome(&credentials, server.place));
    until_stopped(server, &mut interrupts, &outside, reload).await
}

/// Starts the log, and says what this process runs on.
fn begin(layers: Layers, loaded: Loaded, outside: &Outside) -> anyhow::Result<Reload> {
    let log = outside.log(&loaded.settings)?;
    outside.telemetry.tell(&Started {
        version: env!("CARGO_PKG_VERSION"),
        cores: cores(),
        threads: cores(),
        data: &loaded.settings.data.display().to_string(),
        config: &layers.sources(),
    });
    Ok(Reload::new(layers, loaded, log))
}

/// The demo hands its credentials to whoever can reach its page.
fn only_loopback(settings: &Settings) -> Result<(), Failure> {
    let addresses = [settings.edge.listen, settings.edge.admin_listen];
    if addresses.iter().all(|address| address.ip().is_loopback()) {
        return Ok(());
    }
    let mend =
        "leave --listen out, or run without --demo and make keys with `tidegate keys create`";
    Err(Failure::new(
        Code::BadConfiguration,
        "the demo listens on loopback only",
        mend,
    ))
}

/// Serves until a signal, then drains; a second signal ends at once.
async fn until_stopped(
    server: Server,
    interrupts: &mut Interrupts,
    outside: &Outside,
    mut reload: Reload,
) -> anyhow::Result<ExitCode> {
    let reason = loop {
        match interrupts.next().await {
            Asked::Stop(reason) => break reason,
            Asked::Reload => reload.now(&server, outside).await,
        }
    };
    outside.telemetry.tell(&Stopping { reason });
    tokio::select! {
        stopped = server.stop() => stopped.map(|()| ExitCode::SUCCESS),
        _ = interrupts.stop() => {
            let what = "ended before everything was drained; what was answered is on disk";
            terminal::to_stderr(&format!("{what}\n"));
            Ok(ExitCode::from(crate::failure::USAGE))
        }
    }
}
