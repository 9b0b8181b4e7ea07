//! The kill-storm: life after life of the release binary on a small disk of its own, in which it is killed and stopped
//! and its disk is filled, hung, spoiled and made slow. The drill judges each life; here lives are begun, counted and
//! cleaned up after.

mod ground;
mod toll;

use std::path::Path;
use std::process::{ExitCode, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use tokio::process::Command;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{ci, smoke};
use ground::Ground;
use toll::{Life, Toll};

/// One life; a sound one takes half a minute.
const LIFE_LIMIT: Duration = Duration::from_secs(400);
/// How long a drill may take to end when it is asked to.
const END_LIMIT: Duration = Duration::from_secs(20);
/// The gate's life: a seed whose faults are short, so that they all fit in.
const GATE_SEED: u64 = 188;

/// How long, and where to begin.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Begin new lives for so many minutes.
    #[arg(long, value_name = "M", default_value_t = 10)]
    minutes: u64,
    /// The seed of the first life; each further one has the next.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// End after so many lives.
    #[arg(long, value_name = "N")]
    lives: Option<u64>,
}

/// How large one life is.
#[derive(Clone, Copy)]
struct Size {
    buyers: u32,
    stock: u32,
    kills: u32,
}

const LONG: Size = Size {
    buyers: 3_000,
    stock: 700,
    kills: 3,
};

const BRIEF: Size = Size {
    buyers: 1_200,
    stock: 300,
    kills: 1,
};

/// Builds the release binary and tortures it until the time is over, a life fails, or somebody stops it.
pub(crate) fn run(root: &Path, options: &Options) -> Result<ExitCode> {
    ci::release_build(root)?;
    let until = Instant::now() + Duration::from_secs(options.minutes.saturating_mul(60));
    let most = options.lives.unwrap_or(u64::MAX);
    let went = torture(root, LONG, options.seed, |lives| {
        lives < most && (lives == 0 || Instant::now() < until)
    })?;
    println!("\n{}", went.toll);
    Ok(match went.failure {
        None => ExitCode::SUCCESS,
        Some(why) => {
            println!("FAILED {why}");
            ExitCode::FAILURE
        }
    })
}

/// The gate's share: one short life with every fault that this machine can bring about.
pub(crate) fn brief(root: &Path) -> Result<()> {
    let went = torture(root, BRIEF, GATE_SEED, |lives| lives == 0)?;
    match went.failure {
        None if went.toll.lives == 1 => Ok(()),
        None => bail!("stopped before its end"),
        Some(why) => bail!("{why}"),
    }
}

struct Went {
    toll: Toll,
    failure: Option<String>,
}

fn torture(root: &Path, size: Size, first: u64, more: impl Fn(u64) -> bool) -> Result<Went> {
    let ground = Ground::prepare(root)?;
    for (fault, why) in &ground.left_out {
        println!("    left out: {fault}: {why}");
    }
    println!("    faults: kill,{}", ground.faults.join(","));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(live(root, &ground, size, first, more))
}

async fn live(
    root: &Path,
    ground: &Ground,
    size: Size,
    first: u64,
    more: impl Fn(u64) -> bool,
) -> Result<Went> {
    let mut ends = Ends::listen()?;
    let mut toll = Toll::default();
    let mut seed = first;
    while more(toll.lives) {
        let started = Instant::now();
        let Some(life) = one_life(root, ground, size, seed, &mut ends).await? else {
            println!("    stopped in the life of seed {seed}");
            break;
        };
        match life.and_then(|life| life.judged(size.kills, &ground.faults)) {
            Ok(life) => {
                toll.add(&life);
                let seconds = started.elapsed().as_secs_f64();
                println!("    seed {seed}: {life} in {seconds:.1} s; so far {toll}");
            }
            Err(error) => {
                let kept = ground.keep(seed);
                let failure = format!(
                    "seed {seed}: {error:#}\n{kept}again: cargo xtask torture --seed {seed} --lives 1"
                );
                return Ok(Went {
                    toll,
                    failure: Some(failure),
                });
            }
        }
        seed = seed.wrapping_add(1);
    }
    Ok(Went {
        toll,
        failure: None,
    })
}

/// One drill; `None` if somebody stopped it.
async fn one_life(
    root: &Path,
    ground: &Ground,
    size: Size,
    seed: u64,
    ends: &mut Ends,
) -> Result<Option<Result<Life>>> {
    let child = Command::new(smoke::binary(root))
        .args(words(ground, size, seed))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("the release binary did not start")?;
    let id = child.id();
    let mut output = Box::pin(child.wait_with_output());
    let limit = format!("a life did not end within {} s", LIFE_LIMIT.as_secs());
    let early = tokio::select! {
        done = &mut output => return Ok(Some(read(&done?))),
        () = ends.next() => None,
        () = tokio::time::sleep(LIFE_LIMIT) => Some(Err(anyhow!(limit))),
    };
    // The terminal tells a whole group of Ctrl-C; a signal to us alone, and the end of our patience, is passed on. The
    // drill takes its server with it, and lets go of the disk.
    terminate(id)?;
    let _ = tokio::time::timeout(END_LIMIT, output).await;
    Ok(early)
}

fn read(done: &Output) -> Result<Life> {
    let text = String::from_utf8_lossy(&done.stdout);
    Life::read(&text).with_context(|| format!("the drill ended with {}", done.status))
}

fn words(ground: &Ground, size: Size, seed: u64) -> Vec<String> {
    let mut words: Vec<String> = vec!["drill".into(), "--json".into()];
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    option("--buyers", size.buyers.to_string());
    option("--stock", size.stock.to_string());
    option("--connections", "128".into());
    option("--kill", size.kills.to_string());
    option("--seed", seed.to_string());
    if !ground.faults.is_empty() {
        option("--storm", ground.faults.join(","));
    }
    if let Some(disk) = ground.disk() {
        option("--storm-mount", shown(disk));
        option("--data", shown(&disk.join(format!("life-{seed}"))));
    }
    words
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn terminate(id: Option<u32>) -> Result<()> {
    let Some(id) = id else { return Ok(()) };
    // It may have ended already, and then there is nothing to do.
    let kill = format!("kill -TERM {id} 2>/dev/null || true");
    crate::command::succeed(std::process::Command::new("sh").args(["-c", &kill]))
}

/// Wishes to end.
struct Ends {
    interrupt: Signal,
    terminate: Signal,
}

impl Ends {
    fn listen() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
