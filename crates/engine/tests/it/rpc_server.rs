//! The servers: who may come in, and what becomes of bad input.

use crate::rpc::{Node, RUNTIME, SECRET, SMALL, listen, post, request};
use doppio_rpc::{JwtSecret, JwtSecretError, Listen, Server, ServerError, TokenError, Transport};
use jsonrpsee::{
    core::client::{ClientT, Error},
    rpc_params,
    ws_client::WsClientBuilder,
};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};

static NODE: LazyLock<Option<Node>> = LazyLock::new(|| Node::start("hostile-inbox", "server", 12));

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

#[test]
fn the_engine_server_takes_a_fresh_token_of_its_secret_and_no_other() {
    let Some(node) = &*NODE else { return };
    let secret = JwtSecret::parse(SECRET).unwrap();
    let other = JwtSecret::parse(&"11".repeat(32)).unwrap();
    let bearer = |token: String| Some(format!("Bearer {token}"));
    let cases = [
        (bearer(secret.token(now())), 200, ""),
        (bearer(secret.token(now() - 50)), 200, ""),
        (bearer(secret.token(now() + 50)), 200, ""),
        (None, 401, "missing token"),
        (Some("Basic YTpi".to_owned()), 401, "missing token"),
        (bearer(String::new()), 401, "missing token"),
        (bearer("junk".to_owned()), 401, "token is malformed"),
        (bearer(secret.token(now() - 70)), 401, "stale token"),
        (bearer(secret.token(now() + 70)), 401, "future token"),
        (bearer(other.token(now())), 401, "signature is invalid"),
    ];
    let body = request("engine_exchangeCapabilities", json!([[]])).to_string();
    for (header, expected, text) in cases {
        let headers: Vec<_> = header
            .iter()
            .map(|value| ("Authorization", &**value))
            .collect();
        let (status, _, answer) = post(node.authenticated.address(), &headers, body.as_bytes());
        assert_eq!(status, expected, "{header:?}: {answer}");
        assert!(answer.contains(text), "{answer}");
        if status == 200 {
            let answer: Value = serde_json::from_str(&answer).unwrap();
            assert!(answer["result"].as_array().unwrap().len() > 10);
        }
    }
}

#[test]
fn a_token_is_as_other_programs_make_it() {
    // made with the modules hmac, hashlib and base64 of Python
    let secret = JwtSecret::parse(SECRET).unwrap();
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3MDAwMDAwMDB9.w-xngeTndxgc5SKh0MMf4OXrhkC-1RUHjXBnrjuZrWU";
    assert_eq!(secret.token(1_700_000_000), token);
    assert_eq!(secret.check(token, 1_700_000_060), Ok(()));
    assert_eq!(secret.check(token, 1_700_000_061), Err(TokenError::Stale));
    assert_eq!(secret.check(token, 1_699_999_939), Err(TokenError::Future));
    // {"alg":"none"} with the same claims and no signature
    let none = "eyJhbGciOiJub25lIn0.eyJpYXQiOjE3MDAwMDAwMDB9.";
    assert_eq!(
        secret.check(none, 1_700_000_000),
        Err(TokenError::Algorithm)
    );
}

#[test]
fn a_secret_that_is_not_there_is_made_for_its_owner_alone() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jwt-secret");
    let _ = fs::remove_dir_all(&folder);
    let file = folder.join("data").join("jwtsecret");
    let made = JwtSecret::read_or_create(&file).unwrap();
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.len(), 64);
    let read = JwtSecret::read_or_create(&file).unwrap();
    assert_eq!(read.check(&made.token(5), 5), Ok(()));
    fs::write(&file, "0x1234").unwrap();
    let error = JwtSecret::read_or_create(&file).unwrap_err();
    assert!(matches!(error, JwtSecretError::Form), "{error}");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn bad_input_is_an_error_that_says_what_is_wrong_and_the_server_lives_on() {
    let Some(node) = &*NODE else { return };
    let address = node.public.address();
    let hash = "0x0000000000000000000000000000000000000000000000000000000000000001";
    let call = |method, params| request(method, params).to_string();
    let cases: Vec<(String, i64, &str)> = vec![
        ("{".to_owned(), -32700, "Parse error"),
        ("nonsense".to_owned(), -32700, "Parse error"),
        ("[]".to_owned(), -32600, "Invalid request"),
        (
            r#"{"id":1,"method":"eth_chainId"}"#.to_owned(),
            -32600,
            "Invalid request",
        ),
        (
            call("eth_noSuchThing", json!([])),
            -32601,
            "the method eth_noSuchThing does not exist",
        ),
        (
            call("engine_newPayloadV4", json!([])),
            -32601,
            "does not exist/is not available",
        ),
        (
            call("eth_getBlockByHash", json!({ "hash": 1 })),
            -32602,
            "non-array args",
        ),
        (
            call("eth_getBlockByHash", json!([hash])),
            -32602,
            "missing value for required argument 1",
        ),
        (
            call("eth_getBlockByHash", json!([7, true])),
            -32602,
            "invalid argument 0: invalid type",
        ),
        (
            call("eth_getBlockByHash", json!(["0x12", true])),
            -32602,
            "invalid argument 0",
        ),
        (
            call("eth_getBlockByNumber", json!(["7", true])),
            -32602,
            "without 0x prefix",
        ),
        (
            call("eth_getBlockByNumber", json!(["newest", true])),
            -32602,
            "invalid argument 0",
        ),
        (
            call("eth_getBlockByNumber", json!(["0x1", 1])),
            -32602,
            "invalid argument 1",
        ),
        (
            call("eth_chainId", json!([1])),
            -32602,
            "too many arguments, want at most 0",
        ),
        (
            call("eth_getBalance", json!([])),
            -32602,
            "missing value for required argument 0",
        ),
        (
            call("eth_getBalance", json!([format!("{:?}", 0), "latest"])),
            -32602,
            "invalid argument 0",
        ),
    ];
    for (body, code, message) in cases {
        let (status, _, answer) = post(address, &[], body.as_bytes());
        assert!(matches!(status, 200 | 400), "{body}: {answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["error"]["code"], code, "{body}: {answer}");
        let found = answer["error"]["message"].as_str().unwrap();
        assert!(found.contains(message), "{body}: {answer}");
    }
    assert_eq!(node.call("eth_chainId", json!([])), "0x385");
}

#[test]
fn what_is_too_large_is_refused() {
    let Some(node) = &*NODE else { return };
    let address = node.public.address();
    let long = vec![b' '; usize::try_from(SMALL.request_bytes).unwrap() + 1];
    let (status, _, answer) = post(address, &[], &long);
    assert_eq!(status, 413);
    assert!(answer.contains("too big"), "{answer}");
    let batch = |count| Value::Array(vec![request("eth_chainId", json!([])); count]).to_string();
    let (_, _, answer) = post(address, &[], batch(20).as_bytes());
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let answers = answer.as_array().unwrap();
    assert_eq!(answers.len(), 20);
    assert!(answers.iter().all(|answer| answer["result"] == "0x385"));
    let (_, _, answer) = post(address, &[], batch(21).as_bytes());
    assert!(answer.contains("batch request was too large"), "{answer}");
    assert!(answer.contains("20"), "{answer}");
    assert_eq!(node.call("eth_chainId", json!([])), "0x385");
}

#[test]
fn a_batch_answers_each_call_for_itself() {
    let Some(node) = &*NODE else { return };
    let mut calls = [
        request("eth_chainId", json!([])),
        request("eth_noSuchThing", json!([])),
        json!(7),
        request("eth_blockNumber", json!([])),
    ];
    for (id, call) in calls.iter_mut().enumerate() {
        if call.is_object() {
            call["id"] = json!(id);
        }
    }
    let body = json!(calls).to_string();
    let (_, _, answer) = post(node.public.address(), &[], body.as_bytes());
    let answers: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answers[0]["result"], "0x385");
    let message = answers[1]["error"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("the method eth_noSuchThing"),
        "{message}"
    );
    assert_eq!(answers[1]["id"], 1);
    assert_eq!(answers[2]["error"]["code"], -32600);
    assert_eq!(answers[3]["result"], "0xc");
}

