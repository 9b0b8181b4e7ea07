//! Defaults < file < environment < flags, merged, and judged as a whole: all that is wrong is told at once.

use super::environment::PREFIX;
use super::fault::meant;
use super::{Fault, Settings, secret};
use crate::failure::Failure;
use api::Code;
use config::{Config, ConfigError, Environment, File, FileFormat, Source, Value, ValueKind};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A configuration file is read whole; nobody writes a larger one by hand.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

const FLAGS: &str = "a flag";

/// Where values come from, besides the defaults.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layers {
    /// A TOML file.
    pub(crate) file: Option<PathBuf>,
    /// Variables `TIDEGATE_…`, two underscores between the parts of a name.
    pub(crate) environment: BTreeMap<String, String>,
    /// Full names with their values, from flags.
    pub(crate) flags: Vec<(String, String)>,
}

/// Settings that passed every test.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    /// The settings.
    pub(crate) settings: Settings,
    /// Where each value that is no default was set, by its full name.
    pub(crate) origins: BTreeMap<String, String>,
}

impl Layers {
    /// Where values come from, in a few words.
    pub(crate) fn sources(&self) -> String {
        let file = self.file.as_ref().map(|file| file.display().to_string());
        let environment = (!self.environment.is_empty()).then(|| "the environment".to_owned());
        let flags = (!self.flags.is_empty()).then(|| "flags".to_owned());
        let sources = ["defaults".to_owned()]
            .into_iter()
            .chain(file)
            .chain(environment)
            .chain(flags);
        sources.collect::<Vec<_>>().join(", ")
    }
}

/// One value that somebody set.
pub(super) struct Given {
    pub(super) value: Json,
    pub(super) origin: String,
    /// It came as text, whatever its type is: from the environment or a flag.
    text: bool,
}

impl Given {
    /// Whether it stood in the environment.
    pub(super) fn is_of_environment(&self) -> bool {
        self.text && self.origin != FLAGS
    }
}

/// Reads and judges the configuration.
///
/// # Errors
/// `TG-4007`: the file is missing. `TG-4004`: with everything that is wrong.
pub(crate) fn load(layers: &Layers) -> Result<Loaded, Failure> {
    let mut given = gather(layers)?;
    secret::read_files(&mut given)?;
    let known = serde_json::to_value(Settings::default()).map_err(|error| bad(&[whole(error)]))?;
    let mut faults = Vec::new();
    let mut tree = Json::Object(Map::new());
    for (option, given) in &given {
        if is_bare_heading(&known, option, given) {
            continue;
        }
        let checked = find(&known, option).and_then(|()| fitting(option, given));
        match checked {
            Ok(value) => put(&mut tree, option, value),
            Err(detail) => faults.push(Fault::new(option, detail).from(&given.origin)),
        }
    }
    if faults.is_empty() {
        let settings: Settings =
            serde_json::from_value(tree).map_err(|error| bad(&[whole(error)]))?;
        let origins: BTreeMap<String, String> = given
            .into_iter()
            .map(|(option, given)| (option, given.origin))
            .collect();
        faults = settings
            .faults()
            .into_iter()
            .map(|fault| located(fault, &origins))
            .collect();
        if faults.is_empty() {
            return Ok(Loaded { settings, origins });
        }
    }
    Err(bad(&faults))
}

fn whole(error: serde_json::Error) -> Fault {
    Fault::new("configuration", error.to_string())
}

fn bad(faults: &[Fault]) -> Failure {
    let what = match faults.len() {
        1 => "the configuration is not valid".to_owned(),
        count => format!("the configuration is not valid in {count} places"),
    };
    let mend = "change these options; `tidegate config show` prints all of them with their values";
    Failure::new(Code::BadConfiguration, what, mend)
        .with_details(faults.iter().map(ToString::to_string).collect())
}

fn located(fault: Fault, origins: &BTreeMap<String, String>) -> Fault {
    match origins.get(&fault.option) {
        Some(origin) => fault.from(origin),
        None => fault,
    }
}

/// Merges the layers; every value keeps its origin.
fn gather(layers: &Layers) -> Result<BTreeMap<String, Given>, Failure> {
    let mut builder = Config::builder();
    if let Some(path) = &layers.file {
        check_file(path)?;
        builder = builder.add_source(File::from(path.as_path()).format(FileFormat::Toml));
    }
    let environment = Environment::with_prefix(PREFIX.trim_end_matches('_'))
        .prefix_separator("_")
        .separator("__")
        .source(Some(layers.environment.clone().into_iter().collect()));
    let merged = builder
        .add_source(environment)
        .build()
        .and_then(|config| config.collect());
    let mut given = BTreeMap::new();
    for (name, value) in merged.map_err(|error| unreadable(layers, &error))? {
        flatten(name, value, &mut given);
    }
    for (option, value) in &layers.flags {
        given.insert(
            option.clone(),
            Given {
                value: Json::String(value.clone()),
                origin: FLAGS.to_owned(),
                text: true,
            },
        );
    }
    Ok(given)
}

fn check_file(path: &Path) -> Result<(), Failure> {
    let mend = "give the path of a TOML file to --config, or leave the flag out";
    match std::fs::metadata(path) {
        Err(error) => {
            let what = format!("cannot read {}: {error}", path.display());
            Err(Failure::new(Code::MissingFile, what, mend))
        }
        Ok(found) if !found.is_file() => {
            let what = format!("{} is no file", path.display());
            Err(Failure::new(Code::MissingFile, what, mend))
        }
        Ok(found) if found.len() > FILE_BYTES_MAX => {
            let what = format!("{} is larger than {FILE_BYTES_MAX} bytes", path.display());
            Err(Failure::new(Code::BadConfiguration, what, mend))
        }
        Ok(_) => Ok(()),
    }
}

