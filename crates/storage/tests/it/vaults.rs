//! The vault: what it keeps, what it destroys, and what a wrong key does.

use std::path::Path;
use std::sync::Arc;

use tidegate_storage::vault::{MasterKey, Record, VAULT_FILE, Vault, VaultError, copy, person_id};
use world::SeededEntropy;

const SECRET: &[u8] = b"the first master secret, long enough";
const NEXT: &[u8] = b"the second master secret, long enough";

fn open(dir: &Path, masters: &[(&str, &[u8])]) -> Result<Vault, VaultError> {
    let masters = masters
        .iter()
        .map(|(id, secret)| MasterKey::new(id, secret).expect("a key"));
    let entropy = Arc::new(SeededEntropy::new(5));
    Vault::open(&dir.join(VAULT_FILE), masters.collect(), entropy)
}

fn record(kept_ms: u64, text: &str) -> Record {
    Record {
        kept_ms,
        bytes: text.as_bytes().to_vec(),
    }
}

fn holds(dir: &Path, text: &str) -> bool {
    std::fs::read_dir(dir).expect("a directory").any(|file| {
        let bytes = std::fs::read(file.expect("a file").path()).expect("its bytes");
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    })
}

#[test]
fn a_record_comes_back_and_is_nowhere_to_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let kept = record(7, "Ann Example, 1 High Street");
    {
        let vault = open(dir.path(), &[("a", SECRET)]).unwrap();
        vault.put(&person_id("ann"), &kept).unwrap();
        assert_eq!(vault.get(&person_id("bob")).unwrap(), None);
    }
    let vault = open(dir.path(), &[("a", SECRET)]).unwrap();
    assert_eq!(vault.get(&person_id("ann")).unwrap(), Some(kept));
    assert!(!holds(dir.path(), "High Street") && !holds(dir.path(), "ann"));
}

#[test]
fn an_erased_record_leaves_no_byte_of_its_row() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(dir.path(), &[("a", SECRET)]).unwrap();
    let ann = person_id("ann");
    vault.put(&ann, &record(7, "Ann Example")).unwrap();
    let before = std::fs::read(dir.path().join(VAULT_FILE)).unwrap();
    let place = before.windows(32).position(|part| part == ann).unwrap();
    // Behind the person's digest stand its key and its record.
    let row = &before[place..place + 120];
    assert_eq!(vault.erase([(&ann, 6)]).unwrap(), 0, "it was kept later");
    assert_eq!(vault.erase([(&ann, 7)]).unwrap(), 1);
    assert_eq!(vault.get(&ann).unwrap(), None);
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let after = std::fs::read(file.expect("a file").path()).expect("its bytes");
        for part in row.chunks(24) {
            assert!(!after.windows(24).any(|found| found == part));
        }
    }
}

#[test]
fn a_wrong_or_missing_key_is_said_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let kept = record(1, "Ann");
    open(dir.path(), &[("a", SECRET)])
        .unwrap()
        .put(&person_id("ann"), &kept)
        .unwrap();
    let before = std::fs::read(dir.path().join(VAULT_FILE)).unwrap();
    let wrong = open(dir.path(), &[("a", NEXT)]).unwrap_err();
    assert!(
        matches!(&wrong, VaultError::WrongKey { id } if &**id == "a"),
        "{wrong}"
    );
    let missing = open(dir.path(), &[("b", NEXT)]).unwrap_err();
    assert!(
        matches!(&missing, VaultError::MissingKey { id } if &**id == "a"),
        "{missing}"
    );
    assert!(matches!(open(dir.path(), &[]), Err(VaultError::NoKey)));
    assert_eq!(std::fs::read(dir.path().join(VAULT_FILE)).unwrap(), before);
    let vault = open(dir.path(), &[("a", SECRET)]).unwrap();
    assert_eq!(vault.get(&person_id("ann")).unwrap(), Some(kept));
}

#[test]
fn after_a_rotation_the_old_secret_is_not_needed_and_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let people = ["ann", "bob", "cat"].map(person_id);
    let vault = open(dir.path(), &[("a", SECRET)]).unwrap();
    for person in &people {
        vault.put(person, &record(1, "somebody")).unwrap();
    }
    drop(vault);
    let both = open(dir.path(), &[("b", NEXT), ("a", SECRET)]).unwrap();
    both.put(&people[0], &record(2, "somebody else")).unwrap();
    assert_eq!((both.rotate().unwrap(), both.rotate().unwrap()), (2, 0));
    drop(both);
    assert!(matches!(
        open(dir.path(), &[("a", SECRET)]),
        Err(VaultError::MissingKey { .. })
    ));
    let vault = open(dir.path(), &[("b", NEXT)]).unwrap();
    assert_eq!(
        vault.get(&people[0]).unwrap(),
        Some(record(2, "somebody else"))
    );
    assert_eq!(vault.get(&people[2]).unwrap(), Some(record(1, "somebody")));
}

#[test]
fn a_row_that_was_moved_or_made_younger_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(dir.path(), &[("a", SECRET)]).unwrap();
    vault.put(&person_id("ann"), &record(1, "Ann")).unwrap();
    let file = rusqlite::Connection::open(dir.path().join(VAULT_FILE)).unwrap();
    file.execute("UPDATE people SET kept_ms = 2", []).unwrap();
    assert!(matches!(
        vault.get(&person_id("ann")),
        Err(VaultError::Damaged)
    ));
    file.execute(
        "UPDATE people SET kept_ms = 1, person = ?1",
        [person_id("bob")],
    )
    .unwrap();
    assert!(matches!(
        vault.get(&person_id("bob")),
        Err(VaultError::Damaged)
    ));
    assert_eq!(vault.get(&person_id("ann")).unwrap(), None);
}

#[test]
fn a_copy_beside_the_living_vault_holds_what_it_held() {
    let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(!copy(dir.path(), to.path()).unwrap(), "there is none yet");
    let vault = open(dir.path(), &[("a", SECRET)]).unwrap();
    vault.put(&person_id("ann"), &record(1, "Ann")).unwrap();
    assert!(copy(dir.path(), to.path()).unwrap());
    vault.erase([(&person_id("ann"), 1)]).unwrap();
    let copied = open(to.path(), &[("a", SECRET)]).unwrap();
    assert_eq!(
        copied.get(&person_id("ann")).unwrap(),
        Some(record(1, "Ann"))
    );
    drop(copied);
    assert!(copy(dir.path(), to.path()).unwrap(), "over the older copy");
    let copied = open(to.path(), &[("a", SECRET)]).unwrap();
    assert_eq!(copied.count().unwrap(), 0);
}

#[test]
fn a_file_that_is_no_vault_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = rusqlite::Connection::open(dir.path().join(VAULT_FILE)).unwrap();
    file.execute_batch("CREATE TABLE other (id INTEGER)")
        .unwrap();
    assert!(matches!(
        open(dir.path(), &[("a", SECRET)]),
        Err(VaultError::Version { found: 0, .. })
    ));
}
