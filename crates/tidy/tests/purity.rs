//! Consensus code is pure: its crates know no network, no clock, no scheduler and no randomness.

use doppio_tidy::{root, sources};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

/// The crates whose verdicts every node must share. Those that do not exist yet are listed, so
/// that nobody forgets them.
const PURE: [&str; 11] = [
    "doppio-batcher",
    "doppio-protocol",
    "doppio-compression",
    "doppio-derive",
    "doppio-explain",
    "doppio-node",
    "doppio-verify",
    "doppio-txmgr",
    "doppio-bn254",
    "doppio-eigenda",
    "doppio-espresso",
];

/// Crates that await, open sockets, read clocks or draw random numbers; a `*` stands for any
/// ending.
const IMPURE: &[&str] = &[
    // schedulers
    "tokio*",
    "async-std",
    "async-executor",
    "async-io",
    "smol",
    "futures-executor",
    "mio",
    "socket2",
    "rayon*",
    // HTTP, gRPC, WebSocket, TLS
    "hyper*",
    "http",
    "http-body*",
    "reqwest*",
    "ureq",
    "isahc",
    "curl*",
    "axum*",
    "actix*",
    "warp",
    "tower*",
    "tonic*",
    "prost*",
    "h2",
    "h3",
    "quinn*",
    "jsonrpsee*",
    "tungstenite",
    "tokio-tungstenite",
    "rustls*",
    "native-tls",
    "openssl*",
    "alloy-provider",
    "alloy-transport*",
    "alloy-rpc-client",
    "libp2p*",
    "discv5",
    // clocks
    "time",
    "chrono*",
    "quanta",
    "instant",
    "web-time",
    "minstant",
    "coarsetime",
    // randomness
    "getrandom",
    "rand",
    "rand_chacha",
    "fastrand",
    "oorandom",
];

/// Who may use rayon: sums of points and transforms run on all cores, and what comes out does not
/// depend on how the work is shared out.
const SHARES_WORK: [&str; 3] = ["doppio-bn254", "halo2curves", "plonky2_maybe_rayon"];

/// Whether a dependency is one that the list above allows.
///
/// rand_core is traits, which halo2curves implements and nobody here calls. `cargo metadata` turns its
/// feature for the system's randomness on for the sake of crates that it merely mentions (k256 is one);
/// `cargo tree` has it off.
fn is_allowed(dependent: &str, name: &str) -> bool {
    (name == "rayon" && SHARES_WORK.contains(&dependent))
        || (dependent == "rand_core" && name == "getrandom")
}

fn is_impure(name: &str) -> bool {
    IMPURE
        .iter()
        .any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == *pattern,
        })
}

/// What `cargo metadata` says of the workspace.
fn metadata() -> Value {
    cargo_metadata(&root(), "--locked")
}

/// What it says of the pure crates alone, built by themselves: in the workspace they share the
/// features that other crates turn on in common dependencies.
fn metadata_of_pure_crates() -> Value {
    let workspace = metadata();
    let dependencies: String = list(&workspace["packages"])
        .iter()
        .filter(|package| PURE.contains(&text(&package["name"])))
        .map(|package| {
            let manifest = Path::new(text(&package["manifest_path"]));
            let folder = manifest.parent().expect("a manifest is in a folder");
            format!("{} = {{ path = {folder:?} }}\n", text(&package["name"]))
        })
        .collect();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pure_crates");
    fs::create_dir_all(folder.join("src")).expect("a folder can be made");
    let manifest = format!(
        "[workspace]\n[package]\nname = \"pure\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [dependencies]\n{dependencies}"
    );
    fs::write(folder.join("Cargo.toml"), manifest).expect("a file can be written");
    fs::write(folder.join("src/lib.rs"), "").expect("a file can be written");
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).expect("the lock is there");
    // the lock is cut to what these crates need, so it may change
    cargo_metadata(&folder, "--offline")
}

