//! Every disk behaves alike; a faulty one fails as planned.

use std::io;
use std::path::Path;

use tidegate_world::disk::{Access, Disk, LockError, OsDisk};
use tidegate_world::faults::{Effect, Fault, FaultyDisk, Lasting, MemoryDisk, Operation};

fn a_disk_keeps_the_contract(disk: &dyn Disk, root: &Path) -> io::Result<()> {
    let dir = root.join("a/b");
    disk.create_dir_all(&dir)?;
    disk.create_dir_all(&dir)?;
    let path = dir.join("file");
    assert!(!disk.exists(&path)?);
    assert_eq!(
        kind(disk.open(&path, Access::Write)),
        Some(io::ErrorKind::NotFound)
    );
    let file = disk.open(&path, Access::Create)?;
    assert_eq!(
        kind(disk.open(&path, Access::Create)),
        Some(io::ErrorKind::AlreadyExists)
    );
    file.write_at(4, b"tide")?;
    file.sync_data()?;
    assert_eq!(file.len()?, 8);
    let mut bytes = [9; 16];
    assert_eq!(file.read_at(2, &mut bytes)?, 6);
    assert_eq!(&bytes[..6], b"\0\0tide");
    assert_eq!(file.read_at(100, &mut bytes)?, 0);
    file.set_len(6)?;
    file.sync_all()?;
    assert!(!file.is_empty()?);
    assert!(disk.open(&path, Access::Read)?.write_at(0, b"x").is_err());
    let moved = dir.join("moved");
    disk.rename(&path, &moved)?;
    disk.sync_dir(&dir)?;
    assert_eq!(disk.list(&dir)?, ["moved"]);
    disk.remove(&moved)?;
    assert_eq!(
        kind(disk.list(&dir.join("none"))),
        Some(io::ErrorKind::NotFound)
    );
    assert_eq!(disk.list(root)?, ["a"]);
    Ok(())
}

fn kind<T>(result: io::Result<T>) -> Option<io::ErrorKind> {
    result.err().map(|error| error.kind())
}

fn a_lock_is_exclusive(disk: &dyn Disk, root: &Path) {
    let path = root.join("lock");
    let guard = disk.try_lock(&path, "process 1\n").expect("a free lock");
    match disk.try_lock(&path, "process 2\n") {
        Err(LockError::Held { note }) => assert_eq!(note, "process 1\n"),
        other => panic!("expected a held lock, got {other:?}"),
    }
    drop(guard);
    disk.try_lock(&path, "p3").expect("a lock given back");
}

#[test]
fn the_real_disk_keeps_the_contract() {
    let dir = tempfile::tempdir().expect("a directory");
    a_disk_keeps_the_contract(&OsDisk, dir.path()).expect("the contract");
    a_lock_is_exclusive(&OsDisk, dir.path());
}

#[test]
fn the_disk_in_memory_keeps_the_contract() {
    let disk = MemoryDisk::new();
    a_disk_keeps_the_contract(&disk, Path::new("/")).expect("the contract");
    a_lock_is_exclusive(&disk, Path::new("/"));
    let disk = FaultyDisk::new(MemoryDisk::new());
    a_disk_keeps_the_contract(&disk, Path::new("/")).expect("the contract");
}

#[test]
fn a_planned_fault_comes_when_planned_and_leaves_what_was_planned() {
    let disk = FaultyDisk::new(MemoryDisk::new());
    let file = disk
        .open(Path::new("/file"), Access::Create)
        .expect("a new file");
    disk.plan(Fault {
        operation: Operation::Write,
        after: 1,
        error: io::ErrorKind::StorageFull,
        effect: Effect::First(2),
        lasting: Lasting::Once,
    });
    file.sync_data().expect("syncing is not meant");
    file.write_at(0, b"one").expect("the first write");
    assert_eq!(
        kind(file.write_at(3, b"two")),
        Some(io::ErrorKind::StorageFull)
    );
    assert_eq!(file.len().expect("a length"), 5);
    file.write_at(3, b"two").expect("the fault came once");
    disk.plan(Fault {
        operation: Operation::Any,
        after: 0,
        error: io::ErrorKind::Other,
        effect: Effect::None,
        lasting: Lasting::UntilHealed,
    });
    assert!(file.sync_data().is_err());
    assert!(disk.sync_dir(Path::new("/")).is_err());
    disk.heal();
    file.sync_data().expect("a healed disk");
}
