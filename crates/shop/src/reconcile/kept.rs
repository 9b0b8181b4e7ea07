//! The differences that are open, in a file: a start neither forgets one whose order nobody looks at any more, nor
//! makes it young again.

use std::path::Path;

use serde::{Deserialize, Serialize};
use world::Disk;
use world::disk::Access;

use super::judge::What;

/// The version of the file that this program writes.
const VERSION: u32 = 1;
/// Bytes of the file, at most.
const FILE_BYTES_MOST: u64 = 64 * 1024 * 1024;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptGap {
    pub(super) sale: u32,
    pub(super) order: u64,
    pub(super) what: What,
    /// Its kind, as the metrics name it.
    pub(super) kind: String,
    /// Since when it is known, Unix milliseconds.
    pub(super) since_ms: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u32,
    gaps: Vec<KeptGap>,
}

/// The bytes of a file with these.
pub(super) fn bytes(gaps: Vec<KeptGap>) -> Vec<u8> {
    let version = VERSION;
    serde_json::to_vec(&Kept { version, gaps }).unwrap_or_default()
}

/// What the file holds. One that is missing holds nothing; of one that cannot be read the reason is given, and the
/// differences within the window are found again without it.
pub(super) fn read(disk: &dyn Disk, path: &Path) -> Result<Vec<KeptGap>, String> {
    let said = |error: std::io::Error| error.to_string();
    if !disk.exists(path).map_err(said)? {
        return Ok(Vec::new());
    }
    let file = disk.open(path, Access::Read).map_err(said)?;
    let length = file.len().map_err(said)?;
    if length > FILE_BYTES_MOST {
        return Err("it is larger than 64 MiB".into());
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(|error| error.to_string())?];
    let read = file.read_at(0, &mut bytes).map_err(said)?;
    parsed(&bytes[..read])
}

fn parsed(bytes: &[u8]) -> Result<Vec<KeptGap>, String> {
    let kept: Kept = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match kept.version {
        VERSION => Ok(kept.gaps),
        other => Err(format!("it has version {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_version_kept_is_not_used_and_says_so() {
        let gap = KeptGap {
            sale: 2,
            order: 9,
            what: What::Refund(3),
            kind: "amount".to_owned(),
            since_ms: 1_000,
        };
        let mut file = bytes(vec![gap.clone()]);
        assert_eq!(parsed(&file), Ok(vec![gap]));
        let text = br#"{"version":1,"gaps":[{"sale":2,"order":9,"what":{"refund":3},"kind":"amount","since_ms":1000}]}"#;
        assert_eq!(file, text, "the bytes of version 1");
        file[11] = b'2';
        assert_eq!(parsed(&file), Err("it has version 2".to_owned()));
        assert!(parsed(&file[..20]).is_err());
    }
}
