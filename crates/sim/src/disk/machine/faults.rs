//! When a fault of the plan strikes, and what those do that nobody asked for.

use std::path::Path;
use std::time::Duration;

use super::super::dice::drawn;
use super::super::image::SECTOR_BYTES;
use super::super::plan::{Fault, FaultKind};
use super::super::record::OpKind;
use super::{Asked, Machine, Turn};

/// Tries to find another place for a misdirected write.
const TRIES: u64 = 8;

impl Fault {
    /// The fault's own luck at some time.
    fn luck(&self, seed: u64, when: u64) -> u64 {
        drawn(seed, (self.kind as u64 + 16) << 32 ^ self.at.start, when)
    }

    fn is_about(&self, path: &Path) -> bool {
        self.files.is_empty() || path.to_string_lossy().contains(&self.files)
    }

    fn is_due(&self, seed: u64, op: u64, when: u64) -> bool {
        let one_in = u64::from(self.one_in.max(1));
        self.at.contains(&op) && self.luck(seed, when).is_multiple_of(one_in)
    }
}

impl Machine {
    /// The amount of a fault of this kind that strikes now.
    pub(super) fn due(&self, kind: FaultKind, op: u64, when: u64, path: &Path) -> Option<u32> {
        let mut faults = self.plan.faults.iter();
        faults
            .find(|fault| {
                fault.kind == kind && fault.is_due(self.seed, op, when) && fault.is_about(path)
            })
            .map(|fault| fault.amount)
    }

    /// Lets a fault of this kind strike if one is due; its amount.
    pub(super) fn strikes(&mut self, kind: FaultKind, turn: &mut Turn) -> Option<u32> {
        let amount = self.due(kind, turn.op, turn.op, &turn.asked.path)?;
        self.met(kind, turn);
        Some(amount)
    }

    pub(super) fn met(&mut self, kind: FaultKind, turn: &mut Turn) {
        self.record.met(kind);
        turn.fault = Some(kind);
    }

    /// Whether the disk is lying now about this path; met only if there is something to lie about.
    pub(super) fn lies(&self, turn: &Turn) -> bool {
        let path = &turn.asked.path;
        self.due(FaultKind::LyingSync, turn.op, turn.op, path)
            .is_some()
    }

    /// Whether reading fails now.
    pub(super) fn refuses_to_read(&mut self, path: &Path, reads: u64) -> bool {
        let due = self.due(FaultKind::ReadError, self.ops, reads, path);
        if due.is_some() {
            self.record.met(FaultKind::ReadError);
        }
        due.is_some()
    }

    pub(super) fn dawdle(&mut self, kind: FaultKind, turn: &mut Turn) {
        if let Some(amount) = self.strikes(kind, turn) {
            self.latency += Duration::from_millis(amount.into());
        }
    }

    /// Lets bits turn over whose time has come.
    pub(super) fn rot(&mut self, op: u64) {
        let seed = self.seed;
        let due = |fault: &&Fault| fault.kind == FaultKind::BitFlip && fault.is_due(seed, op, op);
        let due: Vec<Fault> = self.plan.faults.iter().filter(due).cloned().collect();
        for fault in due {
            self.flip_somewhere(&fault, op);
        }
    }

    fn flip_somewhere(&mut self, fault: &Fault, op: u64) {
        let luck = fault.luck(self.seed, op.wrapping_add(1 << 40));
        let mut places: Vec<(u64, usize)> = Vec::new();
        for id in self.names.files() {
            if let Some(file) = self.files.get(&id)
                && fault.is_about(&file.name)
                && let Some(place) = file.durable().place(luck)
            {
                places.push((id, place));
            }
        }
        let Some((id, place)) = pick(&places, luck) else {
            return;
        };
        if let Some(file) = self.files.get_mut(&id) {
            file.flip(place, luck.to_le_bytes()[7]);
            let name = file.name.clone();
            self.record.met(FaultKind::BitFlip);
            self.record.stats.promises_broken += 1;
            self.tell(OpKind::Rot, FaultKind::BitFlip, &name, (place, 1), op);
        }
    }

    /// Puts a write where it does not belong; false if there is no such place.
    pub(super) fn misdirect(
        &mut self,
        turn: &mut Turn,
        id: u64,
        offset: usize,
        bytes: &[u8],
    ) -> bool {
        let found =
            (0..TRIES).find_map(|number| self.other_place(turn.op, number, id, offset, bytes));
        let Some((other, place)) = found else {
            return false;
        };
        if let Some(file) = self.files.get_mut(&id) {
            file.write_astray(offset, bytes);
        }
        if let Some(file) = self.files.get_mut(&other) {
            file.strike(place, bytes);
            let name = file.name.clone();
            let kind = FaultKind::Misdirected;
            self.tell(OpKind::Astray, kind, &name, (place, bytes.len()), turn.op);
        }
        self.met(FaultKind::Misdirected, turn);
        self.record.stats.promises_broken += 1;
        true
    }

    /// A durable sector, of any file, that the write was not meant for.
    fn other_place(
        &self,
        op: u64,
        number: u64,
        id: u64,
        offset: usize,
        bytes: &[u8],
    ) -> Option<(u64, usize)> {
        let luck = drawn(self.seed, 2 + number, op);
        let files: Vec<u64> = self.names.files().into_iter().collect();
        let other = pick(&files, luck)?;
        let image = self.files.get(&other)?.durable();
        let place = image.place(luck.rotate_left(17))? / SECTOR_BYTES * SECTOR_BYTES;
        let apart = place >= offset + bytes.len() || offset >= place + bytes.len();
        (other != id || apart).then_some((other, place))
    }

    fn tell(
        &mut self,
        kind: OpKind,
        fault: FaultKind,
        path: &Path,
        (offset, bytes): (usize, usize),
        op: u64,
    ) {
        let asked = Asked {
            offset: offset as u64,
            bytes: bytes as u64,
            ..Asked::of(kind, path)
        };
        self.remember(op, asked, Some(fault), None);
    }
}

fn pick<T: Copy>(from: &[T], luck: u64) -> Option<T> {
    let index = luck % (from.len() as u64).max(1);
    from.get(usize::try_from(index).ok()?).copied()
}
