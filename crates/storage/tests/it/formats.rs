//! What version 1 wrote opens for ever; what a later version wrote is refused by its name and the reason.
//!
//! The golden files are what version 1 wrote. They are never made anew: a difference is a new version.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_storage::backup::{BackupError, Cut, MANIFEST_VERSION, Manifest};
use tidegate_storage::{DataDir, StorageError, snapshot};
use world::Disk;
use world::journal::{JournalError, NewBatch};

use crate::backups::{backed_up, batches, data, files, memory, place, restored};
use crate::desk::{batch, file_bytes, fill, open_log, put_file, recovered};

/// The files of version 1: a data directory, and a backup of it.
fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/version-1")
}

/// A directory of the golden files on a disk in memory.
fn from_golden(name: &str, to: &Path) -> Arc<dyn Disk> {
    let disk = memory();
    copy_in(&*disk, &golden().join(name), to);
    disk
}

fn copy_in(disk: &dyn Disk, from: &Path, to: &Path) {
    disk.create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("golden files") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_in(disk, &path, &target);
        } else {
            put_file(disk, &target, &std::fs::read(&path).expect("a golden file"));
        }
    }
}

/// The life that the golden files keep: a house, and a sale with an archive and a snapshot.
fn life() -> Arc<dyn Disk> {
    let disk = memory();
    let dir = DataDir::open(&disk, &data(), 1).expect("a data directory");
    let mut house = open_log(&disk, &dir.house()).expect("a house");
    fill(&mut house, 0, 3);
    let mut sale = open_log(&disk, &dir.sale(1)).expect("a sale");
    fill(&mut sale, 0, 12);
    snapshot::write(&*disk, &dir.sale(1), sale.position(), 1_011, &[7; 40]).expect("a snapshot");
    fill(&mut sale, 12, 15);
    sale.archive(12).expect("archiving");
    disk
}

/// Holds a data directory of version 1 against what was put into it, and works on.
fn assert_version_1(disk: &Arc<dyn Disk>) {
    let dir = DataDir::open(disk, &data(), 1).expect("a data directory");
    for (journal, count) in [(dir.house(), 3), (dir.sale(1), 15)] {
        let found = batches(disk, &journal);
        let contents: Vec<NewBatch> = found
            .iter()
            .map(|found| NewBatch {
                time_ms: found.time_ms,
                entries: found.entries,
                payload: found.payload.clone(),
            })
            .collect();
        let expected: Vec<NewBatch> = (0..count).map(|number| batch(number, 1)).collect();
        assert_eq!(contents, expected);
        fill(
            &mut open_log(disk, &journal).expect("a log"),
            count,
            count + 9,
        );
    }
    let newest = snapshot::newest(&**disk, &dir.sale(1)).expect("a search");
    let found = newest.snapshot.expect("the snapshot");
    assert_eq!((found.position.sequence, found.payload), (12, vec![7; 40]));
}

#[test]
fn what_version_1_wrote_opens_for_ever() {
    assert_version_1(&from_golden("data", &data()));
}

#[test]
fn a_backup_of_version_1_is_restored_for_ever() {
    let backup = from_golden("backup", &place());
    let to = memory();
    let (told, _) = restored(&backup, &to, Cut::End).expect("a restore");
    assert_eq!(
        (told.skipped.len(), told.manifest.written_by.as_str()),
        (0, "0.1.0")
    );
    assert_version_1(&to);
}

#[test]
fn this_program_still_writes_version_1() {
    let (now, backup) = (life(), memory());
    backed_up(&now, &backup, &mut |_| {}).expect("a backup");
    for (disk, name, dir) in [(now, "data", data()), (backup, "backup", place())] {
        let written = files(&*disk, &dir);
        let kept = files(&*from_golden(name, &dir), &dir);
        let own = |path: &Path| path.ends_with("lock") || path.ends_with("manifest.json");
        for (path, bytes) in written.into_iter().filter(|(path, _)| !own(path)) {
            assert_eq!(kept.get(&path), Some(&bytes), "{}", path.display());
        }
    }
}

#[test]
fn a_data_directory_of_version_2_is_refused_by_name_and_reason() {
    let disk = from_golden("data", &data());
    put_file(&*disk, &data().join("format"), b"tidegate data 2\n");
    let before = files(&*disk, &data());
    for error in [
        DataDir::open(&disk, &data(), 1).expect_err("a refusal"),
        DataDir::inspect(&disk, &data()).expect_err("a refusal"),
    ] {
        assert_reason(&error.to_string(), "/data/format");
        assert!(matches!(
            error,
            StorageError::Version {
                found: 2,
                supported: 1,
                ..
            }
        ));
    }
    let refused = backed_up(&disk, &memory(), &mut |_| {}).map(|_| ());
    assert!(matches!(
        refused,
        Err(BackupError::Storage(StorageError::Version { .. }))
    ));
    let mut after = files(&*disk, &data());
    // Whoever looked at it locked it, and left its number there.
    after.remove(&data().join("lock"));
    assert_eq!(after, before);
}

