//! `doppio explain` as its users run it.

use doppio_test_vectors::Vectors;
use serde_json::Value;
use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

/// An item with one frame, number 0 and not the last one, of three bytes.
const ITEM: &str = "00 0102030405060708090a0b0c0d0e0f10 0000 00000003 aabbcc 00";
/// The same, cut off within its data.
const BROKEN: &str = "00 0102030405060708090a0b0c0d0e0f10 0000 00000003 aabb";

fn run(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_doppio"))
        .arg("explain")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // a program that needs no input may be gone
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    let text = text(output);
    assert_eq!(text.lines().count(), 1);
    serde_json::from_str(&text).unwrap()
}

/// A file of this test's own.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str, content: &[u8]) -> Self {
        let path =
            std::env::temp_dir().join(format!("doppio-explain-{}-{name}", std::process::id()));
        fs::write(&path, content).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn the_same_is_told_of_a_string_a_file_and_standard_input() {
    let raw: Vec<u8> = ITEM
        .replace(' ', "")
        .as_bytes()
        .chunks(2)
        .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap())
        .collect();
    let file = TempFile::new("raw", &raw);
    let hex_file = TempFile::new("hex", format!("0x{ITEM}\n").as_bytes());
    let outputs = [
        run(&[ITEM], b""),
        run(&[&format!("0x{ITEM}")], b""),
        run(&[file.path()], b""),
        run(&[hex_file.path()], b""),
        run(&["-"], &raw),
        run(&["-"], ITEM.as_bytes()),
    ];
    for output in &outputs {
        assert_eq!(output.status.code(), Some(0), "{}", error(output));
        assert_eq!(text(output), text(&outputs[0]));
        assert!(error(output).is_empty());
    }
    let told = text(&outputs[0]);
    assert!(
        told.contains("0x0102030405060708090a0b0c0d0e0f10"),
        "{told}"
    );
    assert!(told.contains("the last frame is missing"), "{told}");
}

#[test]
fn what_breaks_is_told_and_gives_status_1() {
    let output = run(&["--as", "inbox", BROKEN], b"");
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output);
    assert!(
        told.contains("items[0].frames[0].frame_data, byte 23"),
        "{told}"
    );
    assert!(told.contains("[opstack 2.4]"), "{told}");
    // found out instead of named, it fits nothing
    let output = run(&[BROKEN], b"");
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output);
    assert!(told.contains("fit no form"), "{told}");
    assert!(
        told.contains("inbox: items[0].frames[0].frame_data, byte 23"),
        "{told}"
    );
}

#[test]
fn json_is_one_object_with_the_same_verdict() {
    let output = run(&["--json", ITEM], b"");
    assert_eq!(output.status.code(), Some(0));
    let object = json(&output);
    assert_eq!(object["form"], "inbox");
    assert_eq!(object["sound"], true);
    let frame = &object["content"]["inbox"]["items"]["items"][0]["frames"]["items"][0];
    assert_eq!(frame["channel"], "0x0102030405060708090a0b0c0d0e0f10");
    assert_eq!(frame["length"], 3);

    let output = run(&["--json", "--as", "inbox", BROKEN], b"");
    assert_eq!(output.status.code(), Some(1));
    let object = json(&output);
    assert_eq!(object["sound"], false);
    assert_eq!(object["breaks"][0]["rule"], "opstack 2.4");
    assert_eq!(object["breaks"][0]["offset"], 23);

    let output = run(&["--json", BROKEN], b"");
    assert_eq!(output.status.code(), Some(1));
    let object = json(&output);
    assert_eq!(object["form"], Value::Null);
    assert_eq!(object["tried"].as_array().unwrap().len(), 7);
}

#[test]
fn several_lines_are_several_transactions() {
    let second = "0x00 0102030405060708090a0b0c0d0e0f10 0001 00000000 01";
    let output = run(&["--json", "-"], format!("0x{ITEM}\n{second}\n").as_bytes());
    let object = json(&output);
    assert_eq!(object["content"]["inbox"]["items"]["count"], 2);
    let channel = &object["content"]["inbox"]["channels"]["items"][0];
    assert_eq!(channel["frames"], 2);
    // 0xaa is no compression
    assert_eq!(object["breaks"][0]["reason"], "channel_open");
}

