//! `docs/configuration.md` is made from the settings themselves: names and defaults from what the binary shows, the
//! words from the comments at their structs, where unit and limit are stated.

use crate::process::run;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Where the words are: the group of options, the file of its struct, the struct.
const STRUCTS: &[(&str, &str, &str)] = &[
    ("", "tidegate/src/settings.rs", "Settings"),
    ("log", "telemetry/src/log.rs", "Settings"),
    ("edge", "edge/src/settings.rs", "Settings"),
    ("edge.identity", "edge/src/identity/settings.rs", "Settings"),
    ("edge.device", "edge/src/device/settings.rs", "Settings"),
    ("shop", "shop/src/settings.rs", "Settings"),
    ("shop.vault", "shop/src/people/settings.rs", "Settings"),
    ("shop.draws", "shop/src/draws.rs", "Settings"),
    ("shop.sales", "shop/src/settings.rs", "SalesSettings"),
    ("shop.desk", "shop/src/desk.rs", "Settings"),
    ("shop.cashier", "shop/src/cashier/settings.rs", "Settings"),
    ("shop.reconcile", "shop/src/reconcile.rs", "Settings"),
    ("shop.projector", "shop/src/projector.rs", "Settings"),
    ("risk", "shop/src/risk/settings.rs", "Settings"),
    ("shop.fulfilment", "shop/src/saga/settings.rs", "Settings"),
    ("shop.delivery", "shop/src/delivery.rs", "Settings"),
    ("shop.notices", "shop/src/notices/settings.rs", "Settings"),
    ("provider", "tidegate/src/settings/provider.rs", "Settings"),
    (
        "provider.sandbox",
        "shop/src/provider/sandbox/settings.rs",
        "Settings",
    ),
    (
        "provider.stripe",
        "shop/src/provider/stripe/settings.rs",
        "Settings",
    ),
    (
        "provider.wechat",
        "shop/src/provider/wechat/settings.rs",
        "Settings",
    ),
];

const HEAD: &str = "\
# Configuration

Defaults, then the file given by `--config` (TOML), then the environment, then flags: the later one wins. The whole is
judged before anything starts, everything that is wrong is told at once ([TG-4004](errors/TG-4004.md)), and an option
that does not exist is an error. `tidegate config show` prints what is in effect and where it was set, and
`tidegate config check FILE` judges a file.

An option `group.name` is `name` below `[group]` in the file, `TIDEGATE_GROUP__NAME` in the environment (two
underscores between the parts; a list as JSON), and `--set group.name=VALUE` as a flag; `--data` and `--listen` have
flags of their own. Secrets come from files of their own (`…secret_file`) or the environment only, and are never shown or logged.

SIGHUP reads the file and the environment again: the whole is judged, what is not valid changes nothing, `log.level`,
`edge.limits` and all of `risk` count at once (rules are read again too), and every other changed option is named in the
log and waits for the next start. What was set is kept in the house journal.

<!-- Made from the settings by a test of `tidegate`, which says how to make it anew. -->
";

#[test]
fn the_reference_of_all_options_is_up_to_date() {
    let shown = run(&root(), &["config", "show", "--json"]);
    let text = reference(&serde_json::from_str(&shown.out).unwrap());
    let place = root().join("docs/configuration.md");
    if std::fs::read_to_string(&place).unwrap_or_default() != text {
        let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("configuration.md");
        std::fs::write(&made, &text).unwrap();
        panic!(
            "docs/configuration.md is not what the settings say; if it should be: cp {} {}",
            made.display(),
            place.display()
        );
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn reference(defaults: &Json) -> String {
    let mut text = HEAD.to_owned();
    for (group, file, name) in STRUCTS {
        let place = group.split('.').filter(|part| !part.is_empty());
        let table = place.fold(defaults, |tree, part| &tree[part]);
        let source = std::fs::read_to_string(root().join("crates").join(file)).unwrap();
        write_group(&mut text, group, table, &comments(&source, name));
    }
    text
}

/// One table; what is a group of its own must be listed above, so that no option is left out.
fn write_group(text: &mut String, group: &str, table: &Json, comments: &BTreeMap<String, String>) {
    let title = if group.is_empty() {
        "Without a group"
    } else {
        group
    };
    writeln!(
        text,
        "\n## {title}\n\n| option | default | meaning, unit, limit |\n|---|---|---|"
    )
    .unwrap();
    for (name, default) in table.as_object().unwrap() {
        let full = if group.is_empty() {
            name.clone()
        } else {
            format!("{group}.{name}")
        };
        if default.is_object() {
            let listed = STRUCTS.iter().any(|(group, ..)| *group == full);
            assert!(listed, "the group {full} is missing in STRUCTS");
            continue;
        }
        let words = comments.get(name);
        let words = words.unwrap_or_else(|| panic!("{full} has no comment at its struct"));
        let default = match default {
            Json::Null => "not set".to_owned(),
            value => format!("`{value}`"),
        };
        writeln!(text, "| `{full}` | {default} | {words} |").unwrap();
    }
}

/// The doc comments at the fields of a struct, each on one line.
fn comments(source: &str, name: &str) -> BTreeMap<String, String> {
    let start = source.find(&format!("struct {name} {{"));
    let start = start.unwrap_or_else(|| panic!("there is no struct {name}"));
    let mut comments = BTreeMap::new();
    let mut words = String::new();
    for line in source[start..]
        .lines()
        .skip(1)
        .take_while(|line| *line != "}")
    {
        let line = line.trim();
        if let Some(more) = line.strip_prefix("///") {
            words.push_str(more);
        } else if let Some((field, _)) = line.split_once(':').filter(|_| line.starts_with("pub")) {
            let field = field.rsplit(' ').next().unwrap().to_owned();
            let plain = words
                .trim()
                .replace("[`", "`")
                .replace("`]", "`")
                .replace('|', "\\|");
            comments.insert(field, plain);
            words.clear();
        }
    }
    comments
}