#[test]
fn hosts_and_origins_are_checked() {
    let Some(node) = &*NODE else { return };
    let address = node.public.address();
    let body = request("eth_chainId", json!([])).to_string();
    let upgrade = ("Upgrade", "websocket");
    let cases: [(&[(&str, &str)], u16); 6] = [
        (&[("Host", "localhost:8545")], 200),
        (&[("Host", "[::1]:8545")], 200),
        (&[("Host", "LOCALHOST")], 200),
        (&[("Host", "rebound.example")], 403),
        (&[("Host", "localhost.rebound.example:8545")], 403),
        (&[("Origin", "https://evil.example"), upgrade], 403),
    ];
    for (headers, expected) in cases {
        let (status, _, answer) = post(address, headers, body.as_bytes());
        assert_eq!(status, expected, "{headers:?}: {answer}");
    }
    let allowed = |origin| {
        let (_, head, _) = post(address, &[("Origin", origin)], body.as_bytes());
        head.contains(&format!("access-control-allow-origin: {origin}"))
    };
    assert!(allowed("https://wallet.example"));
    assert!(!allowed("https://evil.example"));
}

#[test]
fn a_websocket_answers_too_and_needs_a_token_where_http_does() {
    let Some(node) = &*NODE else { return };
    RUNTIME.block_on(async {
        let url = format!("ws://{}", node.public.address());
        let client = WsClientBuilder::default().build(url).await.unwrap();
        let number: String = client
            .request("eth_blockNumber", rpc_params![])
            .await
            .unwrap();
        assert_eq!(number, "0xc");
        let error = client
            .request::<Value, _>("eth_noSuchThing", rpc_params![])
            .await;
        let Err(Error::Call(error)) = error else {
            panic!("{error:?}");
        };
        assert!(error.message().contains("eth_noSuchThing"), "{error}");
        let url = format!("ws://{}", node.authenticated.address());
        let refused = WsClientBuilder::default().build(&url).await;
        assert!(refused.is_err_and(|error| error.to_string().contains("401")));
        let mut headers = http::HeaderMap::new();
        let token = JwtSecret::parse(SECRET).unwrap().token(now());
        headers.insert("Authorization", format!("Bearer {token}").parse().unwrap());
        let client = WsClientBuilder::default()
            .set_headers(headers)
            .build(url)
            .await
            .unwrap();
        let methods: Vec<String> = client
            .request(
                "engine_exchangeCapabilities",
                rpc_params![Vec::<String>::new()],
            )
            .await
            .unwrap();
        assert!(methods.iter().any(|name| name == "engine_newPayloadV4"));
    });
}

#[test]
fn a_server_stops_and_its_port_is_free_again() {
    let Some(node) = &*NODE else { return };
    RUNTIME.block_on(async {
        let first = Server::start(&listen(Transport::Http, SMALL), &[])
            .await
            .unwrap();
        let address = first.address();
        let again = Listen {
            address,
            ..listen(Transport::Http, SMALL)
        };
        let error = Server::start(&again, &[]).await.unwrap_err();
        assert!(matches!(error, ServerError::Listen { .. }), "{error}");
        first.stop().await;
        Server::start(&again, &[]).await.unwrap().stop().await;
    });
    assert_eq!(node.call("net_version", json!([])), "901");
}
