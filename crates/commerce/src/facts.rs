//! What is known of a buyer at the moment of an order: the ground for rules, prices and risk.
//!
//! Facts are told by the merchant's systems (or a buyer's token) and are never looked up from in here, so that a
//! decision can be repeated from what the journal holds.

use serde::{Deserialize, Serialize};

use crate::plan::{NAME_BYTES_MOST, TAGS_MOST, check_name, check_tags};

/// Bytes of an address, at most: the longest textual IPv6 address with an embedded IPv4 one.
pub const ADDRESS_BYTES_MOST: usize = 45;
/// The highest level of a buyer.
pub const LEVEL_MOST: u32 = 1_000;
/// The most points of a buyer, either way from zero.
pub const POINTS_MOST: i64 = 1_000_000_000_000;

/// What is known of a buyer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// Marks that the merchant gave, at most 16 of 64 bytes each.
    pub tags: Vec<Box<str>>,
    /// The buyer's level in the merchant's programme, 0 to 1,000; 0 is nobody in particular.
    pub level: u32,
    /// Points in the merchant's programme; a debt of points is below zero.
    pub points: i64,
    /// Where the buyer is, in the merchant's words, at most 64 bytes.
    pub region: Option<Box<str>>,
    /// Whether the merchant never sold to this buyer before.
    pub new_customer: bool,
    /// The device's pseudonym, at most 64 bytes.
    pub device: Option<Box<str>>,
    /// The IP address as text, at most 45 bytes.
    pub address: Option<Box<str>>,
}

impl Facts {
    /// Facts of which only the tags are known.
    pub fn of_tags(tags: &[Box<str>]) -> Self {
        Self {
            tags: tags.to_vec(),
            ..Self::default()
        }
    }

    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// A sentence that names the field and the bound.
    pub fn check(&self) -> Result<(), String> {
        check_tags(&self.tags)?;
        if self.level > LEVEL_MOST {
            return Err(format!("a level is at most {LEVEL_MOST}"));
        }
        if !(-POINTS_MOST..=POINTS_MOST).contains(&self.points) {
            return Err(format!(
                "points lie between -{POINTS_MOST} and {POINTS_MOST}"
            ));
        }
        for (what, name) in [("region", &self.region), ("device", &self.device)] {
            if let Some(name) = name {
                check_name(what, name)?;
            }
        }
        self.address.as_deref().map_or(Ok(()), check_address)
    }
}

fn check_address(address: &str) -> Result<(), String> {
    let fine = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
    if address.is_empty() || address.len() > ADDRESS_BYTES_MOST || !address.bytes().all(fine) {
        return Err(format!(
            "an address is an IP address of at most {ADDRESS_BYTES_MOST} bytes"
        ));
    }
    Ok(())
}

const _: () = assert!(TAGS_MOST == 16 && NAME_BYTES_MOST == 64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_at_their_bounds_are_fine_and_one_step_further_names_the_field() {
        let fine = Facts {
            tags: vec!["t".repeat(NAME_BYTES_MOST).into(); TAGS_MOST],
            level: LEVEL_MOST,
            points: -POINTS_MOST,
            region: Some("r".repeat(NAME_BYTES_MOST).into()),
            new_customer: true,
            device: Some("d".into()),
            address: Some("2001:db8::192.0.2.1".into()),
        };
        assert_eq!(fine.check(), Ok(()));
        type Bend = fn(&mut Facts);
        let bad: [(&str, Bend); 9] = [
            ("tags", |facts| facts.tags.push("one".into())),
            ("tag", |facts| facts.tags[0] = "".into()),
            ("level", |facts| facts.level += 1),
            ("points", |facts| facts.points -= 1),
            ("region", |facts| facts.region = Some("r".repeat(65).into())),
            ("device", |facts| facts.device = Some("a\u{7}".into())),
            ("address", |facts| {
                facts.address = Some("1".repeat(46).into());
            }),
            ("address", |facts| facts.address = Some("".into())),
            ("address", |facts| {
                facts.address = Some("example.org".into());
            }),
        ];
        for (field, bend) in bad {
            let mut facts = fine.clone();
            bend(&mut facts);
            let said = facts.check().expect_err(field);
            assert!(said.contains(field), "{said}");
        }
    }
}