fn cargo_metadata(folder: &Path, mode: &str) -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", mode])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(folder)
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// For each package id: its name, and the ids of what it needs to be built and to run.
fn dependencies(metadata: &Value) -> BTreeMap<&str, (&str, Vec<&str>)> {
    let packages: BTreeMap<&str, &Value> = list(&metadata["packages"])
        .iter()
        .map(|package| (text(&package["id"]), package))
        .collect();
    list(&metadata["resolve"]["nodes"])
        .iter()
        .map(|node| {
            let package = packages[text(&node["id"])];
            let inactive = inactive(package, node);
            let needed = list(&node["deps"])
                .iter()
                .filter(|dep| {
                    list(&dep["dep_kinds"])
                        .iter()
                        .any(|kind| kind["kind"] != "dev")
                })
                .map(|dep| text(&dep["pkg"]))
                .filter(|id| !inactive.contains(text(&packages[id]["name"])))
                .collect();
            (text(&node["id"]), (text(&package["name"]), needed))
        })
        .collect()
}

/// Optional dependencies that no active feature turns on. `cargo metadata` lists those that are
/// merely mentioned, as in `time?/std`.
fn inactive<'a>(package: &'a Value, node: &Value) -> BTreeSet<&'a str> {
    let active: BTreeSet<&str> = list(&node["features"])
        .iter()
        .flat_map(|feature| list(&package["features"][text(feature)]))
        .map(text)
        .filter_map(|value| match value.split_once('/') {
            Some((dependency, _)) => (!dependency.ends_with('?')).then_some(dependency),
            None => value.strip_prefix("dep:"),
        })
        .collect();
    list(&package["dependencies"])
        .iter()
        .filter(|dependency| dependency["optional"] == true)
        .filter(|dependency| {
            let name = dependency["rename"].as_str();
            !active.contains(name.unwrap_or_else(|| text(&dependency["name"])))
        })
        .map(|dependency| text(&dependency["name"]))
        .collect()
}

/// How the crate comes to depend on something impure, if it does.
fn impure_path<'a>(
    graph: &BTreeMap<&'a str, (&'a str, Vec<&'a str>)>,
    start: &'a str,
) -> Option<Vec<&'a str>> {
    let mut seen = BTreeSet::from([start]);
    let mut paths = vec![vec![start]];
    while let Some(path) = paths.pop() {
        let (name, needed) = &graph[path.last()?];
        if is_impure(name) {
            return Some(path.iter().map(|id| graph[id].0).collect());
        }
        for id in needed {
            if !is_allowed(name, graph[id].0) && seen.insert(id) {
                let mut longer = path.clone();
                longer.push(id);
                paths.push(longer);
            }
        }
    }
    None
}

#[test]
fn pure_crates_depend_on_no_network_clock_scheduler_or_randomness() {
    let metadata = metadata_of_pure_crates();
    let graph = dependencies(&metadata);
    let mut found = 0;
    for (id, (name, _)) in &graph {
        if PURE.contains(name) {
            found += 1;
            if let Some(path) = impure_path(&graph, id) {
                panic!("{name} must be pure, but: {}", path.join(" -> "));
            }
        }
    }
    assert!(found >= 4, "only {found} of the pure crates were found");
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let metadata = metadata();
    let graph = dependencies(&metadata);
    // tests may draw random numbers, so the lock has proptest's generator
    let proptest = graph.iter().find(|(_, (name, _))| *name == "proptest");
    let (id, _) = proptest.expect("proptest is a development dependency");
    assert!(impure_path(&graph, id).is_some());
}

/// Names from the standard library that pure code has no use for.
const IMPURE_NAMES: [&str; 9] = [
    "std::time",
    "std::net",
    "std::thread",
    "std::process",
    "std::fs",
    "std::env",
    "SystemTime",
    "Instant::now",
    "async fn",
];

#[test]
fn pure_crates_use_no_clock_network_or_files_of_the_standard_library() {
    let folders: Vec<String> = PURE
        .iter()
        .filter_map(|name| name.strip_prefix("doppio-"))
        .map(|name| format!("crates/{name}/src/"))
        .collect();
    let mut files = 0;
    for source in sources() {
        if !folders.iter().any(|folder| source.path.starts_with(folder)) || !source.is_production()
        {
            continue;
        }
        files += 1;
        let production = source.text.split("#[cfg(test)]").next().unwrap_or_default();
        for (line, text) in (1..).zip(production.lines()) {
            let code = text.split("//").next().unwrap_or_default();
            for name in IMPURE_NAMES {
                assert!(!code.contains(name), "{}:{line}: {name}", source.path);
            }
        }
    }
    assert!(files > 40, "only {files} files were looked at");
}
