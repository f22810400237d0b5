//! Payloads beside a copy of their bytes, and verdicts beside `checkDACert` in revm.
//!
//! `cargo bench -p doppio-eigenda`. Smallest and median time of one call.

#[path = "../tests/local/mod.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod local;
#[path = "../tests/onchain/mod.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod onchain;

use doppio_bn254::scalar;
use doppio_eigenda::{
    Parsed, Verdict, blob::PolynomialForm, certificate::Version, judge, parse, payload,
};
use local::{INCLUSION, Local};
use onchain::{OnChain, QUORUMS, Wanted};
use std::{
    hint::black_box,
    io::{self, Write},
    time::Instant,
};

fn time(name: &str, calls: usize, mut run: impl FnMut()) {
    let mut times: Vec<f64> = (0..calls)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let line = format!(
        "{name:<44} {:>10.3} ms {:>10.3} ms\n",
        times[0],
        times[calls / 2]
    );
    let _ = io::stdout().write_all(line.as_bytes());
}

fn main() {
    for (name, size) in [
        ("128 KiB", 31 * 4095),
        ("1 MiB", 31 * 32_767),
        ("16 MiB", 31 * 524_287),
    ] {
        let bytes: Vec<u8> = (0..size)
            .map(|n: usize| n.to_le_bytes()[0] ^ 0x5a)
            .collect();
        let encoded = payload::encode(&bytes).expect("it fits");
        let form = PolynomialForm::Values;
        let coefficients = form.coefficients(&encoded).expect("elements");
        time(&format!("{name}: copied"), 15, || {
            let mut copy = vec![0u8; encoded.len()];
            copy[..bytes.len()].copy_from_slice(black_box(&bytes));
            drop(black_box(copy));
        });
        time(&format!("{name}: encoded"), 15, || {
            drop(black_box(payload::encode(black_box(&bytes))));
        });
        time(&format!("{name}: decoded"), 15, || {
            drop(black_box(payload::decode(black_box(&encoded))));
        });
        time(&format!("{name}: payload to blob's bytes"), 7, || {
            let encoded = payload::encode(&bytes).expect("it fits");
            let coefficients = form.coefficients(&encoded).expect("elements");
            black_box(scalar::write_all(&coefficients));
        });
        time(&format!("{name}: blob to payload"), 7, || {
            drop(black_box(form.payload(&coefficients)));
        });
    }

    // 30 operators in two quorums, as many absent as may be
    let stakes: Vec<[(u8, u64); 2]> = (1..=30).map(|n| [(0, n), (1, 31 - n)]).collect();
    let stakes: Vec<&[(u8, u64)]> = stakes.iter().map(<[_; 2]>::as_slice).collect();
    let local = Local::new(Version::V4 { offchain: 0 }, &stakes);
    for absent in [0, 8] {
        let absent: Vec<usize> = (0..absent).collect();
        let certificate = local.certificate(&[0, 1], &[0, 1], &absent);
        let (verdict, _, state) = local.judge(&certificate, INCLUSION);
        assert!(matches!(verdict, Verdict::Valid(_)), "{verdict:?}");
        let commitment = certificate.to_commitment();
        let count = absent.len();
        time(
            &format!("certificate read, {count} non-signers"),
            200,
            || {
                drop(black_box(parse(&commitment)));
            },
        );
        time(&format!("verdict, {count} non-signers"), 200, || {
            let Ok(Parsed::Certificate(certificate)) = parse(&commitment) else {
                return;
            };
            black_box(judge(&certificate, INCLUSION, &local.network, &state));
        });
    }

    beside_the_contract();
}

/// The same certificates, by us with L1's state at hand, and by the contracts; in turns.
fn beside_the_contract() {
    let network = OnChain::new(1);
    for absent in [vec![], vec![0], vec![0, 1]] {
        let count = absent.len();
        // a block at which so many may be absent
        let found = (270..400).find_map(|reference: u32| {
            let certificate = network.certificate(&Wanted {
                version: network.version_at(reference),
                reference,
                blob_version: 0,
                length: 2,
                blob_quorums: vec![0, 1],
                signed_quorums: (0..QUORUMS).collect(),
                absent: absent.clone(),
                batch: 8,
                place: 3,
            });
            let inclusion = u64::from(reference) + 10;
            let (verdict, state) = network.judge(&certificate, inclusion, false);
            let present = certificate.attestation.non_signer_keys.len() == count;
            (present && matches!(verdict, Verdict::Valid(_))).then_some((
                certificate,
                inclusion,
                state,
            ))
        });
        let Some((certificate, inclusion, state)) = found else {
            continue;
        };
        let commitment = certificate.to_commitment();
        let mut chain = network.view(inclusion);
        let mut rounds: [Vec<f64>; 2] = Default::default();
        for _ in 0..100 {
            let start = Instant::now();
            if let Ok(Parsed::Certificate(certificate)) = parse(black_box(&commitment)) {
                black_box(judge(&certificate, inclusion, &network.network, &state));
            }
            rounds[0].push(start.elapsed().as_secs_f64() * 1e3);
            let start = Instant::now();
            assert_eq!(network.ask(&mut chain, &certificate, inclusion), Ok(1));
            rounds[1].push(start.elapsed().as_secs_f64() * 1e3);
        }
        for (name, times) in ["verdict", "checkDACert in revm"].iter().zip(&mut rounds) {
            times.sort_by(f64::total_cmp);
            let line = format!(
                "{:<44} {:>10.3} ms {:>10.3} ms\n",
                format!("{name}, {count} non-signers of 6"),
                times[0],
                times[50]
            );
            let _ = io::stdout().write_all(line.as_bytes());
        }
    }
}
