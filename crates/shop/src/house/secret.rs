//! API keys as text: `tgk_<number>_<secret>`, the secret kept only as a BLAKE3 hash.
//!
//! A secret has 176 random bits, so one fast hash is enough: there is nothing to guess through.

use commerce::deal::Seed;
use commerce::house::HouseSecret;
use stdx::base62;
use world::Entropy;

/// What every key's text begins with, so that scanners find leaked ones.
const PREFIX: &str = "tgk_";

/// A secret just drawn. It is shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct NewSecret {
    id: u64,
    secret: String,
}

impl std::fmt::Debug for NewSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewSecret")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl NewSecret {
    /// Draws a number and a secret.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        // A number of 63 bits has eleven digits; the four parts of a secret have eleven each.
        let word = || {
            let mut bytes = [0; 8];
            entropy.fill(&mut bytes);
            u64::from_le_bytes(bytes) >> 1
        };
        let secret = (0..4).map(|_| digits(word())).collect();
        Self { id: word(), secret }
    }

    /// Draws a secret under the number that an account's idempotency key stands for.
    pub fn draw_for(entropy: &dyn Entropy, account: &str, asked: &str) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = digest(account, asked);
        let id = u64::from_le_bytes([a, b, c, d, e, f, g, h]) >> 1;
        Self {
            id,
            ..Self::draw(entropy)
        }
    }

    /// The key's public number.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What is kept.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(self.secret.as_bytes()).as_bytes()
    }

    /// The whole key, to send as `Authorization: Bearer …`.
    pub fn text(&self) -> String {
        format!("{PREFIX}{}_{}", digits(self.id), self.secret)
    }
}

fn digits(word: u64) -> String {
    base62::encode::<11>(word).map_or_else(String::new, |digits| {
        digits.iter().copied().map(char::from).collect()
    })
}

/// Splits a presented key into its number and the hash of its secret. `None` for what is no key.
pub fn parse(presented: &str) -> Option<(u64, blake3::Hash)> {
    let (id, secret) = presented.strip_prefix(PREFIX)?.split_once('_')?;
    if id.len() != 11 || secret.len() != 44 {
        return None;
    }
    Some((
        base62::decode(id.as_bytes())?,
        blake3::hash(secret.as_bytes()),
    ))
}

/// The digest of an account and its idempotency key, for asking for a sale.
pub fn digest(account: &str, key: &str) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(account.as_bytes());
    hasher.update(&[0xFF]);
    hasher.update(key.as_bytes());
    let mut digest = [0; 16];
    digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    digest
}

/// The seed of a draw: nobody can tell it from the nonce in the journal, and the house makes it again at any time.
pub fn seed(secret: &HouseSecret, sale: u32, nonce: &[u8; 16]) -> Seed {
    let mut hasher = blake3::Hasher::new_keyed(&secret.0);
    hasher.update(b"the seed of a draw");
    hasher.update(&sale.to_le_bytes());
    hasher.update(nonce);
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use world::SystemEntropy;

    #[test]
    fn a_key_is_known_by_its_text_and_only_by_it() {
        let secret = NewSecret::draw(&SystemEntropy);
        let (id, hash) = parse(&secret.text()).expect("its own text");
        assert_eq!((id, *hash.as_bytes()), (secret.id(), secret.hash()));
        for bad in [
            "",
            "tgk_",
            "tgk_00000000001_x",
            &secret.text()[1..],
            &format!("{}x", secret.text()),
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert!(!format!("{secret:?}").contains(&secret.text()[17..]));
    }

    #[test]
    fn each_sale_and_nonce_has_a_seed_of_its_own_for_ever() {
        let secret = HouseSecret([7; 32]);
        let first = seed(&secret, 1, &[1; 16]);
        assert_eq!(first, seed(&secret, 1, &[1; 16]));
        let others = [
            seed(&secret, 2, &[1; 16]),
            seed(&secret, 1, &[2; 16]),
            seed(&HouseSecret([8; 32]), 1, &[1; 16]),
        ];
        assert!(others.iter().all(|other| *other != first));
        assert_eq!(format!("{secret:?}"), "HouseSecret");
    }
}
