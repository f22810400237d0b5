//! What EigenDA's client, validators and readers compute, beside the bare sums of points in the same run.
//!
//! `cargo bench -p doppio-bn254 -- [logarithm of the largest blob in symbols] [rounds]`: by default 2^15
//! symbols, which are 1 MiB, and 5 rounds. Smallest and median wall time.

use doppio_bn254::{
    Domain, G1, Scalar,
    bls::SecretKey,
    kzg::{commit, commit_blob},
    multiproof::{FrameClaim, verify_batch},
    reed_solomon::FrameShape,
    trapdoor::Trapdoor,
};
use halo2curves::{
    bn256::{G1Affine, G2, G2Affine},
    group::Curve,
    msm::msm_best,
};
use std::{
    hint::black_box,
    io::{self, Write},
    time::{Duration, Instant},
};

type Competitor<'a> = (&'a str, Box<dyn FnMut() + 'a>);

/// Runs all competitors in every round, each round from another one on.
fn compare(title: &str, rounds: usize, mut runs: Vec<Competitor<'_>>) {
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); runs.len()];
    for round in 0..rounds {
        for place in 0..runs.len() {
            let place = (place + round) % runs.len();
            let start = Instant::now();
            runs[place].1();
            times[place].push(start.elapsed());
        }
    }
    for ((name, _), times) in runs.iter().zip(&mut times) {
        times.sort();
        let median = times[times.len() / 2];
        let line = format!(
            "{title:<14} {name:<34} {:>10.2} ms {:>10.2} ms\n",
            times[0].as_secs_f64() * 1e3,
            median.as_secs_f64() * 1e3
        );
        let _ = io::stdout().write_all(line.as_bytes());
    }
}

fn scalars(count: usize) -> Vec<Scalar> {
    let step = Scalar::from_raw([0x9e37_79b9_7f4a_7c15, 0x1234_5678, 7, 0x0fff_ffff_ffff_ffff]);
    std::iter::successors(Some(step), |last| Some(*last * step + step))
        .take(count)
        .collect()
}

fn main() {
    let arguments: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let largest = arguments.first().copied().unwrap_or(15);
    let rounds = arguments.get(1).copied().unwrap_or(5);
    let trapdoor = Trapdoor::new(Scalar::from(20_260_309)).expect("not zero");
    let length = 1 << largest;
    let (g1, g2) = (trapdoor.g1(length), trapdoor.g2(length.min(1 << 15)));
    let key = trapdoor.verifier_key();
    let bare1: Vec<G1Affine> = different(halo2curves::bn256::G1::generator(), length);
    let bare2: Vec<G2Affine> = different(G2::generator(), g2.len());

    for log in [12, 15, 17, 19].into_iter().filter(|log| *log <= largest) {
        let symbols = 1usize << log;
        let title = format!("{} KiB", symbols / 32);
        let blob = scalars(symbols);
        let domain = Domain::new(symbols).expect("a size");
        compare(
            &title,
            rounds,
            vec![
                (
                    "commitment",
                    Box::new(|| {
                        let _ = black_box(commit(&g1, &blob));
                    }),
                ),
                (
                    "bare sum in G1",
                    Box::new(|| {
                        black_box(msm_best(&blob, &bare1[..symbols]));
                    }),
                ),
                (
                    "interpolation",
                    Box::new(|| drop(black_box(domain.interpolate(&blob)))),
                ),
            ],
        );
        if symbols <= g2.len() {
            compare(
                &title,
                rounds,
                vec![
                    (
                        "all three commitments",
                        Box::new(|| {
                            let _ = black_box(commit_blob(&g1, &g2, &g2, &blob));
                        }),
                    ),
                    (
                        "three bare sums",
                        Box::new(|| {
                            black_box(msm_best(&blob, &bare1[..symbols]));
                            black_box(msm_best(&blob, &bare2[..symbols]));
                            black_box(msm_best(&blob, &bare2[..symbols]));
                        }),
                    ),
                ],
            );
        }
        let shape = FrameShape::new(8192, (symbols / 1024).max(1)).expect("a shape");
        let frames = shape.encode(&blob).expect("it fits");
        let proofs = trapdoor.prove_frames(&shape, &blob, &frames);
        let commitment = trapdoor.commit(&blob);
        let claims: Vec<FrameClaim<'_>> = (0..8192)
            .map(|index| FrameClaim {
                commitment,
                index,
                frame: &frames[index],
                proof: proofs[index],
            })
            .collect();
        let needed = shape.needed(symbols).expect("it fits");
        let some: Vec<(usize, &[Scalar])> = (0..needed)
            .map(|n| (8191 - 3 * n, frames[8191 - 3 * n].as_slice()))
            .collect();
        compare(
            &title,
            rounds,
            vec![
                (
                    "8192 frames",
                    Box::new(|| drop(black_box(shape.encode(&blob)))),
                ),
                (
                    "8192 proofs, by the trapdoor",
                    Box::new(|| drop(black_box(trapdoor.prove_frames(&shape, &blob, &frames)))),
                ),
                (
                    "1024 frames verified",
                    Box::new(|| {
                        verify_batch(&key, &g1, &shape, &claims[..1024]).expect("they hold");
                    }),
                ),
                (
                    "8192 frames verified",
                    Box::new(|| verify_batch(&key, &g1, &shape, &claims).expect("they hold")),
                ),
                (
                    "decoded from an eighth",
                    Box::new(|| drop(black_box(shape.decode(symbols, &some)))),
                ),
            ],
        );
    }

    let secret = SecretKey::new(Scalar::from(7)).expect("not zero");
    let (hash, public) = ([5; 32], secret.public());
    let signature = secret.sign(&hash);
    let file = g1.to_compressed();
    compare(
        "one",
        rounds,
        vec![
            (
                "BLS signature verified",
                Box::new(|| {
                    black_box(doppio_bn254::bls::verify(&public.g2, &hash, &signature));
                }),
            ),
            (
                "point of G1 read, 4096 times",
                Box::new(|| {
                    for bytes in file.chunks(32).take(4096) {
                        black_box(G1::from_compressed(bytes)).expect("a point");
                    }
                }),
            ),
        ],
    );
}

/// As many different points.
fn different<C: Curve>(step: C, count: usize) -> Vec<C::AffineRepr>
where
    C::AffineRepr: Clone + Default,
{
    let projective: Vec<C> = std::iter::successors(Some(step), |last| Some(last.double() + step))
        .take(count)
        .collect();
    let mut points = vec![C::AffineRepr::default(); count];
    C::batch_normalize(&projective, &mut points);
    points
}
