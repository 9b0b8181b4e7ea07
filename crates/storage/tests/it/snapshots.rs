//! Snapshots: whole or absent, newest first, two of them.

use std::path::PathBuf;
use std::sync::Arc;

use tidegate_storage::{StorageError, snapshot};
use world::Disk;
use world::faults::MemoryDisk;
use world::journal::Position;

use crate::desk::{file_bytes, put_file};

fn place(sequence: u64) -> Position {
    Position {
        sequence,
        chain: [8; 32],
    }
}

fn disk_with(sequences: &[u64]) -> (Arc<dyn Disk>, PathBuf, Vec<PathBuf>) {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let dir = PathBuf::from("/sale");
    disk.create_dir_all(&dir).expect("a directory");
    let paths = sequences
        .iter()
        .map(|sequence| {
            let payload = vec![3; 100 + usize::try_from(*sequence).expect("small")];
            snapshot::write(&*disk, &dir, place(*sequence), 5, &payload).expect("a snapshot")
        })
        .collect();
    (disk, dir, paths)
}

#[test]
fn the_newest_snapshot_is_found_and_only_two_are_kept() {
    let (disk, dir, _) = disk_with(&[3, 40, 100, 7_000]);
    let newest = snapshot::newest(&*disk, &dir).expect("a search");
    let found = newest.snapshot.expect("a snapshot");
    assert_eq!((found.position, found.time_ms), (place(7_000), 5));
    assert_eq!(found.payload, vec![3; 7_100]);
    assert!(newest.skipped.is_empty());
    assert_eq!(disk.list(&dir).expect("a directory").len(), 2);
}

#[test]
fn a_directory_without_snapshots_has_none() {
    let (disk, dir, _) = disk_with(&[]);
    assert_eq!(
        snapshot::newest(&*disk, &dir).expect("a search"),
        snapshot::Newest::default()
    );
    let missing = snapshot::newest(&*disk, &dir.join("none")).expect("a search");
    assert_eq!(missing, snapshot::Newest::default());
}

#[test]
fn a_snapshot_with_any_flipped_bit_or_cut_is_skipped_for_the_older_one() {
    let (disk, dir, paths) = disk_with(&[1, 2]);
    let whole = file_bytes(&*disk, &paths[1]);
    let mut variants: Vec<Vec<u8>> = (0..whole.len()).map(|len| whole[..len].to_vec()).collect();
    variants.push([&whole[..], &[0]].concat());
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        variants.push(flipped);
    }
    for bytes in variants {
        put_file(&*disk, &paths[1], &bytes);
        let newest = snapshot::newest(&*disk, &dir).expect("a search");
        assert_eq!(newest.snapshot.expect("the older one").position, place(1));
        assert_eq!(newest.skipped.len(), 1);
        assert_eq!(newest.skipped[0].path, paths[1]);
    }
}

#[test]
fn a_snapshot_from_the_future_says_its_version() {
    let (disk, dir, paths) = disk_with(&[1]);
    let mut bytes = file_bytes(&*disk, &paths[0]);
    bytes[8] = 2;
    put_file(&*disk, &paths[0], &bytes);
    assert!(matches!(
        snapshot::read(&*disk, &paths[0]),
        Err(StorageError::Version {
            found: 2,
            supported: 1,
            ..
        })
    ));
    let newest = snapshot::newest(&*disk, &dir).expect("a search");
    assert!(newest.skipped[0].reason.contains("version 2"));
}

#[test]
fn a_snapshot_under_another_name_is_not_believed() {
    let (disk, dir, paths) = disk_with(&[1]);
    let other = dir.join("snapshot-00000000000000000009.snap");
    disk.rename(&paths[0], &other).expect("renaming");
    let newest = snapshot::newest(&*disk, &dir).expect("a search");
    assert_eq!((newest.snapshot, newest.skipped.len()), (None, 1));
}
