//! A network of four validators, and an L1 block with the authenticator's history.

use alloy_primitives::Bytes;
use doppio_bn254::{G1, Scalar};
use doppio_espresso::{
    block_merkle::BlockTree,
    bls::{SecretKey, write_key, write_signature},
    certificate::{
        Certificate, FinalCertificate, FinalData, QuorumData, Signatures, Signers, VoteData,
    },
    epochs::Epochs,
    finality::{Finality, LeafProof},
    header::{Header, HeaderFields},
    leaf::Leaf,
    namespace::{NsTable, write_transactions},
    portable::HotShotEvidence,
    stake_table::{StakeTable, StakeTableEntry},
    tagged::{BlockHash, Commit, MerkleCommitment},
    vid::{self, Scheme, VidParams},
};
use doppio_test_vectors::Vectors;

/// L1 blocks up to which the history is known.
pub(crate) const L1_BLOCKS: u64 = 50;

/// A namespace of somebody else, in every block.
const OTHER: (u32, &[u8]) = (7, b"\x01\0\0\0\x02\0\0\0hi");

pub(crate) struct Network {
    keys: Vec<SecretKey>,
    others: Vec<SecretKey>,
    namespace: u64,
    payloads: Vec<Bytes>,
    headers: Vec<Header>,
}

fn keys(from: u64) -> Vec<SecretKey> {
    (from..from + 4)
        .map(|n| SecretKey::new(Scalar::from(n)).unwrap())
        .collect()
}

fn table(keys: &[SecretKey]) -> StakeTable {
    let entry = |key: &SecretKey| StakeTableEntry {
        stake_key: write_key(&key.public()),
        stake_amount: alloy_primitives::U256::ONE,
    };
    StakeTable::new(keys.iter().map(entry).collect()).unwrap()
}

fn params() -> VidParams {
    VidParams::new(4, 2).unwrap()
}

impl Network {
    /// Blocks from height 1 on, each with these transactions of the namespace.
    pub(crate) fn new(namespace: u64, transactions: &[Vec<Bytes>]) -> Self {
        let vectors = Vectors::find("espresso").unwrap();
        let base: Header = serde_json::from_value(
            vectors.json("espresso-network-2026/mainnet_header_26050100.json"),
        )
        .unwrap();
        let mut network = Self {
            keys: keys(11),
            others: keys(21),
            namespace,
            payloads: Vec::new(),
            headers: Vec::new(),
        };
        for height in 0..=transactions.len() + 1 {
            let own = height.checked_sub(1).and_then(|at| transactions.get(at));
            network.append(&base, own.map_or(&[], Vec::as_slice));
        }
        network
    }

    fn append(&mut self, base: &Header, transactions: &[Bytes]) {
        let height = self.headers.len() as u64;
        let mut payload = OTHER.1.to_vec();
        let mut namespaces = vec![(OTHER.0, OTHER.1.len())];
        if !transactions.is_empty() {
            let own = write_transactions(transactions).unwrap();
            namespaces.push((self.namespace as u32, own.len()));
            payload.extend_from_slice(&own);
        }
        let table = NsTable::new(&namespaces).unwrap();
        let commitment = vid::commit(Scheme::AvidmGf2, params(), &table, &payload).unwrap();
        let tree = BlockTree::new(&self.hashes());
        let header = base.with(|fields| {
            fields.height = height;
            fields.ns_table = table;
            fields.payload_commitment = commitment;
            fields.block_merkle_tree_root = tree.commitment();
            if let Some(finalized) = &mut fields.l1_finalized {
                finalized.number = height;
            }
        });
        self.headers.push(header.unwrap());
        self.payloads.push(payload.into());
    }

    fn hashes(&self) -> Vec<BlockHash> {
        self.headers.iter().map(Header::commit).collect()
    }

    /// The tree of all blocks.
    pub(crate) fn tree(&self) -> MerkleCommitment {
        BlockTree::new(&self.hashes()[..self.headers.len() - 1]).commitment()
    }

    pub(crate) fn epochs(&self) -> Epochs {
        self.epochs_of(100)
    }

