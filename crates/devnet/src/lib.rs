//! x
pub mod blobs;
mod anvil; mod error; mod hardforks; mod keys; mod process; mod programs; mod rpc; mod supersim; mod wallet;
pub use error::DevnetError; pub use hardforks::{ForkSchedule, L1Hardfork}; pub use keys::*; pub use programs::*; pub use rpc::*; pub use supersim::*; pub use wallet::*;
pub const ROLLUP_START: u64 = 1;
#[cfg(test)]
mod probe {
    use super::*;
    #[tokio::test]
    async fn probe() {
        let p = Programs::find().unwrap();
        let t = std::time::Instant::now();
        let s = Supersim::open(&p.supersim).unwrap();
        eprintln!("open {:?}", t.elapsed());
        let g = s.genesis(900).unwrap();
        eprintln!("900 {:?}", t.elapsed());
        let _ = s.genesis(901).unwrap();
        eprintln!("901 {:?}", t.elapsed());
        let _ = s.genesis(905).unwrap();
        eprintln!("905 {:?}", t.elapsed());
        eprintln!("{:?} {:?}", s.contracts(901).unwrap(), t.elapsed());
        let g = hardforks::l1_genesis(g, L1Hardfork::Bpo2, 1_795_000_000);
        std::fs::create_dir_all("/tmp/probe/x").unwrap();
        std::fs::write("/tmp/probe/x/g.json", g.to_string()).unwrap();
        let t = std::time::Instant::now();
        let a = anvil::Anvil::start(&p, std::path::Path::new("/tmp/probe/x"), &anvil::Origin::Genesis("/tmp/probe/x/g.json".into()), L1Hardfork::Bpo2, 4).await.unwrap();
        eprintln!("anvil {:?}", t.elapsed());
        let rpc = Rpc::new(a.url()).unwrap();
        rpc.call("anvil_setBlockTimestampInterval", serde_json::json!([2])).await.unwrap();
        rpc.call("evm_mine", serde_json::json!([])).await.unwrap();
        let w = Wallet::new(rpc.clone(), 900, Account::user(0).unwrap());
        let t = std::time::Instant::now();
        let blob = doppio_protocol::blob::encode_blob(&vec![7; 100_000]).unwrap();
        let blob2 = doppio_protocol::blob::encode_blob(&vec![8; 100_000]).unwrap();
        let h1 = w.send_blobs(alloy_primitives::Address::ZERO, vec![blob.clone()], SidecarForm::Blob).await.unwrap();
        eprintln!("blob {:?}", t.elapsed());
        let t = std::time::Instant::now();
        let h2 = w.send_blobs(alloy_primitives::Address::ZERO, vec![blob2.clone(),blob2], SidecarForm::Cells).await.unwrap();
        eprintln!("cells {:?}", t.elapsed());
        rpc.call("evm_mine", serde_json::json!([])).await.unwrap();
        let r1 = rpc.receipt(h1).await.unwrap(); let r2 = rpc.receipt(h2).await.unwrap();
        eprintln!("{r1:?} {r2:?}");
        let b = rpc.call("eth_getBlockByNumber", serde_json::json!(["0x2", true])).await.unwrap();
        for t in b["transactions"].as_array().unwrap() {
            for (k, v) in t.as_object().unwrap() { let s = v.to_string(); eprintln!("  {k}: {} ({})", &s[..s.len().min(100)], s.len()); }
        }
        for m in ["anvil_getBlobsByTransactionHash"] {
            let b = rpc.call(m, serde_json::json!([h2])).await.unwrap().to_string(); eprintln!("{m} {} {}", &b[..60], b.len());
        }
        let q = rpc.call("eth_getRawTransactionByHash", serde_json::json!([h2])).await.unwrap().to_string(); eprintln!("raw {} {}", &q[..60], q.len());
        // reorg with blob tx kept
        let raw = rpc.call("eth_getRawTransactionByHash", serde_json::json!([h1])).await.unwrap();
        let r = rpc.call("anvil_reorg", serde_json::json!([1, [[raw, 0]]])).await; eprintln!("reorg {r:?}");
        let r1 = rpc.receipt(h1).await.unwrap(); eprintln!("{r1:?} {:?}", rpc.receipt(h2).await.unwrap());
        let http = doppio_rpc::Http::new();
        for path in ["/eth/v1/beacon/blobs/2", "/eth/v1/beacon/blobs/0x2"] {
        let x = http.get(&doppio_rpc::Target::parse(a.url()).unwrap(), path, 1<<25, std::time::Duration::from_secs(3)).await.unwrap(); eprintln!("{} {}", x.status, x.body.len()); }
        rpc.call("evm_mine", serde_json::json!([])).await.unwrap();
        let r1 = rpc.receipt(h2).await.unwrap(); eprintln!("h2 back? {r1:?}");
        let t = std::time::Instant::now();
        let d: String = rpc.get("anvil_dumpState", serde_json::json!([true])).await.unwrap();
        eprintln!("dump {} {:?}", d.len(), t.elapsed());
        let bytes: alloy_primitives::Bytes = d.parse().unwrap();
        std::fs::write("/tmp/probe/x/state.gz", &bytes).unwrap();
        let head = rpc.block_at("latest").await.unwrap();
        drop(a);
        for f in ["state.gz"] {
            let mut v = Vec::new();
            { use std::io::Read; let _ = std::process::Command::new("gunzip").args(["-kf", "/tmp/probe/x/state.gz"]).status(); std::fs::File::open("/tmp/probe/x/state").unwrap().read_to_end(&mut v).unwrap(); }
            eprintln!("{f} {}", v.len());
            let t = std::time::Instant::now();
            let a = anvil::Anvil::start(&p, std::path::Path::new("/tmp/probe/x"), &anvil::Origin::State("/tmp/probe/x/state".into()), L1Hardfork::Bpo2, 4).await.unwrap();
            eprintln!("anvil {:?}", t.elapsed());
            let rpc = Rpc::new(a.url()).unwrap();
            rpc.call("anvil_setBlockTimestampInterval", serde_json::json!([2])).await.unwrap();
            eprintln!("{head:?} {:?}", rpc.block_at("latest").await.unwrap());
            rpc.call("evm_mine", serde_json::json!([])).await.unwrap();
            eprintln!("{:?}", rpc.block_at("latest").await.unwrap());
            eprintln!("{:?}", rpc.receipt(h1).await.unwrap());
            let pr = rpc.call("eth_getProof", serde_json::json!([Account::user(0).unwrap().address, [], "0x2"])).await; eprintln!("{:?}", pr.is_ok());
            let x = http.get(&doppio_rpc::Target::parse(a.url()).unwrap(), "/eth/v1/beacon/blobs/2", 1<<25, std::time::Duration::from_secs(3)).await.unwrap(); eprintln!("{} {}", x.status, x.body.len()); 
        }
    }
}