fn unreadable(layers: &Layers, error: &ConfigError) -> Failure {
    let file = layers.file.as_deref().unwrap_or(Path::new("configuration"));
    let what = format!("{} is not valid TOML", file.display());
    let mend = "mend the line that is named";
    Failure::new(Code::BadConfiguration, what, mend).with_details(vec![error.to_string()])
}

/// Tables become full names; a list is one value.
fn flatten(name: String, value: Value, given: &mut BTreeMap<String, Given>) {
    let origin = value.origin().unwrap_or("the file").to_owned();
    match value.kind {
        ValueKind::Table(table) if !table.is_empty() => {
            for (part, value) in table {
                flatten(format!("{name}.{part}"), value, given);
            }
        }
        kind => {
            let text = origin == "the environment";
            let value = json(kind);
            given.insert(
                name,
                Given {
                    value,
                    origin,
                    text,
                },
            );
        }
    }
}

fn json(kind: ValueKind) -> Json {
    match kind {
        ValueKind::Nil => Json::Null,
        ValueKind::Boolean(value) => value.into(),
        ValueKind::I64(value) => value.into(),
        ValueKind::U64(value) => value.into(),
        ValueKind::I128(value) => value.to_string().into(),
        ValueKind::U128(value) => value.to_string().into(),
        ValueKind::Float(value) => value.into(),
        ValueKind::String(value) => value.into(),
        ValueKind::Array(values) => values.into_iter().map(|value| json(value.kind)).collect(),
        ValueKind::Table(table) => {
            let members = table
                .into_iter()
                .map(|(name, value)| (name, json(value.kind)));
            Json::Object(members.collect())
        }
    }
}

/// A group that is named and sets nothing, as when all its lines are comments.
fn is_bare_heading(known: &Json, option: &str, given: &Given) -> bool {
    let group = format!("/{}", option.replace('.', "/"));
    let empty = given.value.as_object().is_some_and(Map::is_empty);
    empty && known.pointer(&group).is_some_and(Json::is_object)
}

/// Looks an option up among those that exist; what is not found may have been mistyped.
fn find(known: &Json, option: &str) -> Result<(), String> {
    let mut place = known;
    for part in option.split('.') {
        let Json::Object(table) = place else {
            return Err("is below an option that has no parts".to_owned());
        };
        place = table.get(part).ok_or_else(|| {
            let hint = meant(part, table.keys());
            let hint = hint.map(|name| format!("; did you mean `{name}`?"));
            format!("there is no option `{part}`{}", hint.unwrap_or_default())
        })?;
    }
    match place {
        Json::Object(_) => Err("is a group of options and has no value itself".to_owned()),
        _ => Ok(()),
    }
}

/// The value in a form that its option takes. Text may stand for a number, a list and so on.
fn fitting(option: &str, given: &Given) -> Result<Json, String> {
    // TOML has no word for nothing; what came out as nothing was a number that is none, and must not
    // unset an option.
    if given.value.is_null() && !given.text {
        return Err("is no number that this option takes".to_owned());
    }
    let refusal = match accepts(option, &given.value) {
        Ok(()) => return Ok(given.value.clone()),
        Err(_) if option.contains("secret") => secret::NOT_REPEATED.to_owned(),
        Err(refusal) => refusal,
    };
    if !given.text {
        return Err(refusal);
    }
    let text = given.value.as_str().unwrap_or_default();
    match serde_json::from_str(text) {
        Ok(parsed) if accepts(option, &parsed).is_ok() => Ok(parsed),
        _ => Err(refusal),
    }
}

/// Tries one value alone among defaults, so that one bad value does not hide the next.
fn accepts(option: &str, value: &Json) -> Result<(), String> {
    let mut tree = Json::Object(Map::new());
    put(&mut tree, option, value.clone());
    let read: Result<Settings, _> = serde_json::from_value(tree);
    read.map(drop).map_err(|error| error.to_string())
}

fn put(tree: &mut Json, option: &str, value: Json) {
    let mut place = tree;
    for part in option.split('.') {
        if !place.is_object() {
            *place = Json::Object(Map::new());
        }
        place = &mut place[part];
    }
    *place = value;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn layers(environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Layers {
        let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            let pairs = pairs.iter();
            pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        Layers {
            file: None,
            environment: owned(environment).into_iter().collect(),
            flags: owned(flags),
        }
    }

    #[test]
    fn nothing_given_is_the_defaults() {
        assert_eq!(
            load(&Layers::default()).unwrap().settings,
            Settings::default()
        );
    }

    #[test]
    fn a_flag_beats_the_environment() {
        let loaded = load(&layers(
            &[("TIDEGATE_DATA", "a"), ("TIDEGATE_LOG__LEVEL", "debug")],
            &[("data", "b")],
        ));
        let loaded = loaded.unwrap();
        assert_eq!(loaded.settings.data, PathBuf::from("b"));
        assert_eq!(loaded.settings.log.level, "debug");
        assert_eq!(loaded.origins["data"], "a flag");
        assert_eq!(loaded.origins["log.level"], "the environment");
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let layers = layers(
            &[
                ("TIDEGATE_LOG__LEVL", "info"),
                ("TIDEGATE_LOG__FORMAT", "xml"),
            ],
            &[("log", "x"), ("data.dir", "x")],
        );
        let error = load(&layers).unwrap_err();
        let text = format!("{error:?}");
        for part in [
            "did you mean `level`?",
            "log.format: unknown variant",
            "group of options",
            "has no parts",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