#[test]
fn the_chain_is_taken_from_rollup_json_and_flags_go_before_it() {
    let Some(vectors) = Vectors::find("opstack") else {
        return;
    };
    let config = vectors.path("configs/op-mainnet.rollup.json");
    let data = vectors.path("channels/raw_batcher_tx.bin");
    let (config, data) = (config.to_str().unwrap(), data.to_str().unwrap());
    let span = |args: &[&str]| {
        let output = run(&[&["--json", data], args].concat(), b"");
        let object = json(&output);
        let inbox = &object["content"]["transaction"]["data"]["inbox"];
        let batch = &inbox["channels"]["items"][0]["batches"]["items"][0];
        (output.status.code(), batch["content"]["span"].clone())
    };
    let expected = vectors.json("channels/raw_batcher_tx.blocks.json");
    let first = |span: &Value| span["blocks"]["items"][0].clone();

    let (status, known) = span(&["--rollup.config", config]);
    assert_eq!(status, Some(0));
    assert_eq!(known["timestamp"], expected[0]["timestamp"]);
    let hash = &first(&known)["transactions"]["items"][0]["hash"];
    assert_eq!(*hash, expected[0]["tx_hashes"][0]);

    let (status, unknown) = span(&[]);
    assert_eq!(status, Some(0));
    assert_eq!(unknown["timestamp"], Value::Null);
    let transaction = &first(&unknown)["transactions"]["items"][0];
    assert_eq!(transaction["hash"], Value::Null);
    assert!(transaction["fields"]["nonce"].is_u64());

    let flags = ["--l2-chain-id", "10", "--genesis-l2-time", "1686068903"];
    let (_, by_flags) = span(&[&flags[..], &["--block-time", "2"]].concat());
    assert_eq!(by_flags, known);
    let (_, other) = span(&["--rollup.config", config, "--genesis-l2-time", "0"]);
    assert_eq!(first(&other)["timestamp"], known["rel_timestamp"]);

    // before Delta no span counts
    let delta = 1_708_560_000_u64;
    for (time, expected) in [(delta, 0), (delta - 1, 1)] {
        let (status, _) = span(&["--rollup.config", config, "--l1-time", &time.to_string()]);
        assert_eq!(status, Some(expected));
    }
}

#[test]
fn a_profile_changes_the_longest_frame() {
    let mut item = vec![0; 1 + 22];
    item[19..23].copy_from_slice(&1_000_001_u32.to_be_bytes());
    item.resize(item.len() + 1_000_001, 0x42);
    item.push(0);
    let args = ["--as", "inbox", "-"];
    assert_eq!(run(&args, &item).status.code(), Some(1));
    let on_celo = run(&[&["--profile", "celo"], &args[..]].concat(), &item);
    assert_eq!(on_celo.status.code(), Some(0));
}

#[test]
fn what_cannot_be_read_is_an_error_on_stderr() {
    for args in [
        &["no-such-file"][..],
        &["0x00g0"],
        &["0x000"],
        &["--rollup.config", "no-such-file", "00"],
        &["--profile", "no-such-profile", "00"],
    ] {
        let output = run(args, b"");
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        assert!(error(&output).starts_with("error: "), "{}", error(&output));
    }
    for args in [&["--as", "frame", "00"][..], &["--l1-time", "5", "00"], &[]] {
        let output = run(args, b"");
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}

/// The size is looked at before anything is read: the file has no content.
#[test]
fn a_file_that_is_too_large_is_not_read() {
    let file = TempFile::new("large", b"");
    let large = fs::OpenOptions::new().write(true).open(&file.0).unwrap();
    large.set_len((256 << 20) + 1).unwrap();
    let output = run(&[file.path()], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("256 MiB"), "{}", error(&output));
}

#[test]
fn help_names_every_form() {
    let output = run(&["--help"], b"");
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output);
    for form in [
        "blob",
        "inbox",
        "commitment",
        "channel",
        "decompressed",
        "batch",
        "transaction",
    ] {
        assert!(help.contains(&format!("\n  {form} ")), "{help}");
    }
}
