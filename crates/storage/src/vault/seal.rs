//! AES-256-GCM as the vault uses it: a random nonce in front, a person and a time as associated data.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use world::Entropy;

use super::{PersonId, VaultError};

const KEY_BYTES: usize = 32;

/// What a master key seals to be recognised by.
const PROOF: &[u8] = b"tidegate vault master 1";

/// A key that wraps the data keys. It is derived from a secret and never written anywhere.
pub struct MasterKey {
    id: Box<str>,
    key: LessSafeKey,
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MasterKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl MasterKey {
    /// The key that a secret stands for; `id` is its name in the file.
    ///
    /// # Errors
    /// None that can be caused from outside.
    pub fn new(id: &str, secret: &[u8]) -> Result<Self, VaultError> {
        let bytes = blake3::derive_key("tidegate vault master key 1", secret);
        Ok(Self {
            id: id.into(),
            key: aes(&bytes)?,
        })
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What lets this key, and no other, be recognised.
    pub(super) fn proof(&self, entropy: &dyn Entropy) -> Result<Vec<u8>, VaultError> {
        seal(&self.key, self.id.as_bytes(), PROOF, entropy)
    }

    pub(super) fn proves(&self, proof: &[u8]) -> bool {
        open(&self.key, self.id.as_bytes(), proof).is_ok_and(|opened| opened == PROOF)
    }
}

/// Draws a data key.
pub(super) fn draw_key(entropy: &dyn Entropy) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    entropy.fill(&mut key);
    key
}

/// Whose record is sealed, and since when.
pub(super) struct Seal {
    /// A word, the person, the time: a wrapped key never passes for a sealed record.
    bound: [u8; 1 + 32 + 8],
}

impl Seal {
    pub(super) fn new(person: &PersonId, kept_ms: u64) -> Self {
        let mut bound = [0; 41];
        bound[1..33].copy_from_slice(person);
        bound[33..].copy_from_slice(&kept_ms.to_le_bytes());
        Self { bound }
    }

    fn bound(&self, part: u8) -> [u8; 41] {
        let mut bound = self.bound;
        bound[0] = part;
        bound
    }

    pub(super) fn seal(
        &self,
        key: &[u8; KEY_BYTES],
        bytes: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, VaultError> {
        seal(&aes(key)?, &self.bound(b'r'), bytes, entropy)
    }

    pub(super) fn open(&self, key: &[u8; KEY_BYTES], bytes: &[u8]) -> Result<Vec<u8>, VaultError> {
        open(&aes(key)?, &self.bound(b'r'), bytes)
    }

    pub(super) fn wrap(
        &self,
        master: &MasterKey,
        key: &[u8; KEY_BYTES],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, VaultError> {
        seal(&master.key, &self.bound(b'k'), key, entropy)
    }

    pub(super) fn unwrap(
        &self,
        master: &MasterKey,
        wrapped: &[u8],
    ) -> Result<[u8; KEY_BYTES], VaultError> {
        let key = open(&master.key, &self.bound(b'k'), wrapped)?;
        key.try_into().map_err(|_| VaultError::Damaged)
    }
}

fn aes(key: &[u8; KEY_BYTES]) -> Result<LessSafeKey, VaultError> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| VaultError::Damaged)?;
    Ok(LessSafeKey::new(key))
}

fn seal(
    key: &LessSafeKey,
    bound: &[u8],
    bytes: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, VaultError> {
    let mut nonce = [0; NONCE_LEN];
    entropy.fill(&mut nonce);
    let mut inside = bytes.to_vec();
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(bound),
        &mut inside,
    )
    .map_err(|_| VaultError::Damaged)?;
    Ok([&nonce[..], &inside].concat())
}

fn open(key: &LessSafeKey, bound: &[u8], sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
    let (nonce, inside) = sealed
        .split_first_chunk::<NONCE_LEN>()
        .ok_or(VaultError::Damaged)?;
    let mut inside = inside.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let opened = key.open_in_place(nonce, Aad::from(bound), &mut inside);
    let length = opened.map_err(|_| VaultError::Damaged)?.len();
    inside.truncate(length);
    Ok(inside)
}
