//! Entries as bytes: what a journal batch carries.
//!
//! A batch's payload is a run of records: a four-byte little-endian length, a version byte, then the entry in postcard's
//! wire format (<https://postcard.jamesmunns.com/wire-format>). A record of a later version is refused, never guessed.
//!
//! | written by | read by this version |
//! |---|---|
//! | version 1 | yes |
//! | a later version | refused, with the version found |
//!
//! The bytes of every kind of entry are written down in `tests/it/golden.txt`.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version this code writes.
pub const VERSION: u8 = 1;
/// The longest record in bytes: a plan of 10,000 SKUs fits.
pub const RECORD_BYTES_MOST: usize = 8 * 1024 * 1024;

/// Why a payload cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The payload ends inside a record, or a length is out of bounds.
    #[error("record at byte {at} of the batch is cut off")]
    CutOff {
        /// Where the record begins.
        at: usize,
    },
    /// An entry is too long to be written.
    #[error("a record of {length} bytes at byte {at} is longer than {RECORD_BYTES_MOST}")]
    TooLong {
        /// Where the record would begin.
        at: usize,
        /// Its length in bytes.
        length: usize,
    },
    /// A later version wrote it.
    #[error("record at byte {at} has version {found}; this program reads version {VERSION}")]
    Version {
        /// Where the record begins.
        at: usize,
        /// Its version.
        found: u8,
    },
    /// The bytes are no entry.
    #[error("record at byte {at} is no entry: {reason}")]
    Malformed {
        /// Where the record begins.
        at: usize,
        /// What the decoder said.
        reason: String,
    },
}

/// Appends a record to a batch's payload.
///
/// # Errors
/// When the entry does not encode or is longer than [`RECORD_BYTES_MOST`]; the payload is left as it was.
pub fn put<T: Serialize>(entry: &T, payload: &mut Vec<u8>) -> Result<(), RecordError> {
    let at = payload.len();
    payload.extend_from_slice(&[0, 0, 0, 0, VERSION]);
    let written = postcard::to_io(entry, &mut *payload).map(|_| ());
    let length = payload.len() - at - 4;
    let put = match (written, u32::try_from(length)) {
        (Err(error), _) => Err(RecordError::Malformed {
            at,
            reason: error.to_string(),
        }),
        (Ok(()), Ok(prefix)) if length <= RECORD_BYTES_MOST => Ok(prefix),
        (Ok(()), _) => Err(RecordError::TooLong { at, length }),
    };
    match put {
        Ok(prefix) => payload[at..at + 4].copy_from_slice(&prefix.to_le_bytes()),
        Err(_) => payload.truncate(at),
    }
    put.map(|_| ())
}

/// Reads the records of a payload one after the other.
#[derive(Debug)]
pub struct Records<'a> {
    payload: &'a [u8],
    at: usize,
}

impl<'a> Records<'a> {
    /// Reads from the first byte.
    pub fn new(payload: &'a [u8]) -> Self {
        Self { payload, at: 0 }
    }

    /// The next entry, or `None` at the end.
    ///
    /// # Errors
    /// When the bytes are no record of a version that this program reads.
    pub fn read<T: DeserializeOwned>(&mut self) -> Result<Option<T>, RecordError> {
        let at = self.at;
        if at == self.payload.len() {
            return Ok(None);
        }
        let body = self.body(at).ok_or(RecordError::CutOff { at })?;
        let (&version, bytes) = body.split_first().ok_or(RecordError::CutOff { at })?;
        if version != VERSION {
            return Err(RecordError::Version { at, found: version });
        }
        let malformed = |reason: String| RecordError::Malformed { at, reason };
        let (entry, rest) =
            postcard::take_from_bytes(bytes).map_err(|error| malformed(error.to_string()))?;
        if !rest.is_empty() {
            return Err(malformed(format!("{} bytes too many", rest.len())));
        }
        self.at = at + 4 + body.len();
        Ok(Some(entry))
    }

    fn body(&self, at: usize) -> Option<&'a [u8]> {
        let length: [u8; 4] = self.payload.get(at..at + 4)?.try_into().ok()?;
        let length = u32::from_le_bytes(length) as usize;
        self.payload.get(at + 4..(at + 4).checked_add(length)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records_come_back_in_order() {
        let mut payload = Vec::new();
        for n in 0..5_u32 {
            put(&(n, "text"), &mut payload).expect("encodes");
        }
        let mut records = Records::new(&payload);
        for n in 0..5_u32 {
            assert_eq!(
                records.read::<(u32, String)>(),
                Ok(Some((n, "text".to_owned())))
            );
        }
        assert_eq!(records.read::<(u32, String)>(), Ok(None));
    }

    #[test]
    fn a_record_of_a_later_version_is_refused() {
        let mut payload = Vec::new();
        put(&7_u32, &mut payload).expect("encodes");
        payload[4] = VERSION + 1;
        let found = Records::new(&payload).read::<u32>();
        assert_eq!(
            found,
            Err(RecordError::Version {
                at: 0,
                found: VERSION + 1
            })
        );
    }

    #[test]
    fn a_record_too_long_leaves_the_payload_as_it_was() {
        let mut payload = Vec::new();
        put(&7_u32, &mut payload).expect("encodes");
        let before = payload.clone();
        let long = "x".repeat(RECORD_BYTES_MOST);
        assert!(matches!(
            put(&long, &mut payload),
            Err(RecordError::TooLong { .. })
        ));
        assert_eq!(payload, before);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut records = Records::new(&bytes);
            while let Ok(Some(_)) = records.read::<crate::Entry>() {}
        }
    }
}
