//! What a power cut leaves on the disk in memory.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;

use tidegate_world::disk::{Access, Disk};
use tidegate_world::faults::{Crash, MemoryDisk};

fn written(disk: &MemoryDisk, path: &str, sync: &[&str]) {
    let file = disk.open(Path::new(path), Access::OpenOrCreate).unwrap();
    file.write_at(0, &[1; 2048]).unwrap();
    for step in sync {
        match *step {
            "data" => file.sync_data().unwrap(),
            dir => disk.sync_dir(Path::new(dir)).unwrap(),
        }
    }
}

fn found(disk: &MemoryDisk, path: &str) -> Option<usize> {
    let file = disk.open(Path::new(path), Access::Read).ok()?;
    let mut bytes = vec![0; 4096];
    let count = file.read_at(0, &mut bytes).unwrap();
    Some(bytes[..count].iter().filter(|byte| **byte == 1).count())
}

#[test]
fn a_crash_forgets_bytes_and_names_that_were_not_synced() {
    let disk = MemoryDisk::new();
    disk.create_dir_all(Path::new("/a/b")).unwrap();
    written(&disk, "/a/named", &["/a"]);
    written(&disk, "/a/both", &["data", "/a"]);
    written(&disk, "/a/b/both", &["data", "/a/b"]);
    written(&disk, "/a/none", &["data"]);
    let before = disk.crashed(Crash::Forgets);
    assert!(!before.exists(Path::new("/a")).unwrap());
    disk.sync_dir(Path::new("/")).unwrap();
    let after = disk.crashed(Crash::Forgets);
    assert_eq!(found(&after, "/a/none"), None);
    assert_eq!(found(&after, "/a/named"), Some(0));
    assert_eq!(found(&after, "/a/both"), Some(2048));
    assert_eq!(found(&after, "/a/b/both"), Some(2048));
    let kept = disk.crashed(Crash::Keeps);
    assert_eq!(found(&kept, "/a/none"), Some(2048));
}

#[test]
fn a_torn_write_keeps_whole_sectors() {
    let disk = MemoryDisk::new();
    written(&disk, "/file", &[]);
    let left: BTreeSet<_> = (0..40)
        .filter_map(|seed| found(&disk.crashed(Crash::Tears(seed)), "/file"))
        .collect();
    assert!(left.iter().all(|count| count % 512 == 0));
    assert!(left.len() > 2);
    assert_eq!(
        found(&disk.crashed(Crash::TearsUnderOldNames(1)), "/file"),
        None
    );
}

#[test]
fn a_removed_name_comes_back_unless_the_directory_was_synced() {
    let disk = MemoryDisk::new();
    written(&disk, "/file", &["data", "/"]);
    disk.rename(Path::new("/file"), Path::new("/other"))
        .unwrap();
    assert_eq!(found(&disk.crashed(Crash::Forgets), "/file"), Some(2048));
    disk.sync_dir(Path::new("/")).unwrap();
    assert_eq!(found(&disk.crashed(Crash::Forgets), "/file"), None);
    assert_eq!(found(&disk.crashed(Crash::Forgets), "/other"), Some(2048));
}