    pub(crate) fn epochs_of(&self, blocks: u64) -> Epochs {
        Epochs::new(blocks, 5)
            .with(1, table(&self.keys))
            .with(2, table(&self.keys))
    }

    pub(crate) fn other_table(&self) -> StakeTable {
        table(&self.others)
    }

    fn certify_by<D: VoteData>(
        keys: &[SecretKey],
        data: D,
        view: u64,
        who: &[usize],
    ) -> Certificate<D> {
        let unsigned = Certificate::new(data, view, None);
        let message = unsigned.message();
        let signature: G1 = who.iter().map(|at| keys[*at].sign(&message)).sum();
        let signed: Vec<bool> = (0..keys.len()).map(|at| who.contains(&at)).collect();
        let signatures = Signatures(write_signature(&signature), Signers::new(&signed));
        Certificate {
            signatures: Some(signatures),
            ..unsigned
        }
    }

    /// A certificate by these validators.
    pub(crate) fn certify(&self, data: FinalData, view: u64, who: &[usize]) -> FinalCertificate {
        Self::certify_by(&self.keys, data, view, who)
    }

    fn leaf(&self, header: Header) -> Leaf {
        let view = header.height() + 10;
        let parent = Commit([3; 32]);
        let data = QuorumData {
            leaf_commit: parent,
            epoch: Some(1),
            block_number: header.height().checked_sub(1),
        };
        Leaf {
            view_number: view,
            justify_qc: Self::certify_by(&self.keys, data, view - 1, &[0, 1, 3]),
            next_epoch_justify_qc: None,
            parent_commitment: parent,
            block_header: header,
            upgrade_certificate: None,
            block_payload: None,
            view_change_evidence: None,
            next_drb_result: None,
            with_epoch: true,
        }
    }

    fn prove(&self, keys: &[SecretKey], leaf: Leaf) -> LeafProof {
        let (leaf_commit, block_number) = (leaf.commit(), leaf.block_header.height());
        let view = leaf.view_number;
        let data = FinalData {
            leaf_commit,
            epoch: 1,
            block_number,
        };
        let quorum = QuorumData {
            leaf_commit,
            epoch: Some(1),
            block_number: Some(block_number),
        };
        let proof = Finality::NewProtocol {
            cert2: Self::certify_by(keys, data, view, &[0, 1, 2]),
            leaf_qc: Box::new(Self::certify_by(keys, quorum, view, &[1, 2, 3])),
        };
        LeafProof {
            leaves: vec![leaf],
            proof,
        }
    }

    /// That the last block is final.
    pub(crate) fn leaf_proof(&self) -> LeafProof {
        self.leaf_proof_of(self.headers.len() as u64 - 1)
    }

    /// That a block is final.
    pub(crate) fn leaf_proof_of(&self, height: u64) -> LeafProof {
        self.leaf_proof_with(height, |_| {})
    }

    /// That a block with another header would be final.
    pub(crate) fn leaf_proof_with(
        &self,
        height: u64,
        change: impl FnOnce(&mut HeaderFields),
    ) -> LeafProof {
        let header = self.headers[height as usize].with(change).unwrap();
        self.prove(&self.keys, self.leaf(header))
    }

    /// The same, signed by others.
    pub(crate) fn signed_by_others(&self, proof: &LeafProof) -> LeafProof {
        self.prove(&self.others, proof.leaves[0].clone())
    }

    /// A block below the last.
    pub(crate) fn evidence(&self, height: u64) -> HotShotEvidence {
        let below = &self.hashes()[..self.headers.len() - 1];
        let path = BlockTree::path(below, height).unwrap().0;
        let at = height as usize;
        let header = self.headers[at].clone();
        let table = &header.fields().ns_table;
        let namespace = vid::prove_namespace(
            Scheme::AvidmGf2,
            params(),
            table,
            &self.payloads[at],
            self.namespace,
        );
        HotShotEvidence {
            path: Some(path.iter().map(|level| level.map(Into::into)).collect()),
            namespace,
            header,
        }
    }
}