/// Makes a segment one of version 2: the place of its checksum is the same in every version.
fn make_later(disk: &dyn Disk, path: &Path) {
    let mut bytes = file_bytes(disk, path);
    bytes[8..12].copy_from_slice(&2_u32.to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..128]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    put_file(disk, path, &bytes);
}

#[test]
fn a_segment_of_version_2_is_refused_by_name_and_reason() {
    let disk = from_golden("data", &data());
    let newest = data().join("house/00000001.journal");
    make_later(&*disk, &newest);
    let error = recovered(&disk, &data().join("house"), None).map(|_| ());
    let error = error.expect_err("a refusal");
    assert_reason(&error.to_string(), "house/00000001.journal");
    assert!(matches!(
        error,
        JournalError::Version {
            found: 2,
            supported: 1,
            ..
        }
    ));
    let refused = backed_up(&disk, &memory(), &mut |_| {}).map(|_| ());
    assert!(matches!(
        refused,
        Err(BackupError::Journal(JournalError::Version { .. }))
    ));

    let backup = from_golden("backup", &place());
    let segments = backup.list(&place().join("house")).expect("a list");
    make_later(&*backup, &place().join("house").join(&segments[0]));
    let refused = restored(&backup, &memory(), Cut::End).map(|_| ());
    assert!(matches!(
        refused,
        Err(BackupError::Journal(JournalError::Version { .. }))
    ));
}

#[test]
fn a_snapshot_of_version_2_is_skipped_for_its_reason() {
    let disk = from_golden("data", &data());
    let dir = data().join("sales/00000001");
    let path = dir.join(format!("snapshot-{:020}.snap", 12));
    let mut bytes = file_bytes(&*disk, &path);
    bytes[8..12].copy_from_slice(&2_u32.to_le_bytes());
    put_file(&*disk, &path, &bytes);
    let newest = snapshot::newest(&*disk, &dir).expect("a search");
    assert_eq!((&newest.snapshot, newest.skipped.len()), (&None, 1));
    assert_reason(
        &newest.skipped[0].reason,
        "snapshot-00000000000000000012.snap",
    );
    let done = backed_up(&disk, &memory(), &mut |_| {}).expect("a backup does without");
    assert_eq!(done.skipped.len(), 1);
}

#[test]
fn a_manifest_of_version_2_is_refused_by_name_and_reason() {
    let disk = from_golden("backup", &place());
    let path = place().join("manifest.json");
    let text = String::from_utf8(file_bytes(&*disk, &path)).expect("a text");
    let claimed = text.replacen("\"version\": 1", "\"version\": 2", 1);
    assert_ne!(text, claimed);
    let damaged = Manifest::decode(&path, claimed.as_bytes()).expect_err("a refusal");
    assert!(
        matches!(damaged, StorageError::Damaged { .. }),
        "only claimed: {damaged}"
    );

    let body = text.split_once("\"backup\": ").expect("a body").1;
    let body = body
        .trim_end()
        .strip_suffix('}')
        .expect("its end")
        .trim_end();
    let sum = blake3::hash(format!("tidegate backup 2\n{body}").as_bytes()).to_hex();
    let later = format!(
        "{{\"format\": \"tidegate backup\", \"version\": 2, \"blake3\": \"{sum}\", \"backup\": {body}, \"more\": 1}}"
    );
    put_file(&*disk, &path, later.as_bytes());
    let error = restored(&disk, &memory(), Cut::End)
        .map(|_| ())
        .expect_err("a refusal");
    assert_reason(&error.to_string(), "/backup/manifest.json");
    let version = |error: &BackupError| {
        matches!(
            error,
            BackupError::Storage(StorageError::Version {
                found: 2,
                supported: MANIFEST_VERSION,
                ..
            })
        )
    };
    assert!(version(&error), "{error}");
    // An older program must not replace a later backup either.
    let error = backed_up(&life(), &disk, &mut |_| {})
        .map(|_| ())
        .expect_err("a refusal");
    assert!(version(&error), "{error}");
    assert_eq!(file_bytes(&*disk, &path), later.as_bytes());
}

/// A refusal names the file and both versions.
fn assert_reason(message: &str, file: &str) {
    for part in [file, "version 2", "reads up to 1"] {
        assert!(message.contains(part), "{part:?} is missing in {message}");
    }
}
