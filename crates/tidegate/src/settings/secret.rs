//! Secrets: given in place or in a file of their own, and never repeated in a message.
//!
//! Wherever an option or a member of a list is called `…secret`, its value may stand in the file that `…secret_file`
//! names instead, so that no room has to know about files. In place a secret stands in the environment only: command lines
//! are read by too many, and configuration files are shown around and kept in repositories.

use super::layers::Given;
use crate::failure::Failure;
use api::Code;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::path::Path;

/// Said of a secret that cannot be read, where the usual message would repeat what was given.
pub(super) const NOT_REPEATED: &str = "does not have the form that this option takes";

/// What stands for a secret's file.
const FILE: &str = "secret_file";

/// A secret is short; a larger file is a mistake.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Puts the contents of secrets' files in their places.
///
/// # Errors
/// `TG-4007`: a file is missing. `TG-4004`: it holds no secret, the secret is given twice, or in plain sight.
pub(super) fn read_files(given: &mut BTreeMap<String, Given>) -> Result<(), Failure> {
    let in_sight = |(name, given): (&String, &Given)| match given.is_of_environment() {
        true => None,
        false => held(name, &given.value),
    };
    if let Some(name) = given.iter().find_map(in_sight) {
        return Err(in_plain_sight(&name));
    }
    let named: Vec<String> = given
        .keys()
        .filter(|name| name.ends_with(FILE))
        .cloned()
        .collect();
    for name in named {
        let Some(mut found) = given.remove(&name) else {
            continue;
        };
        found.value = read(&name, &found.value)?;
        let name = in_place(&name);
        if given.insert(name.clone(), found).is_some() {
            return Err(twice(&name));
        }
    }
    given
        .iter_mut()
        .try_for_each(|(name, given)| replace(name, &mut given.value))
}

/// The full name of a secret that stands in place in this value, also inside of lists and of text that may be one.
fn held(name: &str, value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::Array(values) => values.iter().find_map(|value| held(name, value)),
        Json::Object(table) => table
            .iter()
            .find_map(|(member, value)| held(&format!("{name}.{member}"), value)),
        _ if name.ends_with("secret") => Some(name.to_owned()),
        Json::String(text) if name.ends_with(FILE) || text.is_empty() => None,
        Json::String(text) => match serde_json::from_str(text) {
            Ok(Json::String(_)) | Err(_) => name.ends_with("secrets").then(|| name.to_owned()),
            Ok(value) => held(name, &value),
        },
        _ => None,
    }
}

/// The same inside lists.
fn replace(name: &str, value: &mut Json) -> Result<(), Failure> {
    match value {
        Json::Array(values) => values.iter_mut().try_for_each(|value| replace(name, value)),
        Json::Object(table) => {
            let mut read_in = Map::new();
            for (member, value) in std::mem::take(table) {
                let full = format!("{name}.{member}");
                let (member, value) = if member.ends_with(FILE) {
                    (in_place(&member), read(&full, &value)?)
                } else {
                    (member, value)
                };
                if read_in.insert(member, value).is_some() {
                    return Err(twice(&full));
                }
            }
            *table = read_in;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn in_place(name: &str) -> String {
    name.trim_end_matches("_file").to_owned()
}

fn read(name: &str, path: &Json) -> Result<Json, Failure> {
    let mend = "write the secret into a file of its own and give its path";
    let bad = |why: &str| Failure::new(Code::BadConfiguration, format!("{name}: {why}"), mend);
    let path = Path::new(path.as_str().ok_or_else(|| bad("is no path"))?);
    let found =
        std::fs::metadata(path).and_then(|found| Ok((found.len(), std::fs::read_to_string(path)?)));
    match found {
        Err(error) => {
            let what = format!("{name}: cannot read {}: {error}", path.display());
            Err(Failure::new(Code::MissingFile, what, mend))
        }
        Ok((bytes, _)) if bytes > FILE_BYTES_MAX => Err(bad("the file is larger than 64 KiB")),
        Ok((_, text)) if text.trim_end().is_empty() => Err(bad("the file is empty")),
        Ok((_, text)) => Ok(text.trim_end().into()),
    }
}

fn in_plain_sight(name: &str) -> Failure {
    let what = format!("{name} is given in a configuration file or a flag");
    let file = if name.ends_with("secret") {
        format!("{name}_file")
    } else {
        "its secret_file".to_owned()
    };
    let mend =
        format!("write it into a file of its own and give {file}, or set it in the environment");
    Failure::new(Code::BadConfiguration, what, mend)
}

fn twice(name: &str) -> Failure {
    let what = format!("{name} is given both in place and as a file");
    Failure::new(Code::BadConfiguration, what, "leave one of the two out")
}
