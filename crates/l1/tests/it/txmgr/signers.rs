//! Keys from everywhere, and a signer behind HTTP that may lie.

use super::sim::{CHAIN_ID, serve};
use crate::fake::RUNTIME;
use alloy_consensus::{EthereumTxEnvelope, TxEip4844, transaction::SignerRecoverable};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use doppio_l1::txmgr::{
    LocalSigner, RemoteOptions, RemoteSigner, Signer, TlsFiles,
    machine::{Fees, SignFailure, UnsignedTx},
};
use doppio_rpc::{MethodSet, RpcError};
use serde_json::{Value, json};
use std::{
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const OTHER: &str = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";

fn plain() -> UnsignedTx {
    UnsignedTx {
        chain_id: CHAIN_ID,
        nonce: 7,
        to: Some(Address::repeat_byte(0xff)),
        value: U256::from(5),
        data: Bytes::from_static(b"data"),
        gas_limit: 50_000,
        fees: Fees {
            tip_cap: 1_000,
            fee_cap: 20_000,
            blob_fee_cap: 0,
        },
        blob_hashes: Vec::new(),
    }
}

fn with_blobs() -> UnsignedTx {
    UnsignedTx {
        fees: Fees {
            blob_fee_cap: 3_000,
            ..plain().fees
        },
        blob_hashes: vec![B256::with_last_byte(1); 2],
        ..plain()
    }
}

fn sender(raw: &Bytes) -> Address {
    let tx = EthereumTxEnvelope::<TxEip4844>::decode_2718_exact(raw).unwrap();
    tx.recover_signer().unwrap()
}

#[test]
fn keys_come_in_hexadecimal_from_words_and_from_files() {
    // BIP-39's and anvil's words, and the accounts that everybody knows of them
    let words = "test test test test test test test test test test test junk";
    let first = LocalSigner::from_mnemonic(words, "m/44'/60'/0'/0/0").unwrap();
    let second = LocalSigner::from_mnemonic(words, "m/44'/60'/0'/0/1").unwrap();
    assert_eq!(
        first.address(),
        LocalSigner::from_hex(KEY).unwrap().address()
    );
    assert_eq!(
        second.address().to_string(),
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    );
    for (words, path) in [("test test", "m/44'/60'/0'/0/0"), (words, "m/x")] {
        let error = LocalSigner::from_mnemonic(words, path)
            .unwrap_err()
            .to_string();
        assert!(!error.contains("test test"), "{error}");
    }
    for none in ["", "0x12", "zz", &"0".repeat(64), &"f".repeat(64)] {
        assert!(LocalSigner::from_hex(none).is_err(), "{none}");
    }
    // The Web3 secret storage definition's vector, and the same key as geth's keystore writes it.
    let address = "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b";
    for (name, json) in [("scrypt", SCRYPT), ("pbkdf2", PBKDF2)] {
        let file = std::env::temp_dir().join(format!("doppio-{}-{name}.json", std::process::id()));
        fs::write(&file, json).unwrap();
        let signer = LocalSigner::from_keystore(&file, "testpassword");
        let wrong = LocalSigner::from_keystore(&file, "other");
        fs::remove_file(&file).unwrap();
        assert_eq!(signer.unwrap().address().to_string(), address, "{name}");
        let error = wrong.unwrap_err().to_string();
        assert!(error.contains(name) && !error.contains("other"), "{error}");
    }
}

const PBKDF2: &str = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},"ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2","kdfparams":{"c":262144,"dklen":32,"prf":"hmac-sha256","salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},"mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},"id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;
const SCRYPT: &str = r#"{"address":"008aeeda4d805471df9b2a5b0f38a0c3bcba786b","crypto":{"cipher":"aes-128-ctr","ciphertext":"d37a7e056d9b587a71d989073c9e5a5b57c69d83bad0a7749d9865a4ac5530a6","cipherparams":{"iv":"b061eb8541dbdaf22f850be8e8eb2e5c"},"kdf":"scrypt","kdfparams":{"dklen":32,"n":4096,"p":6,"r":8,"salt":"8c88ed26ff40d6e814110e03ea34b2e26fde5701bdd511a022cc5b2bbe62754a"},"mac":"c16893bda12dbb12821f3da4615ca98701b10c826e491edac090dfddab2d79c1"},"id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;

#[test]
fn a_key_signs_what_it_is_given() {
    let signer = LocalSigner::from_hex(KEY).unwrap();
    for tx in [
        plain(),
        with_blobs(),
        UnsignedTx {
            to: None,
            ..plain()
        },
    ] {
        let signed = RUNTIME.block_on(signer.sign(tx)).unwrap();
        assert_eq!(sender(&signed.raw), signer.address());
        assert_eq!(alloy_primitives::keccak256(&signed.raw), signed.hash);
    }
    let tx = UnsignedTx {
        to: None,
        ..with_blobs()
    };
    assert!(RUNTIME.block_on(signer.sign(tx)).is_err());
}

