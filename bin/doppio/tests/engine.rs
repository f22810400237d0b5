//! `doppio engine`: starts, answers, stops, and says what is wrong.

use doppio_test_vectors::Vectors;
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
};

/// A folder of a test; gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("engine-{test}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn engine(folder: &Folder, genesis: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doppio"));
    command
        .arg("engine")
        .arg("--datadir")
        .arg(folder.0.join("data"))
        .arg("--genesis")
        .arg(genesis)
        .args(["--authrpc.port", "0", "--http", "--http.port", "0"])
        .args(["--ws", "--ws.port", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Reads the log until a line has both texts; the address in it.
fn address(log: &mut impl BufRead, texts: [&str; 2]) -> String {
    let mut line = String::new();
    while log.read_line(&mut line).unwrap() > 0 {
        // colours are off where stderr is no terminal, or are taken out here
        let plain: String = strip_colours(&line);
        if texts.iter().all(|text| plain.contains(text)) {
            let (_, rest) = plain.split_once("address=").unwrap();
            return rest.split_whitespace().next().unwrap().to_owned();
        }
        line.clear();
    }
    panic!("the log ends before {texts:?}");
}

fn strip_colours(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain += before;
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}

fn start(mut command: Command) -> (Child, BufReader<ChildStderr>) {
    let mut child = command.spawn().unwrap();
    let log = BufReader::new(child.stderr.take().unwrap());
    (child, log)
}

fn call(address: &str, method: &str) -> Value {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": [] }).to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|_| json!(body))
}

#[test]
fn it_starts_answers_and_stops_when_told_to() {
    let Some(vectors) = Vectors::find("recorded") else {
        return;
    };
    let folder = Folder::new("start");
    let chain = "calldata-singular-zlib";
    let genesis = folder.0.join("genesis.json");
    fs::write(&genesis, vectors.text(format!("{chain}/genesis.json"))).unwrap();
    let alloc = folder.0.join("alloc.json");
    fs::write(&alloc, vectors.text("alloc-901.json.gz")).unwrap();
    // twice: what is on disk is taken again
    for _ in 0..2 {
        let mut command = engine(&folder, &genesis);
        command.arg("--genesis.alloc").arg(&alloc);
        let (mut child, mut log) = start(command);
        let engine_api = address(&mut log, ["Engine API", "address="]);
        let http = address(&mut log, ["HTTP", "address="]);
        address(&mut log, ["WebSocket", "address="]);
        assert_eq!(call(&http, "eth_chainId")["result"], "0x385");
        assert_eq!(call(&http, "eth_blockNumber")["result"], "0x0");
        // not among the namespaces that are offered if none are named
        assert_eq!(call(&http, "debug_chainConfig")["error"]["code"], -32601);
        assert_eq!(call(&engine_api, "eth_chainId"), json!("missing token\n"));
        let secret = fs::read_to_string(folder.0.join("data/jwtsecret")).unwrap();
        assert_eq!(secret.len(), 64);
        let pid = child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(killed.success());
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_celo_chain_is_refused_with_the_reason() {
    let folder = Folder::new("celo");
    let genesis = folder.0.join("genesis.json");
    let json = json!({
        "config": {
            "chainId": 42220,
            "optimism": { "eip1559Elasticity": 6, "eip1559Denominator": 50 },
        },
        "gasLimit": "0x1c9c380",
        "alloc": {},
    });
    fs::write(&genesis, json.to_string()).unwrap();
    let (mut child, mut log) = start(engine(&folder, &genesis));
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    assert!(!child.wait().unwrap().success());
    assert!(text.contains("chain 42220 is a Celo chain"), "{text}");
    assert!(text.contains("Celo's own execution client"), "{text}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = Folder::new("missing");
    let (mut child, mut log) = start(engine(&folder, &folder.0.join("no.json")));
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    assert!(!child.wait().unwrap().success());
    assert!(text.contains("no.json: No such file"), "{text}");
}

#[test]
fn metrics_tell_what_it_does() {
    let Some(vectors) = Vectors::find("recorded") else {
        return;
    };
    let folder = Folder::new("metrics");
    let chain = "calldata-singular-zlib";
    let genesis = folder.0.join("genesis.json");
    fs::write(&genesis, vectors.text(format!("{chain}/genesis.json"))).unwrap();
    let alloc = folder.0.join("alloc.json");
    fs::write(&alloc, vectors.text("alloc-901.json.gz")).unwrap();
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let metrics = free.local_addr().unwrap();
    drop(free);
    let mut command = engine(&folder, &genesis);
    command.arg("--genesis.alloc").arg(&alloc);
    command.args(["--metrics", "--metrics.port", &metrics.port().to_string()]);
    let (mut child, mut log) = start(command);
    let http = address(&mut log, ["HTTP", "address="]);
    assert_eq!(call(&http, "eth_chainId")["result"], "0x385");
    assert_eq!(
        call(&http, "eth_sendRawTransaction")["error"]["code"],
        -32602
    );
    let mut stream = TcpStream::connect(metrics).unwrap();
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    for line in [
        "rpc_requests_total{method=\"eth_chainId\"} 1",
        "rpc_failures_total{method=\"eth_sendRawTransaction\"} 1",
        "chain_head_block 0",
        "txpool_pending 0",
    ] {
        assert!(answer.contains(line), "{line} is not in {answer}");
    }
}
