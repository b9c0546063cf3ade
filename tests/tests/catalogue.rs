//! The catalogue of kinds against the functions, the machine and the page that people read.
//! `UPDATE_DOCS=1 cargo test -p tests --test catalogue` writes the page anew.

use shared::sweep::catalogue::{KINDS, Scope};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn path(name: &str) -> std::path::PathBuf {
    Path::new("..").join(name)
}

fn families() -> BTreeSet<String> {
    KINDS.iter().map(|k| k.family.to_owned()).collect()
}

#[test]
fn every_family_has_a_function_and_the_machine_calls_it() {
    let functions: BTreeSet<String> = fs::read_dir(path("functions"))
        .expect("functions")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix("sweep-").map(str::to_owned))
        .collect();
    assert_eq!(functions, families());
    let machine = fs::read_to_string(path("statemachines/account-sweep.asl.json")).expect("the machine");
    let machine: serde_json::Value = serde_json::from_str(&machine).expect("JSON");
    let called = machine["States"]["Begin"]["Assign"]["functions"].as_object().expect("functions");
    assert_eq!(called.keys().cloned().collect::<BTreeSet<_>>(), families());
    let listed = machine["States"]["Begin"]["Assign"]["listing"][0]["families"].as_array().expect("families");
    let listed: BTreeSet<String> = listed.iter().map(|f| f.as_str().expect("a name").to_owned()).collect();
    assert_eq!(listed, families(), "a family that is not listed would be forgotten, and its account called clean");
}

#[test]
fn the_page_of_kinds_is_what_the_rows_say() {
    let mut page = String::from(
        "# Kinds\n\nWhat a sweep finds and deletes. Made from `shared/src/sweep/catalogue.rs`; how to add one: \
         [adding-a-kind.md](adding-a-kind.md).\n\n\
         | kind | CloudFormation type | function | where | goes after | good to know |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for kind in KINDS {
        let scope = match kind.scope {
            Scope::Regional => "each Region",
            Scope::Global => "once",
        };
        page.push_str(&format!(
            "| `{}` | {} | sweep-{} | {scope} | {} | {} |\n",
            kind.id,
            kind.cloudformation,
            kind.family,
            kind.after.join(", "),
            kind.note
        ));
    }
    let file = path("docs/kinds.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &page).expect("docs/kinds.md is written");
    }
    let there = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(there, page, "run `UPDATE_DOCS=1 cargo test -p tests --test catalogue`");
}