type Change = fn(&mut UnsignedTx);

/// op-signer with a key: reads what is asked, and signs it, or something else.
struct OpSigner {
    key: LocalSigner,
    change: Option<Change>,
    asked: Mutex<Vec<Value>>,
    answer: Option<Value>,
}

fn number(value: &Value) -> u128 {
    serde_json::from_value::<U256>(value.clone()).unwrap().to()
}

impl MethodSet for OpSigner {
    fn names(&self) -> Vec<&'static str> {
        vec!["eth_signTransaction", "health_status"]
    }

    fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, RpcError> {
        if method == "health_status" {
            return Ok(json!("v1.5.0"));
        }
        let args = params[0].clone();
        self.asked.lock().unwrap().push(args.clone());
        if let Some(answer) = &self.answer {
            return Ok(answer.clone());
        }
        if args["from"] != json!(self.key.address()) && self.change.is_none() {
            return Err(RpcError::failed("unauthorized"));
        }
        let blobs = args
            .get("blobVersionedHashes")
            .cloned()
            .unwrap_or(json!([]));
        let u64 = |name: &str| {
            serde_json::from_value::<U64>(args[name].clone())
                .unwrap()
                .to()
        };
        let mut tx = UnsignedTx {
            chain_id: u64("chainId"),
            nonce: u64("nonce"),
            to: serde_json::from_value(args["to"].clone()).unwrap(),
            value: serde_json::from_value(args["value"].clone()).unwrap(),
            data: serde_json::from_value(args["input"].clone()).unwrap(),
            gas_limit: u64("gas"),
            fees: Fees {
                tip_cap: number(&args["maxPriorityFeePerGas"]),
                fee_cap: number(&args["maxFeePerGas"]),
                blob_fee_cap: args.get("maxFeePerBlobGas").map_or(0, number),
            },
            blob_hashes: serde_json::from_value(blobs).unwrap(),
        };
        if let Some(change) = self.change {
            change(&mut tx);
        }
        let signed = futures_block(self.key.sign(tx)).unwrap();
        Ok(json!(signed.raw))
    }
}

/// A signer in memory answers at once.
fn futures_block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(future)
}

fn op_signer(key: &str, change: Option<Change>) -> Arc<OpSigner> {
    Arc::new(OpSigner {
        key: LocalSigner::from_hex(key).unwrap(),
        change,
        asked: Mutex::default(),
        answer: None,
    })
}

fn remote_options(endpoint: String) -> RemoteOptions {
    RemoteOptions {
        endpoint,
        address: LocalSigner::from_hex(KEY).unwrap().address(),
        headers: Vec::new(),
        tls: None,
        timeout: Duration::from_secs(5),
    }
}

async fn remote(server: Arc<OpSigner>, tx: UnsignedTx) -> Result<Bytes, SignFailure> {
    let (_server, url) = serve(server).await;
    let signer = RemoteSigner::new(&remote_options(url)).unwrap();
    assert_eq!(signer.ping().await.unwrap(), "v1.5.0");
    signer.sign(tx).await.map(|signed| signed.raw)
}

#[test]
fn op_signers_wire_signs_what_a_key_in_memory_signs() {
    let local = LocalSigner::from_hex(KEY).unwrap();
    for tx in [
        plain(),
        with_blobs(),
        UnsignedTx {
            to: None,
            ..plain()
        },
    ] {
        RUNTIME.block_on(async {
            let expected = local.sign(tx.clone()).await.unwrap();
            let server = op_signer(KEY, None);
            let signed = remote(Arc::clone(&server), tx.clone()).await.unwrap();
            assert_eq!(signed, expected.raw);
            // The names of op-signer's `TransactionArgs`.
            let asked = server.asked.lock().unwrap()[0].clone();
            let names: Vec<&str> = asked
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect();
            let mut wanted = vec![
                "accessList",
                "blobVersionedHashes",
                "chainId",
                "from",
                "gas",
                "input",
                "maxFeePerBlobGas",
                "maxFeePerGas",
                "maxPriorityFeePerGas",
                "nonce",
                "to",
                "value",
            ];
            if tx.blob_hashes.is_empty() {
                wanted.retain(|name| !name.to_lowercase().contains("blob"));
            }
            let mut names = names;
            names.sort_unstable();
            assert_eq!(names, wanted);
            assert_eq!(asked["nonce"], "0x7");
        });
    }
}

#[test]
fn a_signer_with_another_key_is_refused() {
    let server = op_signer(OTHER, Some(|_| {}));
    let failure = RUNTIME.block_on(remote(server, plain())).unwrap_err();
    let SignFailure::Refused(words) = failure else {
        panic!("{failure:?}");
    };
    assert!(words.starts_with("the signer signs for 0x7099"), "{words}");
}

