//! Endpoints that fail, refuse, or do without: what is asked again, otherwise, or of another.

use crate::fake::{Chain, Fake, RUNTIME, Rules, shown, source};
use doppio_l1::{
    BeaconOptions, L1Error, L1Options, L1Source, OptionsError, RpcKind,
    verify::{BlockAt, Label},
};
use std::{
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

static CHAIN: LazyLock<Option<Arc<Chain>>> =
    LazyLock::new(|| Chain::open("espresso-gen2-calldata"));

fn header(source: &L1Source, number: u64) -> Result<u64, L1Error> {
    let header = RUNTIME.block_on(source.header(BlockAt::Number(number)))?;
    Ok(header.unwrap().id().number)
}

#[test]
fn another_endpoint_is_asked_where_one_fails() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    for answer in [
        (500, "", ""),
        (502, "", "<html>bad gateway</html>"),
        (401, "", ""),
        (200, "", ""),
        (200, "", "<html>"),
        (200, "", "[]"),
        (200, "", "{}"),
        (200, "", r#"{"jsonrpc":"2.0","id":0,"result":"0x12"}"#),
        (200, "", r#"[{"jsonrpc":"2.0","id":7,"result":null}]"#),
        (
            200,
            "",
            r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32000,"message":"internal error"}}"#,
        ),
        (429, "", ""),
        (
            200,
            "",
            r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32005,"message":"daily request count exceeded, request rate limited"}}"#,
        ),
    ] {
        let first = Fake::start(
            &chain,
            Rules {
                instead: vec![answer],
                ..Rules::default()
            },
        );
        let second = Fake::start(&chain, Rules::default());
        let source = source(&[&first, &second], |_| ());
        assert_eq!(header(&source, 5).unwrap(), 5, "{answer:?}");
        assert_eq!((first.requests(), second.requests()), (1, 1), "{answer:?}");
    }
}

#[test]
fn an_endpoint_that_is_gone_or_mute_is_left() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let mute = Fake::start(
        &chain,
        Rules {
            delay: Duration::from_secs(5),
            ..Rules::default()
        },
    );
    let good = Fake::start(&chain, Rules::default());
    let source = source(&[&mute, &good], |options| {
        options.timeout = Duration::from_millis(300);
        // nobody listens there
        options.endpoints.insert(0, "http://127.0.0.1:9".to_owned());
    });
    let begin = Instant::now();
    for number in 0..4 {
        assert_eq!(header(&source, number).unwrap(), number);
    }
    assert!(begin.elapsed() < Duration::from_secs(3));
    // They are not asked each time.
    assert!(mute.requests() <= 2);
    let scores: Vec<u32> = source.endpoints().iter().map(|e| e.score).collect();
    assert!(scores[0] < 100 && scores[1] < 100 && scores[2] == 100);
}

#[test]
fn an_endpoint_that_asks_for_time_is_given_it() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let body = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32005,"message":"slow down","data":{"rate":{"backoff_seconds":1}}}}"#;
    for (answer, wait) in [
        ((429, "retry-after: 1", ""), 1.0),
        ((503, "retry-after: 1", ""), 1.0),
        ((200, "", body), 1.0),
        ((429, "retry-after: 0", ""), 0.05),
    ] {
        let fake = Fake::start(
            &chain,
            Rules {
                instead: vec![answer],
                ..Rules::default()
            },
        );
        let source = source(&[&fake], |_| ());
        let begin = Instant::now();
        assert_eq!(header(&source, 5).unwrap(), 5);
        assert!(begin.elapsed() >= Duration::from_secs_f64(wait));
        // It did nothing wrong.
        assert_eq!(source.endpoints()[0].score, 100);
        assert_eq!(fake.requests(), 2);
    }
}

#[test]
fn nobody_waits_longer_than_patience_allows() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let fake = Fake::start(
        &chain,
        Rules {
            instead: vec![(429, "retry-after: 100", "")],
            ..Rules::default()
        },
    );
    let source = source(&[&fake], |_| ());
    let begin = Instant::now();
    let error = header(&source, 5).unwrap_err().to_string();
    assert!(error.contains("left alone"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(2));
}

#[test]
fn the_rate_of_calls_is_kept() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let fake = Fake::start(&chain, Rules::default());
    let source = source(&[&fake], |options| options.rate_limit = Some(20.0));
    let begin = Instant::now();
    for number in 0..11 {
        header(&source, number).unwrap();
    }
    assert!(begin.elapsed() >= Duration::from_millis(500));
}

