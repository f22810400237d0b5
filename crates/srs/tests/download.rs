//! Downloads from a server that breaks off, goes away, or serves something else.

use core::time::Duration;
use doppio_bn254::{G1, Scalar, trapdoor::Trapdoor};
use doppio_rpc::Http;
use doppio_srs::{BringError, Patience, ReadError, SrsFile, bring, g1};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const NAME: &str = "g1.point";
const QUICK: Patience = Patience {
    piece: Duration::from_secs(10),
    attempts: 4,
    pause: Duration::from_millis(1),
};

/// How a server answers its n-th request.
#[derive(Clone, Copy)]
enum Mood {
    Good,
    /// Half of what it announced.
    Half,
    /// Nothing: the connection ends.
    Gone,
    /// An error of its own.
    Error,
    /// The whole file, as if nobody had asked for a part.
    Whole,
}

struct Server {
    url: String,
    requests: Arc<AtomicUsize>,
    served: Arc<AtomicU64>,
}

/// A server of one file; from the last mood on all are like it.
async fn serve(content: Vec<u8>, moods: Vec<Mood>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/kzg", listener.local_addr().unwrap());
    let (requests, served) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
    let (count, sent) = (requests.clone(), served.clone());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).await.unwrap_or(0) == 0 {
                    break;
                }
                request.extend(byte);
            }
            let request = String::from_utf8(request).unwrap();
            assert!(request.starts_with("GET /kzg/g1.point "), "{request}");
            let range = request.to_lowercase();
            let (_, range) = range.split_once("range: bytes=").unwrap();
            let (first, last) = range.lines().next().unwrap().split_once('-').unwrap();
            let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
            let n = count.fetch_add(1, Ordering::SeqCst);
            let part = &content[first..=last];
            let (status, announced, body): (_, _, &[u8]) = match moods[n.min(moods.len() - 1)] {
                Mood::Good => ("206 Partial Content", part.len(), part),
                Mood::Half => ("206 Partial Content", part.len(), &part[..part.len() / 2]),
                Mood::Gone => continue,
                Mood::Error => ("503 Service Unavailable", 0, &[]),
                Mood::Whole => ("200 OK", content.len(), &content),
            };
            sent.fetch_add(body.len() as u64, Ordering::SeqCst);
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {announced}\r\nconnection: close\r\n\r\n"
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(body).await;
        }
    });
    Server {
        url,
        requests,
        served,
    }
}

/// Some powers, more than fit a piece, and the file that holds them.
fn powers() -> (Vec<u8>, SrsFile) {
    static POWERS: OnceLock<(Vec<u8>, SrsFile)> = OnceLock::new();
    let made = POWERS.get_or_init(|| {
        let srs = Trapdoor::new(Scalar::from(77)).unwrap().g1(40_000);
        let file = SrsFile {
            name: NAME,
            digest: srs.digest(),
            point: G1::COMPRESSED,
        };
        (srs.to_compressed(), file)
    });
    made.clone()
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("srs")
        .join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

async fn download(server: &Server, file: &SrsFile, folder: &Path) -> Result<PathBuf, BringError> {
    bring(&Http::new(), &server.url, file, folder, QUICK, |_, _| ()).await
}

#[tokio::test]
async fn a_download_that_breaks_off_goes_on_where_it_was() {
    let (content, file) = powers();
    let folder = folder("resume");
    // the first piece comes, then nothing any more: half a piece is no piece
    let server = serve(content.clone(), vec![Mood::Good, Mood::Half, Mood::Gone]).await;
    let error = download(&server, &file, &folder).await.unwrap_err();
    assert!(
        matches!(
            error,
            BringError::Http {
                have: 1_048_576,
                all: 1_280_000,
                ..
            }
        ),
        "{error}"
    );
    assert!(!folder.join(NAME).exists());

    let server = serve(
        content.clone(),
        vec![Mood::Error, Mood::Half, Mood::Gone, Mood::Good],
    )
    .await;
    let mut seen = Vec::new();
    let http = Http::new();
    let path = bring(&http, &server.url, &file, &folder, QUICK, |have, _| {
        seen.push(have);
    });
    let path = path.await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), content);
    assert_eq!(seen, [1_048_576, 1_280_000]);
    // nothing that was on disk came once more: the rest, and half a piece that broke off
    let rest = content.len() as u64 - (1 << 20);
    assert_eq!(server.served.load(Ordering::SeqCst), rest + rest / 2);
    assert!(!folder.join("g1.point.part").exists());

    // what is there is not asked for again
    let asked = server.requests.load(Ordering::SeqCst);
    download(&server, &file, &folder).await.unwrap();
    assert_eq!(server.requests.load(Ordering::SeqCst), asked);
}

