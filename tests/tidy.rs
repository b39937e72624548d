//! The layout that DESIGN decides on, kept by a test. Each message says what to do.

use std::{
    fs,
    path::{Path, PathBuf},
};

const MOST_LINES: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Rust files under a folder with their text.
fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("text");
                found.push((path.strip_prefix(root()).expect("ours").to_owned(), text));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

fn everywhere() -> Vec<(PathBuf, String)> {
    ["src", "entity/src", "migration/src", "tests"].into_iter().flat_map(files).collect()
}

/// The code of a file, without comments.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn files_are_short_and_say_what_they_are() {
    for (path, text) in everywhere() {
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES, "{}: {lines} lines; split it by what it does", path.display());
        assert!(text.starts_with("//! "), "{}: begin with a module doc", path.display());
    }
}

#[test]
fn only_http_names_the_framework() {
    for (path, text) in files("src") {
        let is_http = path.starts_with("src/http");
        for word in ["poem::", "poem_openapi::", "StatusCode"] {
            let is_client = path.starts_with("src/cli/demo") && word == "StatusCode";
            assert!(
                is_http || is_client || !code(&text).contains(word),
                "{}: {word} belongs in src/http",
                path.display()
            );
        }
    }
}

#[test]
fn nothing_looks_upwards() {
    let upper = ["http", "cli", "job"];
    for (path, text) in files("src") {
        let text = code(&text);
        let part = path.components().nth(1).expect("a part").as_os_str().to_string_lossy().into_owned();
        let part = part.trim_end_matches(".rs");
        if ["main", "lib", "cli"].contains(&part) {
            continue;
        }
        for above in upper.into_iter().filter(|above| *above != part) {
            let names = [format!("crate::{above}::"), format!("    {above}::{{"), format!("    {above}::")];
            assert!(
                !names.iter().any(|name| text.contains(name.as_str())),
                "{}: {above} is above it; turn the dependency round",
                path.display()
            );
        }
    }
}

#[test]
fn stores_are_private_to_their_folder() {
    for (path, text) in files("src") {
        let folder = path.parent().expect("a folder").file_name().expect("a name").to_string_lossy().into_owned();
        // A crate that is called so is nobody's store.
        let text = code(&text).replace("object_store::", "");
        for line in text.lines().filter(|line| line.contains("store::")) {
            let foreign = line.split("store::").next().and_then(|before| {
                before.trim_end_matches("::").rsplit(|c: char| !c.is_alphanumeric() && c != '_').next()
            });
            let is_own = foreign.is_none_or(|owner| owner.is_empty() || owner == folder || owner == "self");
            assert!(is_own, "{}: {line:?} uses another folder's store; give that folder a function", path.display());
        }
        let is_store = path.ends_with("store.rs") || path.starts_with("src/db.rs");
        assert!(is_store || !text.contains("Statement::from_string"), "{}: SQL belongs in a store", path.display());
    }
}

#[test]
fn migrations_do_not_know_entities() {
    for (path, text) in files("migration/src") {
        assert!(!code(&text).contains("entity::"), "{}: a step must not change with an entity", path.display());
    }
}

#[test]
fn nothing_is_left_undone() {
    let words = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["#[", "ignore"].concat(), ["todo", "!("].concat()];
    for (path, text) in everywhere() {
        for word in &words {
            assert!(!text.contains(word.as_str()), "{}: {word}", path.display());
        }
    }
}
