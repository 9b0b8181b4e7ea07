//! The projector's rounds: each is done on its lane, and between two of them it waits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::Duration;

use storage::models::{Models, Writer, set_aside};
use telemetry::Telemetry;
use telemetry::fact::{ProjectorMoved, ReconcileGap};
use tokio::sync::watch;
use world::journal::{BatchReader, JournalError, Position};
use world::tasks::Lane as Road;
use world::{ErrorKind, Tasks};

use super::anew::Anew;
use super::lane::Lane;
use super::progress::{Shared, Track};
use super::{Handle, ProjectorError, ProjectorHandle, Settings};

/// Orders without a place in the index of buyers from which on they are merged into it, even when there is much to do.
const UNMERGED_MAX: u64 = 250_000;
/// The same for a projector that has nothing else to do.
const UNMERGED_IDLE: u64 = 10_000;
/// How long it sleeps at most when nothing happens.
const IDLE: Duration = Duration::from_secs(5);
/// How long it waits before a transaction that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What the keeper is told.
#[derive(Debug)]
pub(super) enum Message {
    /// Follow a sale.
    Join(Joining),
    /// Stop following it.
    Leave(u32),
    /// Build its rows anew.
    Anew(Anew),
}

/// A sale to follow.
pub(super) struct Joining {
    pub(super) sale: u32,
    pub(super) reader: Box<dyn BatchReader>,
    pub(super) witness: Option<Position>,
    pub(super) track: Arc<Track>,
}

impl std::fmt::Debug for Joining {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Joining")
            .field("sale", &self.sale)
            .finish_non_exhaustive()
    }
}

struct Following {
    lane: Lane,
    reader: Box<dyn BatchReader>,
    /// What the rows have seen, until the journal has shown that it has it.
    witness: Option<Position>,
    track: Arc<Track>,
    stay: Stay,
    /// Its journal could not be read a moment ago.
    stuck: bool,
}

/// How long a sale is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stay {
    /// Its desk is open.
    Open,
    /// Its desk has closed: until all that was published is committed.
    Leaving,
}

impl Following {
    fn is_behind(&self) -> bool {
        self.witness.is_some() || self.track.published() > self.lane.position().sequence
    }

    fn may_leave(&self) -> bool {
        self.stay == Stay::Leaving && !self.is_behind() && self.lane.waiting().0 == 0
    }
}

/// Who keeps the read models.
pub(super) struct Keeper {
    settings: Settings,
    shared: Arc<Shared>,
    writer: Writer,
    inbox: Receiver<Message>,
    following: BTreeMap<u32, Following>,
    telemetry: Telemetry,
    tasks: Tasks,
    path: PathBuf,
    /// The read models are damaged: there is nothing more to do.
    lost: bool,
    done: watch::Sender<bool>,
}

/// Opens the read models and makes both ends.
pub(super) fn prepare(
    settings: &Settings,
    path: &Path,
    tasks: &Tasks,
    telemetry: &Telemetry,
) -> Result<(Keeper, ProjectorHandle), ProjectorError> {
    let (writer, aside) = Writer::open(path, settings.cache_kib)?;
    let shared = Arc::new(Shared::new(telemetry));
    if let Some(aside) = &aside {
        let path = aside.path.display();
        let detail = format!(
            "read models were moved to {path} and are built anew: {}",
            aside.reason
        );
        telemetry.tell(&ReconcileGap { detail: &detail });
    }
    writer
        .positions()?
        .into_iter()
        .for_each(|position| shared.see(position));
    let (messages, inbox) = mpsc::channel();
    let (done, finished) = watch::channel(false);
    let keeper = Keeper {
        settings: settings.clone(),
        shared: shared.clone(),
        writer,
        inbox,
        following: BTreeMap::new(),
        telemetry: telemetry.clone(),
        tasks: tasks.clone(),
        path: path.to_owned(),
        lost: false,
        done,
    };
    let handle = Handle {
        shared,
        messages,
        models: Models::new(path, settings.readers_max),
        done: finished,
        tasks: tasks.clone(),
        stop_max: Duration::from_millis(settings.stop_ms_max),
        set_aside: aside,
    };
    Ok((keeper, ProjectorHandle(Arc::new(handle))))
}

/// What a round came to.
enum Round {
    /// Nothing was there to do.
    Idle,
    /// All that was published is committed.
    CaughtUp,
    /// More is there already.
    Behind,
    /// The transaction failed, and everything waits for the next try.
    Failed,
}

