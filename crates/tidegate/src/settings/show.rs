//! The effective configuration as text, without its secrets.

use super::Loaded;
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub(super) const HIDDEN: &str = "[hidden]";

/// The settings as one JSON object, secrets hidden.
///
/// # Errors
/// A value that JSON cannot hold.
pub(crate) fn as_json(loaded: &Loaded) -> anyhow::Result<Json> {
    let mut tree = serde_json::to_value(&loaded.settings)?;
    hide(&mut tree);
    Ok(tree)
}

/// The settings as a TOML file with a remark where a value is no default, secrets hidden.
///
/// # Errors
/// A value that TOML cannot hold.
pub(crate) fn as_toml(loaded: &Loaded) -> anyhow::Result<String> {
    let mut text = String::new();
    write_table(&mut text, "", &as_json(loaded)?, loaded)?;
    Ok(text)
}

/// Every option by its full name with its value as text, secrets hidden.
///
/// # Errors
/// A value that JSON cannot hold.
pub(crate) fn values(loaded: &Loaded) -> anyhow::Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    gather("", &as_json(loaded)?, &mut values);
    Ok(values)
}

fn gather(path: &str, tree: &Json, values: &mut BTreeMap<String, String>) {
    let Json::Object(table) = tree else {
        values.insert(path.to_owned(), tree.to_string());
        return;
    };
    for (name, value) in table {
        gather(&joined(path, name), value, values);
    }
}

/// A secret is a value whose name is `secret` or ends so; no room may call one otherwise.
fn hide(tree: &mut Json) {
    match tree {
        Json::Object(table) => {
            for (name, value) in table {
                if name.ends_with("secret") && !value.is_null() {
                    *value = HIDDEN.into();
                } else {
                    hide(value);
                }
            }
        }
        Json::Array(values) => values.iter_mut().for_each(hide),
        _ => {}
    }
}

/// Plain values first, since in TOML they belong to the last heading.
fn write_table(text: &mut String, path: &str, tree: &Json, loaded: &Loaded) -> anyhow::Result<()> {
    let Json::Object(table) = tree else {
        return Ok(());
    };
    let (tables, values): (Vec<_>, Vec<_>) = table.iter().partition(|(_, value)| value.is_object());
    if !path.is_empty() && !values.is_empty() {
        text.push_str(&format!("\n[{path}]\n"));
    }
    for (name, value) in values {
        let origin = loaded.origins.get(&joined(path, name));
        let remark = origin
            .map(|origin| format!("  # {origin}"))
            .unwrap_or_default();
        match inline(value)? {
            Some(value) => text.push_str(&format!("{name} = {value}{remark}\n")),
            None => text.push_str(&format!("# {name} is not set\n")),
        }
    }
    for (name, table) in tables {
        write_table(text, &joined(path, name), table, loaded)?;
    }
    Ok(())
}

/// The full name of an option.
fn joined(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// A value as TOML writes it on one line; `None` for what TOML has no word for.
fn inline(value: &Json) -> anyhow::Result<Option<String>> {
    if value.is_null() {
        return Ok(None);
    }
    Ok(Some(toml::Value::try_from(value)?.to_string()))
}