#[tokio::test]
async fn another_content_is_refused_and_removed() {
    let (content, file) = powers();
    for place in [0, content.len() - 1] {
        let folder = folder(&format!("wrong{place}"));
        let mut changed = content.clone();
        changed[place] ^= 1;
        let server = serve(changed.clone(), vec![Mood::Good]).await;
        let error = download(&server, &file, &folder).await.unwrap_err();
        assert!(matches!(error, BringError::Digest(NAME)), "{error}");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        // a wrong beginning on disk ends the same, and the next attempt is a good one
        std::fs::write(folder.join("g1.point.part"), &changed[..500_000]).unwrap();
        let server = serve(content.clone(), vec![Mood::Good]).await;
        let resumed = download(&server, &file, &folder).await;
        assert_eq!(resumed.is_ok(), place != 0);
        // too much on disk is begun anew
        let _ = std::fs::remove_file(folder.join(NAME));
        std::fs::write(folder.join("g1.point.part"), vec![0; content.len() + 1]).unwrap();
        download(&server, &file, &folder).await.unwrap();
        // and a file that was damaged later is removed, not used
        std::fs::write(folder.join(NAME), &changed).unwrap();
        let error = download(&server, &file, &folder).await.unwrap_err();
        assert!(matches!(error, BringError::Digest(NAME)), "{error}");
        assert!(!folder.join(NAME).exists());
    }
}

#[tokio::test]
async fn a_server_without_parts_is_refused() {
    let (content, file) = powers();
    let server = serve(content, vec![Mood::Whole]).await;
    let error = download(&server, &file, &folder("whole"))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            BringError::Http { have: 0, .. } | BringError::Answer { status: 200, .. }
        ),
        "{error}"
    );
}

#[test]
fn a_cache_is_made_and_read_and_never_trusted() {
    let (content, file) = powers();
    let folder = folder("cache");
    assert!(matches!(g1(&folder, &file), Err(ReadError::Disk { .. })));
    std::fs::write(folder.join(NAME), &content).unwrap();
    let srs = g1(&folder, &file).unwrap();
    let cache = folder.join("g1.point.cache");
    assert_eq!(std::fs::read(&cache).unwrap(), srs.to_cache());
    // the cache alone is enough
    std::fs::remove_file(folder.join(NAME)).unwrap();
    assert_eq!(g1(&folder, &file).unwrap(), srs);
    // and counts for nothing when it is damaged
    let mut damaged = srs.to_cache();
    damaged[100] ^= 1;
    std::fs::write(&cache, damaged).unwrap();
    assert!(matches!(g1(&folder, &file), Err(ReadError::Disk { .. })));
    std::fs::write(folder.join(NAME), &content[32..]).unwrap();
    assert!(matches!(g1(&folder, &file), Err(ReadError::Srs { .. })));
    std::fs::write(folder.join(NAME), &content).unwrap();
    assert_eq!(g1(&folder, &file).unwrap(), srs);
}

/// What the sheet says of the three files (2.6).
#[test]
fn the_ceremonys_files_have_their_published_sizes() {
    use doppio_srs::{CEREMONY_G1, CEREMONY_G2, CEREMONY_G2_TRAILING};
    let sizes = [CEREMONY_G1, CEREMONY_G2, CEREMONY_G2_TRAILING].map(|file| file.bytes());
    assert_eq!(sizes, [16_777_216, 33_554_432, 33_554_432]);
}