/// L1, as far as it is needed.
pub(crate) mod l1 {
    use super::L1_BLOCKS;
    use alloy_consensus::Header;
    use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};
    use alloy_trie::{HashBuilder, Nibbles, TrieAccount, proof::ProofRetainer};
    use doppio_espresso::portable::{BatcherProof, HISTORY_SLOT, checkpoint_slot};
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    pub(crate) const AUTHENTICATOR: Address = address!("00000000000000000000000000000000e5ba0001");

    /// A trie's root, and the proof of each key.
    fn trie(entries: &BTreeMap<B256, Vec<u8>>) -> (B256, BTreeMap<B256, Vec<Bytes>>) {
        let keys: Vec<Nibbles> = entries.keys().map(Nibbles::unpack).collect();
        let mut builder =
            HashBuilder::default().with_proof_retainer(ProofRetainer::new(keys.clone()));
        for (key, value) in entries {
            builder.add_leaf(Nibbles::unpack(key), value);
        }
        let root = builder.root();
        let nodes = builder.take_proof_nodes();
        let proof = |key: &Nibbles| {
            nodes
                .matching_nodes_sorted(key)
                .into_iter()
                .map(|(_, node)| node)
                .collect()
        };
        (
            root,
            entries
                .keys()
                .copied()
                .zip(keys.iter().map(proof))
                .collect(),
        )
    }

    fn storage(changes: &[(u64, Address)]) -> Vec<(B256, U256)> {
        let element = |(at, (from, batcher)): (usize, &(u64, Address))| {
            let mut bytes = [0; 32];
            bytes[..20].copy_from_slice(batcher.as_slice());
            bytes[24..].copy_from_slice(&from.to_be_bytes());
            (checkpoint_slot(at as u64), U256::from_be_bytes(bytes))
        };
        let mut slots = vec![(HISTORY_SLOT, U256::from(changes.len()))];
        slots.extend(changes.iter().enumerate().map(element));
        slots
    }

    fn state(changes: &[(u64, Address)]) -> (Header, Value, BTreeMap<B256, Vec<Bytes>>) {
        let encode = |(slot, value): (B256, U256)| (keccak256(slot), alloy_rlp::encode(value));
        let slots: BTreeMap<B256, Vec<u8>> = storage(changes).into_iter().map(encode).collect();
        let (storage_root, proofs) = trie(&slots);
        let account = TrieAccount {
            nonce: 1,
            balance: U256::ZERO,
            storage_root,
            code_hash: keccak256("code"),
        };
        let key = keccak256(AUTHENTICATOR);
        let other = keccak256(address!("00000000000000000000000000000000000000ff"));
        let accounts = [
            (key, alloy_rlp::encode(account)),
            (other, alloy_rlp::encode(account)),
        ];
        let (state_root, account_proofs) = trie(&accounts.into_iter().collect());
        let json = json!({
            "address": AUTHENTICATOR,
            "balance": "0x0",
            "codeHash": account.code_hash,
            "nonce": "0x1",
            "storageHash": storage_root,
            "accountProof": account_proofs[&key],
        });
        let header = Header {
            state_root,
            number: L1_BLOCKS,
            ..Header::default()
        };
        (header, json, proofs)
    }

    pub(crate) fn block_hash(changes: &[(u64, Address)]) -> B256 {
        state(changes).0.hash_slow()
    }

    pub(crate) fn batcher_proof(changes: &[(u64, Address)]) -> BatcherProof {
        part_of_batcher_proof(changes, 0, changes.len() as u64)
    }

    pub(crate) fn part_of_batcher_proof(
        changes: &[(u64, Address)],
        first: u64,
        count: u64,
    ) -> BatcherProof {
        let (header, mut proof, proofs) = state(changes);
        let shown: Vec<B256> = (first..first + count).map(checkpoint_slot).collect();
        let slots = storage(changes).into_iter();
        let slots = slots.filter(|(slot, _)| *slot == HISTORY_SLOT || shown.contains(slot));
        let slot = |(slot, value): (B256, U256)| json!({"key": slot, "value": value, "proof": proofs[&keccak256(slot)]});
        proof["storageProof"] = slots.map(slot).collect();
        BatcherProof {
            l1_header: alloy_rlp::encode(&header).into(),
            first,
            count,
            proof,
        }
    }
}
