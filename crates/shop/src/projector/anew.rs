//! A sale's read models, built anew beside the running shop: in one transaction, so that a list shows the old rows or the
//! new ones and never some of both.

use std::path::PathBuf;
use std::sync::Arc;

use storage::journal::read_dir;
use storage::models::Writer;
use tokio::sync::oneshot;
use world::Disk;
use world::journal::{BatchReader, JournalError, Position};

use super::ProjectorError;
use super::lane::Lane;

/// A sale whose rows are to be built anew.
#[derive(Debug)]
pub(super) struct Anew {
    pub(super) sale: u32,
    pub(super) disk: Arc<dyn Disk>,
    /// Its journal.
    pub(super) dir: PathBuf,
    /// Hears how it ended.
    pub(super) done: oneshot::Sender<Result<(), String>>,
}

impl Anew {
    /// Builds the rows up to a place that the journal is known to have, and gives the lane that goes on from there.
    /// After an error nothing has changed.
    pub(super) fn build(
        &self,
        writer: &Writer,
        until: Position,
        rows_max: usize,
    ) -> Result<Lane, ProjectorError> {
        let mut reader = read_dir(&self.disk, &self.dir, 0)?;
        writer.begin()?;
        let built = self
            .fold(writer, &mut *reader, until, rows_max)
            .and_then(|lane| Ok(writer.commit().map(|()| lane)?));
        if built.is_err() {
            writer.rollback();
        }
        built
    }

    fn fold(
        &self,
        writer: &Writer,
        reader: &mut dyn BatchReader,
        until: Position,
        rows_max: usize,
    ) -> Result<Lane, ProjectorError> {
        writer.forget_sale(self.sale)?;
        let mut lane = Lane::load(writer, self.sale, None)?;
        while lane.position().sequence < until.sequence {
            let Some(batch) = reader.next()? else {
                break;
            };
            lane.fold(writer, &batch)?;
            if lane.waiting().1 >= rows_max {
                lane.write(writer)?;
                lane.settle();
            }
        }
        let found = Position {
            sequence: lane.position().sequence,
            chain: lane.position().chain,
        };
        if found != until {
            let witness = until;
            return Err(JournalError::Lost { witness, found }.into());
        }
        lane.write(writer)?;
        lane.settle();
        Ok(lane)
    }
}