impl Keeper {
    pub(super) async fn run(mut self, road: Road) {
        let niceness = i32::from(self.settings.niceness);
        // Selling comes first. Where priorities are not to be had, it does not.
        let _ = road
            .run(move || rustix::process::setpriority_process(None, niceness))
            .await;
        while self.go_on() {
            let worked = road.run(move || {
                self.take_mail();
                let round = self.round();
                (self, round)
            });
            let Ok((keeper, round)) = worked.await else {
                // A panic, which the log has: lists stay as they are until the next start.
                return;
            };
            self = keeper;
            self.pause(round).await;
        }
        let Self { writer, done, .. } = self;
        // What is not moved from the log into the file now is moved after the next start.
        let _ = road.run(move || writer.finish()).await;
        done.send_replace(true);
    }

    async fn pause(&mut self, round: Round) {
        let gather = Duration::from_millis(self.settings.gather_ms);
        match round {
            // Published, and not yet to be read.
            Round::Idle if self.is_behind() => self.tasks.sleep(gather).await,
            Round::Idle => self.idle().await,
            Round::CaughtUp if self.is_stopping() => {}
            Round::CaughtUp => self.tasks.sleep(gather).await,
            Round::Behind => {}
            Round::Failed if self.lost => {}
            Round::Failed => self.tasks.sleep(RETRY).await,
        }
    }

    fn is_behind(&self) -> bool {
        self.following.values().any(Following::is_behind)
    }

    fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::SeqCst)
    }

    fn go_on(&self) -> bool {
        let abandon = self.shared.abandon.load(Ordering::SeqCst);
        let finished =
            self.is_stopping() && !self.shared.mail.load(Ordering::SeqCst) && !self.is_behind();
        !abandon && !finished && !self.lost
    }

    async fn idle(&mut self) {
        self.shared.bell.listen();
        if !self.has_work() {
            self.shared.bell.sleep(&self.tasks, IDLE).await;
        }
        self.shared.bell.ignore();
    }

    fn has_work(&self) -> bool {
        let flags = [
            &self.shared.mail,
            &self.shared.stopping,
            &self.shared.abandon,
        ];
        flags.iter().any(|flag| flag.load(Ordering::SeqCst)) || self.is_behind()
    }

    fn take_mail(&mut self) {
        self.shared.mail.store(false, Ordering::SeqCst);
        loop {
            match self.inbox.try_recv() {
                Ok(Message::Join(joining)) => self.join(joining),
                Ok(Message::Leave(sale)) => self.leave(sale),
                Ok(Message::Anew(anew)) => self.build_anew(anew),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
    }

    fn join(&mut self, joining: Joining) {
        let Joining {
            sale,
            reader,
            witness,
            track,
        } = joining;
        match Lane::load(&self.writer, sale, self.shared.seen(sale)) {
            Ok(lane) => {
                let stay = Stay::Open;
                let following = Following {
                    lane,
                    reader,
                    witness,
                    track,
                    stay,
                    stuck: false,
                };
                self.following.insert(sale, following);
            }
            Err(error) => self.give_up(sale, &error),
        }
    }

    /// Builds a sale's rows anew, up to where its reader stands, and follows on from there.
    fn build_anew(&mut self, anew: Anew) {
        let built = self.built_anew(&anew);
        let built = built.map_err(|error| error.to_string());
        // Whoever asked may be gone; the rows are right all the same.
        let _ = anew.done.send(built);
    }

    fn built_anew(&mut self, anew: &Anew) -> Result<(), ProjectorError> {
        let sale = anew.sale;
        let Some(following) = self.following.get_mut(&sale) else {
            let detail = "nobody follows its journal".to_owned();
            return Err(ProjectorError::Misfit {
                sequence: 0,
                detail,
            });
        };
        let stands = following.lane.position();
        let until = Position {
            sequence: stands.sequence,
            chain: stands.chain,
        };
        let lane = anew.build(&self.writer, until, self.settings.transaction_rows_max)?;
        following.lane = lane;
        let position = following.lane.position();
        following.track.apply(position.sequence, position.time_ms);
        self.shared.see(position);
        Ok(())
    }

    /// Follows a sale to the end of what was published, and then no more.
    fn leave(&mut self, sale: u32) {
        match self.following.get_mut(&sale) {
            Some(following) => following.stay = Stay::Leaving,
            None => self.shared.forget(sale),
        }
    }

    fn let_go(&mut self) {
        let gone = self.following.extract_if(.., |_, sale| sale.may_leave());
        gone.for_each(|(sale, _)| self.shared.forget(sale));
    }

    /// A disk that refuses to be read may be better in a moment, and the sale is followed on from where it is; anything
    /// else lasts.
    fn fall_behind(&mut self, sale: u32, error: &ProjectorError) {
        match error {
            ProjectorError::Journal(cause) if cause.kind() == ErrorKind::Wait => {
                self.shared.troubles.of_sale(sale, error);
                if let Some(following) = self.following.get_mut(&sale) {
                    following.stuck = true;
                }
            }
            _ => self.give_up(sale, error),
        }
    }

    /// Leaves a sale's rows as they were last committed, and says why.
    fn give_up(&mut self, sale: u32, error: &ProjectorError) {
        self.following.remove(&sale);
        if is_damage(error) {
            self.set_aside(error);
        } else {
            self.shared.troubles.of_sale(sale, error);
        }
    }

    fn round(&mut self) -> Round {
        self.gather();
        let (batches, _) = self.waiting();
        if batches == 0 {
            self.let_go();
            if !self.is_behind() && self.writer.unmerged() >= UNMERGED_IDLE {
                self.merge();
            }
            return Round::Idle;
        }
        match self.commit() {
            Ok(()) => self.committed(batches),
            Err(error) => {
                self.writer.rollback();
                if is_damage(&error) {
                    self.set_aside(&error);
                    return Round::Failed;
                }
                self.shared
                    .troubles
                    .of_all(format!("read models cannot be written: {error}"));
                Round::Failed
            }
        }
    }

    fn waiting(&self) -> (u64, usize) {
        let each = self.following.values().map(|sale| sale.lane.waiting());
        each.fold((0, 0), |sum, lane| (sum.0 + lane.0, sum.1 + lane.1))
    }

    /// Folds what is durable, a batch of each sale in turn, until a transaction is full.
    fn gather(&mut self) {
        let mut failed = Vec::new();
        while self.waiting().1 < self.settings.transaction_rows_max {
            let mut moved = false;
            for (sale, following) in self
                .following
                .iter_mut()
                .filter(|(_, sale)| sale.is_behind())
            {
                match fold_next(&self.writer, following) {
                    Ok(more) => {
                        moved |= more;
                        if std::mem::take(&mut following.stuck) {
                            self.shared.troubles.end(Some(*sale));
                        }
                    }
                    Err(error) => failed.push((*sale, error)),
                }
            }
            for (sale, error) in failed.drain(..) {
                self.fall_behind(sale, &error);
            }
            if !moved {
                return;
            }
        }
    }

    fn commit(&self) -> Result<(), ProjectorError> {
        self.writer.begin()?;
        for sale in self
            .following
            .values()
            .filter(|sale| sale.lane.waiting().0 > 0)
        {
            sale.lane.write(&self.writer)?;
        }
        Ok(self.writer.commit()?)
    }

    fn committed(&mut self, batches: u64) -> Round {
        for sale in self
            .following
            .values_mut()
            .filter(|sale| sale.lane.waiting().0 > 0)
        {
            sale.lane.settle();
            let position = sale.lane.position();
            sale.track.apply(position.sequence, position.time_ms);
            self.shared.see(position);
        }
        self.shared.troubles.end(None);
        if self.writer.unmerged() >= UNMERGED_MAX {
            self.merge();
        }
        let lag = self.shared.lag();
        let behind = lag.behind_batches;
        self.telemetry.tell(&ProjectorMoved {
            batches,
            lag: Duration::from_millis(lag.lag_ms),
            behind,
        });
        if self.is_behind() {
            Round::Behind
        } else {
            Round::CaughtUp
        }
    }

    fn merge(&self) {
        if let Err(error) = self.writer.merge_buyers() {
            self.shared
                .troubles
                .of_all(format!("read models cannot be written: {error}"));
        }
    }

    /// Moves the damaged file away, so that the next start begins anew.
    fn set_aside(&mut self, error: &ProjectorError) {
        let from = self.path.display();
        let moved = match set_aside(&self.path) {
            Ok(to) => format!("{from} was moved to {}", to.display()),
            Err(other) => format!("{from} cannot be moved away: {other}"),
        };
        let detail = format!("{error}; {moved}; they are built anew at the next start");
        self.shared.troubles.of_all(detail);
        self.lost = true;
    }
}

fn is_damage(error: &ProjectorError) -> bool {
    matches!(error, ProjectorError::Models(error) if error.kind() == ErrorKind::Corrupt)
}

/// Folds the next durable batch of a sale; false if the journal does not show it yet.
fn fold_next(writer: &Writer, sale: &mut Following) -> Result<bool, ProjectorError> {
    let Some(batch) = sale.reader.next()? else {
        return Ok(false);
    };
    if let Some(witness) = sale.witness.take()
        && batch.position() != witness
    {
        let found = batch.position();
        return Err(JournalError::Lost { witness, found }.into());
    }
    sale.lane.fold(writer, &batch)?;
    Ok(true)
}
