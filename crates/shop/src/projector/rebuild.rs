//! Read models from zero, for a data directory that nobody serves.

use std::path::Path;
use std::sync::Arc;

use storage::DataDir;
use storage::journal::read_dir;
use storage::models::Writer;
use world::Disk;
use world::journal::{BatchReader, JournalError, Position};

use super::lane::Lane;
use super::{ProjectorError, Settings};

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rebuilding {
    /// Bytes of journals done.
    pub bytes: u64,
    /// Bytes of all journals, their unused room included.
    pub bytes_total: u64,
    /// Batches done.
    pub batches: u64,
}

/// What a rebuild did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rebuilt {
    /// Sales.
    pub sales: u64,
    /// Batches of their journals.
    pub batches: u64,
}

/// Builds the read models anew, beside the old ones, and puts them into their place at the end. The caller has the
/// data directory's lock. `progress` hears how far it is a few times a second.
///
/// # Errors
/// [`ProjectorError`]; the old read models are untouched then.
pub fn rebuild(
    disk: &Arc<dyn Disk>,
    data: &DataDir,
    settings: &Settings,
    progress: &mut dyn FnMut(Rebuilding),
) -> Result<Rebuilt, ProjectorError> {
    let writer = Writer::begin_anew(&data.models(), settings.cache_kib)?;
    let sales = sales(disk, data)?;
    let mut at = Rebuilding::default();
    for &sale in &sales {
        at.bytes_total += journal_bytes(&**disk, &data.sale(sale.into()));
    }
    for &sale in &sales {
        let begun = at;
        let dir = data.sale(sale.into());
        rebuild_sale(
            disk,
            &dir,
            &writer,
            (sale, settings.transaction_rows_max),
            &mut at,
            progress,
        )?;
        // Room at the end of a journal that holds no batch is done, too.
        at.bytes = begun.bytes + journal_bytes(&**disk, &dir);
    }
    writer.finish()?;
    progress(Rebuilding {
        bytes: at.bytes_total,
        ..at
    });
    Ok(Rebuilt {
        sales: sales.len() as u64,
        batches: at.batches,
    })
}

/// Brings the read models of one sale up to its journal, for a data directory that nobody serves: its lists are whole
/// then, whatever the last server had not got to. The caller has the data directory's lock.
///
/// # Errors
/// [`ProjectorError`]; a journal that does not have what the read models have seen has lost something.
pub fn catch_up(
    disk: &Arc<dyn Disk>,
    data: &DataDir,
    settings: &Settings,
    sale: u32,
) -> Result<(), ProjectorError> {
    if !sales(disk, data)?.contains(&sale) {
        return Ok(());
    }
    let (writer, _) = Writer::open(&data.models(), settings.cache_kib)?;
    let positions = writer.positions()?.into_iter();
    let seen = positions
        .filter(|seen| seen.sequence > 0)
        .find(|seen| seen.sale == sale);
    let lane = Lane::load(&writer, sale, seen)?;
    let mut reader = read_dir(
        disk,
        &data.sale(sale.into()),
        seen.map_or(0, |seen| seen.sequence - 1),
    )?;
    if let Some(seen) = seen {
        let witness = Position {
            sequence: seen.sequence,
            chain: seen.chain,
        };
        let found = reader.next()?.map(|batch| batch.position());
        if found != Some(witness) {
            let found = found.unwrap_or(Position {
                sequence: 0,
                chain: [0; 32],
            });
            return Err(JournalError::Lost { witness, found }.into());
        }
    }
    let rows_max = settings.transaction_rows_max;
    let mut at = Rebuilding::default();
    follow(&writer, (lane, reader), rows_max, &mut at, &mut |_| {})?;
    Ok(writer.finish()?)
}

fn rebuild_sale(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    writer: &Writer,
    (sale, rows_max): (u32, usize),
    at: &mut Rebuilding,
    progress: &mut dyn FnMut(Rebuilding),
) -> Result<(), ProjectorError> {
    let lane = Lane::load(writer, sale, None)?;
    let reader = read_dir(disk, dir, 0)?;
    follow(writer, (lane, reader), rows_max, at, progress)
}

/// Folds a journal to its end, a transaction after the other.
fn follow(
    writer: &Writer,
    (mut lane, mut reader): (Lane, Box<dyn BatchReader>),
    rows_max: usize,
    at: &mut Rebuilding,
    progress: &mut dyn FnMut(Rebuilding),
) -> Result<(), ProjectorError> {
    loop {
        let batch = reader.next()?;
        if let Some(batch) = &batch {
            lane.fold(writer, batch)?;
            at.batches += 1;
            at.bytes += batch.payload.len() as u64;
        }
        let (batches, rows) = lane.waiting();
        if rows >= rows_max || (batch.is_none() && batches > 0) {
            writer.begin()?;
            lane.write(writer)?;
            writer.commit()?;
            lane.settle();
            progress(*at);
        }
        if batch.is_none() {
            return Ok(());
        }
    }
}

/// Numbers of all sales that have a journal.
pub(crate) fn sales(disk: &Arc<dyn Disk>, data: &DataDir) -> Result<Vec<u32>, ProjectorError> {
    let numbers = data.sale_numbers(&**disk)?;
    Ok(numbers
        .into_iter()
        .filter_map(|number| u32::try_from(number).ok())
        .collect())
}

/// Bytes of the files in a journal's directory and its archive; what cannot be seen counts nothing.
pub(crate) fn journal_bytes(disk: &dyn Disk, dir: &Path) -> u64 {
    let length = |path: &Path| {
        disk.open(path, world::disk::Access::Read)
            .and_then(|file| file.len())
            .unwrap_or(0)
    };
    let in_dir = |dir: &Path| {
        let names = disk.list(dir).unwrap_or_default();
        names
            .iter()
            .filter(|name| name.ends_with(".journal"))
            .map(|name| length(&dir.join(name)))
            .sum::<u64>()
    };
    in_dir(dir) + in_dir(&dir.join("archive"))
}
