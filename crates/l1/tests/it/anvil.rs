//! A live L1 beside recorded ones: anvil, from the folder that `DOPPIO_PEERS` names.

use crate::fake::{Chain, RUNTIME};
use alloy_primitives::{Address, B256, U256, address};
use doppio_l1::{
    Follower, FollowerOptions, L1Event, L1Options, L1Source,
    verify::{BlockAt, Label},
};
use doppio_protocol::{block::BlockId, config::RollupConfig};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
};

const CONTRACT: Address = address!("0x00000000000000000000000000000000000c0de1");
/// The first of anvil's accounts.
const ACCOUNT: Address = address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

struct Anvil {
    process: Child,
    address: String,
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Anvil {
    fn start() -> Option<Self> {
        let program =
            std::env::var_os("DOPPIO_PEERS").map(|peers| PathBuf::from(peers).join("anvil"));
        let Some(program) = program.filter(|program| program.is_file()) else {
            // not through `eprintln!`, which the test harness swallows
            let _ = writeln!(
                std::io::stderr(),
                "\n*** NOT TESTED: L1 access beside anvil; set DOPPIO_PEERS to a folder that has it ***"
            );
            return None;
        };
        let mut process = Command::new(program)
            .args(["--port", "0", "--chain-id", "900", "--no-mining"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut lines = output.lines().map_while(Result::ok);
        let address = lines
            .find_map(|line| Some(line.split_once("Listening on ")?.1.trim().to_owned()))
            .unwrap();
        // Whoever does not read on may stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { process, address })
    }

    fn call(&self, method: &str, params: Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let json = answer.split_once("\r\n\r\n").unwrap().1;
        let answer: Value = serde_json::from_str(json).unwrap();
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// A source for a rollup whose inbox is the contract.
    fn source(&self, rollup: Arc<RollupConfig>) -> L1Source {
        let options = L1Options {
            endpoints: vec![format!("http://{}", self.address)],
            ..L1Options::default()
        };
        L1Source::new(rollup, options).unwrap()
    }
}

#[test]
fn anvil_is_followed_through_its_transactions_proofs_and_reorganisations() {
    let (Some(anvil), Some(chain)) = (Anvil::start(), Chain::open("hostile-inbox")) else {
        return;
    };
    // Blocks that replace others would otherwise all have one time.
    anvil.call("anvil_setBlockTimestampInterval", json!([1]));
    // LOG1(0, 32, 7), and the calldata into slot 0
    anvil.call("anvil_setCode", json!([CONTRACT, "0x5f355f55600760205fa1"]));
    let fees = [
        json!({"type": "0x0", "gasPrice": "0x77359400"}),
        json!({"type": "0x1", "gasPrice": "0x77359400", "accessList": [{"address": CONTRACT, "storageKeys": [B256::ZERO]}]}),
        json!({"type": "0x2", "maxFeePerGas": "0x77359400", "maxPriorityFeePerGas": "0x1"}),
    ];
    for block in 0..30u64 {
        for fee in &fees {
            let mut tx = json!({"from": ACCOUNT, "to": CONTRACT, "gas": "0x186a0", "data": B256::with_last_byte(9)});
            tx.as_object_mut()
                .unwrap()
                .extend(fee.as_object().unwrap().clone());
            if block % 3 == 0 {
                anvil.call("eth_sendTransaction", json!([tx]));
            }
        }
        anvil.call("evm_mine", json!([]));
    }
    let mut rollup = RollupConfig::clone(&chain.rollup());
    rollup.batch_inbox_address = CONTRACT;
    let source = anvil.source(Arc::new(rollup));
    let run = |follower: &mut Follower| RUNTIME.block_on(follower.next()).unwrap();
    let header = |at| RUNTIME.block_on(source.header(at)).unwrap().unwrap();
    assert_eq!(RUNTIME.block_on(source.chain_id()).unwrap(), 900);
    let start: BlockId = header(BlockAt::Number(0)).id();
    let mut follower = Follower::new(source.clone(), start, FollowerOptions::default());
    let (mut inbox, mut logs) = (0, 0);
    for number in 1..=30 {
        let L1Event::Block(block) = run(&mut follower) else {
            panic!("{number}")
        };
        assert_eq!(block.header.number, number);
        inbox += block.inbox.len();
        logs += block.logs().count();
    }
    assert_eq!((inbox, logs), (30, 30));
    assert!(matches!(run(&mut follower), L1Event::AtHead));
    assert_eq!(source.endpoints()[0].falsehoods, 0);

    let head = header(BlockAt::Label(Label::Latest));
    let slots = [B256::ZERO, B256::with_last_byte(1)];
    let proof = RUNTIME.block_on(source.proof(&head, CONTRACT, &slots));
    let proof = proof.unwrap().unwrap();
    assert!(proof.account.unwrap().has_code());
    assert_eq!(proof.storage, [U256::from(9), U256::ZERO]);
    let nobody = Address::repeat_byte(0x77);
    let proof = RUNTIME.block_on(source.proof(&head, nobody, &[]));
    assert_eq!(proof.unwrap().unwrap().account, None);

    let before = follower.tip();
    anvil.call("anvil_reorg", json!([5, []]));
    anvil.call("evm_mine", json!([]));
    let L1Event::Reorg(reorg) = run(&mut follower) else {
        panic!()
    };
    assert_eq!((reorg.old, reorg.depth()), (before, 5));
    for number in 26..=31 {
        let L1Event::Block(block) = run(&mut follower) else {
            panic!("{number}")
        };
        assert_eq!(block.header.number, number);
    }
}
