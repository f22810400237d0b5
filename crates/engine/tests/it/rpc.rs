//! A node of recorded blocks that answers on real sockets.

use crate::chain::Chain;
use alloy_primitives::B256;
use doppio_engine::{
    Engine, EngineApi, EngineSettings, ForkChoice, Status, Store, View,
    rpc::{ChainApi, Settings},
};
use doppio_rpc::{JwtSecret, Limits, Listen, MethodSet, Server, Transport};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex},
};
use tokio::runtime::{Builder, Runtime};

/// The secret of every test's engine server.
pub(crate) const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

pub(crate) static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().enable_all().build().unwrap());

/// A node. Its database is gone when it is dropped.
pub(crate) struct Node {
    pub(crate) chain: Chain,
    /// `eth`, `debug`, `net`, `txpool`, `web3`; HTTP and WebSocket.
    pub(crate) public: Server,
    /// `engine`, `eth`, `miner`.
    pub(crate) authenticated: Server,
    pub(crate) view: Arc<View>,
    file: PathBuf,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

pub(crate) const SMALL: Limits = Limits {
    request_bytes: 100_000,
    batch: 20,
    ..Limits::PUBLIC
};

pub(crate) fn listen(transport: Transport, limits: Limits) -> Listen {
    Listen {
        transport,
        limits,
        origins: vec!["https://wallet.example".to_owned()],
        ..Listen::at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }
}

impl Node {
    /// A node at the `count`-th block of a recorded chain, whose safe block is the tenth and whose
    /// finalized block is the fifth.
    pub(crate) fn start(name: &str, test: &str, count: usize) -> Option<Self> {
        let chain = Chain::open(name)?;
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rpc-{test}.redb"));
        let _ = fs::remove_file(&file);
        let store = Store::open(&file, &chain.genesis, 64 << 20).unwrap();
        let mut engine =
            Engine::new(chain.genesis.clone(), store, &EngineSettings::default()).unwrap();
        let count = count.min(chain.blocks.len());
        for block in &chain.blocks[..count] {
            let status = engine.new_payload(block.hash, &block.header, &block.transactions);
            assert_eq!(status.unwrap(), Status::Valid);
        }
        if count > 0 {
            let hash = |index: usize| {
                chain.blocks[..count]
                    .get(index)
                    .map_or(B256::ZERO, |block| block.hash)
            };
            let choice = ForkChoice {
                head: hash(count - 1),
                safe: hash(9),
                finalized: hash(4),
            };
            assert_eq!(
                engine.forkchoice_updated(&choice, None).unwrap(),
                Status::Valid
            );
        }
        let view = Arc::clone(engine.view());
        let engine = Arc::new(Mutex::new(engine));
        let settings = Settings {
            chain_config: json!({ "chainId": 901 }),
            ..Settings::default()
        };
        let api = |namespaces: &[&str]| -> Arc<dyn MethodSet> {
            let view = Arc::clone(&view);
            Arc::new(ChainApi::new(view, settings.clone(), namespaces))
        };
        let public = [api(&["eth", "debug", "net", "txpool", "web3"])];
        let authenticated: [Arc<dyn MethodSet>; 2] =
            [Arc::new(EngineApi::new(engine)), api(&["eth", "miner"])];
        let with_secret = Listen {
            secret: Some(JwtSecret::parse(SECRET).unwrap()),
            ..listen(Transport::Both, Limits::ENGINE)
        };
        let (public, authenticated) = RUNTIME.block_on(async {
            (
                Server::start(&listen(Transport::Both, SMALL), &public)
                    .await
                    .unwrap(),
                Server::start(&with_secret, &authenticated).await.unwrap(),
            )
        });
        Some(Self {
            chain,
            public,
            authenticated,
            view,
            file,
        })
    }

    /// Calls a method, which must answer.
    #[track_caller]
    pub(crate) fn call(&self, method: &str, params: Value) -> Value {
        let reply = self.reply(method, params.clone());
        assert_eq!(reply.get("error"), None, "{method} {params}");
        reply["result"].clone()
    }

    /// Calls a method, which must fail: the code and the message.
    #[track_caller]
    pub(crate) fn refused(&self, method: &str, params: Value) -> (i64, String) {
        let reply = self.reply(method, params);
        let error = &reply["error"];
        let code = error["code"].as_i64().unwrap_or_else(|| panic!("{reply}"));
        (code, error["message"].as_str().unwrap().to_owned())
    }

    /// Calls a method.
    pub(crate) fn reply(&self, method: &str, params: Value) -> Value {
        let body = request(method, params);
        let (status, _, body) = post(self.public.address(), &[], body.to_string().as_bytes());
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }
}

pub(crate) fn request(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

/// Posts a body: the status, the headers and the body of the answer.
pub(crate) fn post(
    address: SocketAddr,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (u16, String, String) {
    let mut head = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
    head += "Content-Type: application/json\r\nConnection: close\r\n";
    if !headers.iter().any(|(name, _)| *name == "Host") {
        head += &format!("Host: {address}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    // a server that refuses the head need not read the body
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), body.to_owned())
}

/// A number that was printed in hexadecimal.
#[track_caller]
pub(crate) fn number(value: &Value) -> u64 {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no number"));
    u64::from_str_radix(text.strip_prefix("0x").unwrap(), 16).unwrap()
}