#[test]
fn a_signer_that_alters_any_field_is_refused() {
    let changes: &[Change] = &[
        |tx| tx.chain_id = 1,
        |tx| tx.nonce += 1,
        |tx| tx.to = Some(Address::repeat_byte(1)),
        |tx| tx.value += U256::from(1),
        |tx| tx.data = Bytes::new(),
        |tx| tx.gas_limit += 1,
        |tx| tx.fees.tip_cap += 1,
        |tx| tx.fees.fee_cap += 1,
        |tx| tx.fees.blob_fee_cap += 1,
        |tx| tx.blob_hashes.truncate(1),
        |tx| tx.blob_hashes.clear(),
    ];
    for (at, change) in changes.iter().enumerate() {
        let server = op_signer(KEY, Some(*change));
        let failure = RUNTIME.block_on(remote(server, with_blobs())).unwrap_err();
        assert!(
            matches!(failure, SignFailure::Refused(_)),
            "{at}: {failure:?}"
        );
    }
}

#[test]
fn what_is_no_transaction_is_refused_and_an_error_is_waited_out() {
    for answer in [
        json!("0x"),
        json!(null),
        json!("0x02c0"),
        json!({}),
        json!("0x03ff"),
    ] {
        let server = Arc::new(OpSigner {
            key: LocalSigner::from_hex(KEY).unwrap(),
            change: None,
            asked: Mutex::default(),
            answer: Some(answer.clone()),
        });
        let failure = RUNTIME.block_on(remote(server, plain())).unwrap_err();
        assert!(
            matches!(failure, SignFailure::Refused(_)),
            "{answer}: {failure:?}"
        );
    }
    let server = op_signer(OTHER, None);
    let failure = RUNTIME.block_on(remote(server, plain())).unwrap_err();
    assert!(
        matches!(failure, SignFailure::Unavailable(_)),
        "{failure:?}"
    );
}

#[test]
fn headers_go_with_each_request() {
    RUNTIME.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut options = remote_options(format!("http://{}", listener.local_addr().unwrap()));
        options.headers = vec!["x-key=a=b".to_owned(), "X-Other: c=d:e".to_owned()];
        let signer = RemoteSigner::new(&options).unwrap();
        assert!(!format!("{signer:?}").contains("a=b"));
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            let answer = r#"{"jsonrpc":"2.0","id":1,"result":"v1"}"#;
            let length_line = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            stream.write_all(length_line.as_bytes()).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..length]).to_lowercase()
        };
        let (version, request) = tokio::join!(signer.ping(), server);
        assert_eq!(version.unwrap(), "v1");
        assert!(request.contains("x-key: a=b\r\n"), "{request}");
        assert!(request.contains("x-other: c=d:e\r\n"), "{request}");
    });
}

/// Files of certificates: an authority, and a server and a client that it knows.
fn pem(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/tls")
        .join(name)
}

/// A server that lets in whoever has a certificate of the authority.
async fn tls_server() -> (String, tokio::task::JoinHandle<Result<(), String>>) {
    use rustls::{
        RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::WebPkiClientVerifier,
    };
    let certificate = |name| CertificateDer::from_pem_file(pem(name)).unwrap();
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(certificate("ca.pem")).unwrap();
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(
            vec![certificate("server.pem")],
            PrivateKeyDer::from_pem_file(pem("server.key")).unwrap(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let serving = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.map_err(|error| error.to_string())?;
        let mut tls = acceptor
            .accept(tcp)
            .await
            .map_err(|error| error.to_string())?;
        let mut request = vec![0; 4096];
        tls.read(&mut request)
            .await
            .map_err(|error| error.to_string())?;
        let answer = r#"{"jsonrpc":"2.0","id":1,"result":"v1"}"#;
        let text = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}",
            answer.len()
        );
        tls.write_all(text.as_bytes())
            .await
            .map_err(|error| error.to_string())
    });
    (url, serving)
}

#[test]
fn a_signer_asks_for_our_certificate_and_shows_its_own() {
    RUNTIME.block_on(async {
        let files = |cert: &str| TlsFiles {
            ca: pem("ca.pem"),
            cert: pem(cert),
            key: pem("client.key"),
        };
        let (url, serving) = tls_server().await;
        let mut options = remote_options(url);
        options.tls = Some(files("client.pem"));
        let signer = RemoteSigner::new(&options).unwrap();
        assert_eq!(signer.ping().await.unwrap(), "v1");
        assert_eq!(serving.await.unwrap(), Ok(()));
        // Without a certificate of ours, it lets nobody in; and we believe no other authority.
        let (url, serving) = tls_server().await;
        let signer = RemoteSigner::new(&remote_options(url)).unwrap();
        assert!(signer.ping().await.is_err());
        assert!(serving.await.unwrap().is_err());
        // A certificate and a key that do not belong together, and a file that is not there.
        for (cert, words) in [
            ("server.pem", "TLS to the signer"),
            ("none.pem", "none.pem"),
        ] {
            options.tls = Some(files(cert));
            let error = RemoteSigner::new(&options).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    });
}