#[test]
fn a_way_to_receipts_that_is_missing_is_given_up_for_the_next() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let all = [
        "eth_getBlockReceipts",
        "debug_getRawReceipts",
        "parity_getBlockReceipts",
        "alchemy_getTransactionReceipts",
        "erigon_getBlockReceiptsByBlockHash",
    ];
    let expected = chain.expected();
    let busiest = expected
        .iter()
        .max_by_key(|block| block.receipts.len())
        .unwrap();
    for count in 1..=all.len() {
        let fake = Fake::start(
            &chain,
            Rules {
                missing: all[..count].iter().copied().collect(),
                ..Rules::default()
            },
        );
        let source = source(&[&fake], |options| options.rpc_kind = RpcKind::Any);
        for at in [
            BlockAt::Hash(busiest.header.hash),
            BlockAt::Number(busiest.header.number),
        ] {
            let block = RUNTIME.block_on(source.block(at)).unwrap().unwrap();
            assert_eq!(shown(&block), shown(busiest), "{count}");
        }
        for method in &all[..count] {
            assert_eq!(fake.asked(method), 1, "{count}: {method}");
        }
        assert_eq!(source.endpoints()[0].score, 100);
    }
}

#[test]
fn an_answer_beyond_the_limit_is_not_read() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let fake = Fake::start(&chain, Rules::default());
    let source = source(&[&fake], |options| options.max_answer_bytes = 1000);
    let error = header(&source, 5).unwrap_err().to_string();
    assert!(error.contains("longer than 1000 bytes"), "{error}");
}

#[test]
fn a_block_that_one_endpoint_lacks_may_be_had_from_another() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let lagging = Fake::start(
        &chain,
        Rules {
            head: Some(10),
            ..Rules::default()
        },
    );
    let good = Fake::start(&chain, Rules::default());
    let source = source(&[&lagging, &good], |_| ());
    assert_eq!(header(&source, 20).unwrap(), 20);
    assert_eq!(source.endpoints()[0].score, 100);
    let none = RUNTIME.block_on(source.block(BlockAt::Number(10_000)));
    assert!(none.unwrap().is_none());
}

#[test]
fn the_block_of_a_label_is_fetched_by_its_hash() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let fake = Fake::start(&chain, Rules::default());
    let source = source(&[&fake], |_| ());
    let block = RUNTIME.block_on(source.block(BlockAt::Label(Label::Latest)));
    let expected = chain.expected();
    assert_eq!(
        shown(&block.unwrap().unwrap()),
        shown(expected.last().unwrap())
    );
    assert_eq!(fake.asked("eth_getBlockByHash"), 1);
}

#[test]
fn options_that_cannot_work_are_refused() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let refuse = |change: &dyn Fn(&mut L1Options)| {
        let mut options = L1Options {
            endpoints: vec!["https://user:secret@l1.example/v1/key".to_owned()],
            ..L1Options::default()
        };
        change(&mut options);
        L1Source::new(chain.rollup(), options).map(|source| source.endpoints())
    };
    // What is shown of an endpoint has no secret in it.
    assert_eq!(refuse(&|_| ()).unwrap()[0].endpoint, "https://l1.example");
    assert_eq!(
        refuse(&|options| options.endpoints.clear()),
        Err(OptionsError::NoEndpoint)
    );
    assert_eq!(
        refuse(&|options| options.max_batch = 0),
        Err(OptionsError::Zero("--l1.rpc-max-batch-size"))
    );
    for url in ["ws://l1.example", "l1.example", "https://", "http://a b"] {
        let error = refuse(&|options| options.endpoints = vec![url.to_owned()]);
        let error = error.unwrap_err();
        assert!(
            matches!(error, OptionsError::Url { flag: "--l1", .. }),
            "{url}"
        );
    }
    // The remedy is named, and the key is not.
    for scheme in ["ws", "wss"] {
        let url = format!("{scheme}://user:secret@l1.example:8546/v1/key");
        let error = refuse(&|options| options.endpoints = vec![url.clone()]);
        let error = error.unwrap_err().to_string();
        let place = format!("--l1: {scheme}://l1.example:8546 is the URL of a WebSocket");
        assert!(error.starts_with(&place), "{error}");
        assert!(
            error.contains("give the http:// or https:// URL"),
            "{error}"
        );
        assert!(
            !error.contains("secret") && !error.contains("key"),
            "{error}"
        );
        let error = refuse(&|options| options.beacon.fallbacks = vec![url.clone()]);
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("--l1.beacon-fallbacks: "), "{error}");
    }
    let beacon = |header: &str| {
        let beacon = BeaconOptions {
            endpoints: vec!["http://beacon".to_owned()],
            header: Some(header.to_owned()),
            ..BeaconOptions::default()
        };
        refuse(&|options| options.beacon = beacon.clone())
    };
    assert!(beacon("X-Key: value").is_ok());
    let error = beacon("secret").unwrap_err().to_string();
    assert!(error.contains("is not a header"), "{error}");
    assert!("geth".parse::<RpcKind>().is_err());
    assert_eq!("debug_geth".parse(), Ok(RpcKind::DebugGeth));
}
