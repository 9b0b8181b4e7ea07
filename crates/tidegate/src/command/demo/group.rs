//! `tidegate demo group`: one team that fills and one that does not, from the first seat to the last refund.

use super::cast::{Cast, Doors};
use super::drawing::Story;
use super::ending::Ending;
use super::script::{self, Played};
use crate::command::verify;
use crate::demo;
use crate::failure::{FINDING, USAGE};
use crate::interrupt::Interrupts;
use crate::outside::{Outside, runtime};
use crate::scratch::Scratch;
use crate::server::Backroom;
use crate::settings::{Layers, Settings, load};
use crate::terminal;
use std::process::ExitCode;

/// How the demo's server is set up: on free ports, with a provider slow enough for money to be seen on its way.
const FLAGS: [(&str, &str); 4] = [
    ("edge.listen", "127.0.0.1:0"),
    ("edge.admin_listen", "127.0.0.1:0"),
    ("provider.sandbox.slow_per_mille", "1000"),
    ("provider.sandbox.slow_ms", "250"),
];

/// Watch a group buy: a team that fills, a team that does not, and where all the money went
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate demo group
  tidegate demo group --lifetime 15
  tidegate demo group --json | jq .money_open_minor

It starts a server on free ports of this machine and removes its data afterwards; Ctrl-C ends it.
● is a paid seat, ◐ a held one, ○ a free one.

Exit code 1: something did not come out as the rule says. Exit code 2: it could not be played to its end.")]
pub(crate) struct Options {
    /// Seconds that the second team has, which does not fill, 2 to 60
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(2..=60))]
    lifetime: u64,
    /// Print nothing but what came out, as one JSON object
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Plays.
    ///
    /// # Errors
    /// No server can be started, or it refuses what the script asks.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let outside = Outside::real();
        let flags = FLAGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut loaded = load(&Layers {
            flags: flags.into(),
            ..Layers::default()
        })?;
        let _scratch = Scratch::unless_given(&mut loaded, &outside);
        let settings = loaded.settings;
        let data = settings.data.clone();
        let Some(played) = runtime()?.block_on(self.play(settings, &outside))? else {
            terminal::to_stderr("ended before its end; nothing is left behind\n");
            return Ok(ExitCode::from(USAGE));
        };
        let proof = shop::verify::verify(&outside.disk, &data, &[], &mut |_| {});
        let ending = Ending::new(&played, &proof.map_err(|error| verify::explained(&error))?);
        if self.json {
            terminal::print_json(&ending)?;
        } else {
            terminal::print(&ending.to_string())?;
        }
        Ok(if ending.is_right() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(FINDING)
        })
    }

    /// Plays on a server that ends with the play; nothing when somebody asked for the end before.
    async fn play(
        &self,
        mut settings: Settings,
        outside: &Outside,
    ) -> anyhow::Result<Option<Played>> {
        let secret = demo::token_secret(outside);
        settings.edge.token_secrets.push(secret.clone());
        let mut interrupts = Interrupts::listen()?;
        let backroom = Backroom::open(&settings, outside).await?;
        let key = demo::merchant_key(&backroom.handle(), outside).await?;
        let server = backroom.listen(&settings, outside, None).await?;
        let doors = Doors {
            url: format!("http://{}", server.place.local_addr),
            secret,
            outside: outside.clone(),
        };
        let played = tokio::select! {
            played = self.act(doors, &key) => played.map(Some),
            _ = interrupts.stop() => Ok(None),
        };
        let stopped = server.stop().await;
        let played = played?;
        stopped.map(|()| played)
    }

    async fn act(&self, doors: Doors, key: &str) -> anyhow::Result<Played> {
        let story = Story::new(!self.json, &doors.outside.clock);
        let mut cast = Cast::gather(doors, key, story).await?;
        script::play(&mut cast, self.lifetime * 1000).await
    }
}
