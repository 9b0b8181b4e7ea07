//! The secrets from which the seeds of lottery teams are made.
//!
//! A seed is promised by its hash before anybody has a seat, and made again when the team is full. Where no secret is
//! configured the house draws one of its own and keeps it in its journal: whoever reads the data directory, or a backup of
//! it, could then know each draw before it. A secret of the configuration lies apart from both.

use commerce::deal::{Commit, Seed};
use commerce::house::HouseSecret;
use serde::{Deserialize, Serialize};

use crate::house::seed;
use crate::people::{MasterSecret, check_secrets};

/// Settings of draws.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Secrets of draws, each `{id, secret}` or `{id, secret_file}`; new draws are promised by the first one, the others
    /// still open what was promised by them. Limit: 8, with secrets of 32 bytes at least. Default none: the house draws
    /// one and keeps it in its journal.
    pub secrets: Vec<MasterSecret>,
}

impl Settings {
    /// Everything that is wrong, each with its option's name in front.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        check_secrets(&self.secrets)
    }

    /// The secrets, as long as seeds need them.
    pub(crate) fn keys(&self) -> Vec<HouseSecret> {
        let key = |master: &MasterSecret| {
            HouseSecret(blake3::derive_key("tidegate draws", master.secret.bytes()))
        };
        self.secrets.iter().map(key).collect()
    }
}

/// The seed that was promised, made by the one of these secrets that did.
pub(crate) fn promised(
    secrets: impl IntoIterator<Item = HouseSecret>,
    sale: u32,
    commit: &Commit,
) -> Option<Seed> {
    let seeds = secrets
        .into_iter()
        .map(|secret| seed(&secret, sale, &commit.nonce));
    seeds
        .into_iter()
        .find(|seed| Commit::of(commit.nonce, seed) == *commit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::Secret;

    fn settings(secrets: &[&str]) -> Settings {
        let secret = |text: &&str| MasterSecret {
            id: (*text).to_owned(),
            secret: Secret::new(format!("{text}: thirty-two bytes are the least")),
        };
        Settings {
            secrets: secrets.iter().map(secret).collect(),
        }
    }

    #[test]
    fn an_older_secret_still_opens_what_it_promised_and_a_stranger_opens_nothing() {
        let old = settings(&["old"]).keys();
        let made = seed(&old[0], 7, &[3; 16]);
        let commit = Commit::of([3; 16], &made);
        let both = settings(&["new", "old"]);
        assert_eq!(both.faults(), Vec::<String>::new());
        assert_eq!(promised(both.keys(), 7, &commit), Some(made));
        assert_eq!(promised(settings(&["new"]).keys(), 7, &commit), None);
        assert_eq!(promised(both.keys(), 8, &commit), None);
    }
}
