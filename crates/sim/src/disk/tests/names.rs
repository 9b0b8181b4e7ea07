//! Names and power cuts.

use std::collections::BTreeSet;

use world::disk::Disk;

use super::super::{Outage, SimDisk};
use super::{bytes, durable, fresh, open, path};

/// What power cuts leave of the names in `/d` and `/e` after `prepare`.
fn outcomes(prepare: impl Fn(&SimDisk)) -> BTreeSet<Vec<String>> {
    (0..400)
        .map(|seed| {
            let disk = fresh(1);
            disk.create_dir_all(&path("/e")).expect("a directory");
            disk.sync_dir(&path("/")).expect("a sync");
            prepare(&disk);
            let left = disk.crash(Outage::Power(seed));
            let mut names = Vec::new();
            for dir in ["/d", "/e"] {
                let found = left.list(&path(dir)).expect("a list");
                names.extend(found.into_iter().map(|name| format!("{dir}/{name}")));
            }
            names
        })
        .collect()
}

fn sets(of: &[&[&str]]) -> BTreeSet<Vec<String>> {
    of.iter()
        .map(|names| names.iter().map(ToString::to_string).collect())
        .collect()
}

#[test]
fn a_name_is_kept_or_lost_until_its_directory_is_synced() {
    let make = |disk: &SimDisk| drop(open(disk, "/d/a"));
    assert_eq!(outcomes(make), sets(&[&[], &["/d/a"]]));
    let synced = |disk: &SimDisk| {
        make(disk);
        disk.sync_dir(&path("/d")).expect("a sync");
    };
    assert_eq!(outcomes(synced), sets(&[&["/d/a"]]));
}

#[test]
fn syncing_a_file_or_another_directory_does_not_make_its_name_durable() {
    let disk = fresh(1);
    open(&disk, "/d/a").sync_all().expect("a sync");
    disk.sync_dir(&path("/")).expect("a sync");
    assert_eq!(bytes(&disk.crash(Outage::Forgets), "/d/a"), None);
}

#[test]
fn a_rename_leaves_the_old_name_or_the_new_one() {
    let rename = |disk: &SimDisk| {
        durable(disk, "/d/a", b"a");
        disk.rename(&path("/d/a"), &path("/d/b")).expect("a rename");
    };
    assert_eq!(outcomes(rename), sets(&[&["/d/a"], &["/d/b"]]));
}

#[test]
fn a_file_renamed_over_another_leaves_the_one_or_the_other() {
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let disk = fresh(1);
        durable(&disk, "/d/a", b"old");
        let file = open(&disk, "/d/a.tmp");
        file.write_at(0, b"new").expect("a write");
        file.sync_all().expect("a sync");
        disk.rename(&path("/d/a.tmp"), &path("/d/a"))
            .expect("a rename");
        let left = disk.crash(Outage::Power(seed));
        seen.insert(bytes(&left, "/d/a").expect("one of the two"));
    }
    assert_eq!(seen, BTreeSet::from([b"old".to_vec(), b"new".to_vec()]));
}

#[test]
fn a_file_moved_to_another_directory_is_never_gone() {
    let moved = |synced: &'static [&'static str]| {
        outcomes(move |disk| {
            durable(disk, "/d/a", b"a");
            disk.rename(&path("/d/a"), &path("/e/a")).expect("a rename");
            for dir in synced {
                disk.sync_dir(&path(dir)).expect("a sync");
            }
        })
    };
    assert_eq!(moved(&[]), sets(&[&["/d/a"], &["/e/a"]]));
    assert_eq!(moved(&["/d"]), sets(&[&["/d/a"], &["/e/a"]]));
    assert_eq!(moved(&["/e"]), sets(&[&["/d/a", "/e/a"], &["/e/a"]]));
    assert_eq!(moved(&["/e", "/d"]), sets(&[&["/e/a"]]));
    assert_eq!(moved(&["/d", "/e"]), sets(&[&["/e/a"]]));
}

#[test]
fn a_removal_is_kept_or_lost_until_its_directory_is_synced() {
    let remove = |disk: &SimDisk| {
        durable(disk, "/d/a", b"a");
        disk.remove(&path("/d/a")).expect("a removal");
    };
    assert_eq!(outcomes(remove), sets(&[&[], &["/d/a"]]));
}

#[test]
fn unsynced_steps_are_kept_or_lost_each_by_itself() {
    let two = |disk: &SimDisk| {
        open(disk, "/d/a");
        open(disk, "/d/b");
    };
    let all = sets(&[&[], &["/d/a"], &["/d/b"], &["/d/a", "/d/b"]]);
    assert_eq!(outcomes(two), all);
}

#[test]
fn a_rename_needs_the_name_that_it_came_from() {
    let made_and_renamed = |disk: &SimDisk| {
        open(disk, "/d/a");
        disk.rename(&path("/d/a"), &path("/d/b")).expect("a rename");
    };
    assert_eq!(
        outcomes(made_and_renamed),
        sets(&[&[], &["/d/a"], &["/d/b"]])
    );
}

#[test]
fn nothing_is_under_a_directory_that_is_not_there() {
    let deep = |disk: &SimDisk| {
        disk.create_dir_all(&path("/d/sub/deeper"))
            .expect("directories");
        durable(disk, "/d/sub/deeper/a", b"a");
    };
    let disk = fresh(1);
    deep(&disk);
    let left = disk.crash(Outage::Forgets);
    assert!(!left.exists(&path("/d/sub/deeper/a")).expect("a look"));
    assert_eq!(outcomes(deep), sets(&[&[], &["/d/sub"]]));
    let disk = fresh(1);
    deep(&disk);
    for dir in ["/d/sub", "/d"] {
        disk.sync_dir(&path(dir)).expect("a sync");
    }
    let left = disk.crash(Outage::Forgets);
    assert_eq!(bytes(&left, "/d/sub/deeper/a"), Some(b"a".to_vec()));
}
