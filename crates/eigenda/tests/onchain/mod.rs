//! An EigenDA network on an EVM: its contracts, operators who come, go and change their stakes, and
//! certificates that they sign.
//!
//! What happens is drawn from a seed. A model beside the contracts remembers who had which stake when;
//! certificates are signed by the model, and the places in the histories are asked of the contracts.

pub(crate) mod chain;
pub(crate) mod draw;

use crate::local;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::sol;
use chain::Chain;
use doppio_bn254::{
    G1, G2, Scalar,
    bls::{PublicKey, SecretKey, hash_to_point},
};
use doppio_eigenda::{
    Certificate, Network, Verdict,
    blob::PolynomialForm,
    certificate::{Attestation, BatchHeader, BlobInclusion, Version},
    coordinates::{G1Coordinates, G2Coordinates},
    judge,
    merkle::Tree,
    network::{Rules, StaleStakes, Verifier},
    state::{At, KnownState},
    verdict::Needs,
};
use draw::Draw;
use std::collections::BTreeMap;

sol! {
    struct SolG1 { uint256 x; uint256 y; }
    struct SolG2 { uint256[2] x; uint256[2] y; }
    struct Registration { SolG1 signature; SolG1 key; SolG2 key2; }
    struct Thresholds { uint8 confirmation; uint8 adversary; }
    struct Parameters { uint32 maxNumOperators; uint32 numChunks; uint8 codingRate; }
    struct Indices {
        uint32[] bitmaps;
        uint32[] keys;
        uint32[] totals;
        uint32[][] stakes;
    }

    function setStake(address operator, uint8 quorum, uint96 stake);
    function createQuorum(uint32 most, uint96 minimumStake);
    function pubkeyRegistrationMessage(address operator) returns (bytes32);
    function registerOperator(bytes quorums, string socket, Registration registration);
    function deregisterOperator(bytes quorums);
    function updateOperators(address[] operators);
    function updateOperatorsForQuorum(address[][] operators, bytes quorums);
    function setStaleStakesForbidden(bool forbidden);
    function addCertVerifier(uint32 from, address verifier);
    function getCertVerifierAt(uint32 reference) returns (address);
    function getCheckSignaturesIndices(
        address coordinator, uint32 reference, bytes quorums, bytes32[] nonSigners
    ) returns (Indices);
    function checkDACert(bytes certificate) returns (uint8);
}

/// How many quorums there are.
pub(crate) const QUORUMS: u8 = 3;
const OPERATORS: usize = 6;
/// When history begins.
const FIRST: u64 = 100;
/// From which blocks on which verifier holds.
const THIRD_FROM: u32 = 170;
const FOURTH_FROM: u32 = 260;
const STRICT_FROM: u32 = 420;
/// Stakes must be this young where stale ones are forbidden, in blocks.
const DELAY: u64 = 60;
/// Whose contracts they are.
const OWNER: Address = Address::repeat_byte(0x0d);

struct Operator {
    scalar: Scalar,
    secret: SecretKey,
    key: PublicKey,
    id: B256,
    address: Address,
}

/// The stake of each operator in each quorum, after a block.
type Stakes = BTreeMap<u8, BTreeMap<usize, u64>>;

/// The contracts, and what happened.
pub(crate) struct OnChain {
    operators: Vec<Operator>,
    stakes: Stakes,
    /// Contracts and stakes after each block in which something happened.
    past: Vec<(Chain, Stakes)>,
    chain: Chain,
    pub(crate) network: Network,
    delegation: Address,
    pub(crate) coordinator: Address,
    manager: Address,
    retriever: Address,
    strict: Address,
}

fn solidity(point: &G1) -> SolG1 {
    let G1Coordinates { x, y } = G1Coordinates::of(point);
    SolG1 { x, y }
}

impl OnChain {
    /// A network with the history that a seed gives.
    pub(crate) fn new(seed: u64) -> Self {
        let mut this = Self::deploy();
        let mut draw = Draw::new(seed);
        for operator in 0..OPERATORS {
            this.join(operator, &mut draw);
        }
        while this.chain.block < 460 {
            this.next_block(draw.below(12) + u64::from(draw.below(4) > 0));
            for _ in 0..=draw.below(2) {
                this.something_happens(&mut draw);
            }
        }
        this.next_block(1);
        this
    }

    /// The contracts, without operators.
    pub(crate) fn deploy() -> Self {
        let mut chain = Chain::at(FIRST);
        let delegation = chain.deploy(OWNER, "DelegationManager", &(U256::from(DELAY),));
        // the fifth contract from here
        let coordinator = OWNER.create(5);
        let stakes = chain.deploy(OWNER, "StakeRegistry", &(coordinator, delegation));
        let keys = chain.deploy(OWNER, "BlsApkRegistry", &(coordinator,));
        let indices = chain.deploy(OWNER, "IndexRegistry", &(coordinator,));
        let sockets = chain.deploy(OWNER, "SocketRegistry", &(coordinator,));
        let registries = (OWNER, stakes, keys, indices, sockets);
        let deployed = chain.deploy(OWNER, "RegistryCoordinator", &registries);
        assert_eq!(deployed, coordinator);
        let manager = chain.deploy(OWNER, "ServiceManager", &(OWNER, coordinator));
        let versions = [3537u32, 3538, 1000].map(|most| Parameters {
            maxNumOperators: most,
            numChunks: 8192,
            codingRate: 8,
        });
        let none = Bytes::new();
        let thresholds = (OWNER, none.clone(), none.clone(), none, versions.to_vec());
        let thresholds = chain.deploy(OWNER, "ThresholdRegistry", &thresholds);
        let retriever = chain.deploy(OWNER, "OperatorStateRetriever", &());
        let both = Bytes::from_static(&[0, 1]);
        let usual = Thresholds {
            confirmation: 55,
            adversary: 33,
        };
        let third = (thresholds, manager, usual.clone(), both.clone());
        let rounding = chain.deploy(OWNER, "CertVerifierV3Rounding", &third);
        let third = chain.deploy(OWNER, "CertVerifierV3", &third);
        let fourth = (thresholds, manager, usual, both, 0u16);
        let fourth = chain.deploy(OWNER, "CertVerifierV4", &fourth);
        let strict = Thresholds {
            confirmation: 60,
            adversary: 30,
        };
        let strict = (thresholds, manager, strict, Bytes::from_static(&[0]), 0u16);
        let strict = chain.deploy(OWNER, "CertVerifierV4", &strict);
        let router = chain.deploy(OWNER, "CertVerifierRouter", &(OWNER, 0u32, rounding));
        for (from, verifier) in [(THIRD_FROM, third), (FOURTH_FROM, fourth)] {
            chain.send(OWNER, router, &addCertVerifierCall { from, verifier });
        }
        for _ in 0..QUORUMS {
            chain.send(
                OWNER,
                coordinator,
                &createQuorumCall {
                    most: 10,
                    minimumStake: "1".parse().unwrap(),
                },
            );
        }
        let verifier = |rules| Verifier {
            rules,
            threshold_registry: thresholds,
            service_manager: manager,
            registry_coordinator: coordinator,
            key_registry: keys,
            stake_registry: stakes,
            delegation_manager: delegation,
        };
        let rules = [
            (rounding, Rules::V3_0),
            (third, Rules::V3_1),
            (fourth, Rules::V4),
            (strict, Rules::V4),
        ];
        let operators = (0..OPERATORS).map(|place| {
            let scalar = Scalar::from(7919 * (place as u64 + 1));
            let secret = SecretKey::new(scalar).unwrap();
            let key = secret.public();
            Operator {
                scalar,
                id: G1Coordinates::of(&key.g1).hash(),
                address: Address::with_last_byte(0x20 + u8::try_from(place).unwrap()),
                secret,
                key,
            }
        });
        Self {
            operators: operators.collect(),
            stakes: Stakes::new(),
            past: Vec::new(),
            chain,
            network: Network {
                router,
                verifiers: rules
                    .map(|(address, rules)| (address, verifier(rules)))
                    .into(),
                blob_versions: (0..3).map(|version| (version, 0)).collect(),
                recency: BTreeMap::from([(0, 50)]),
                stale_stakes: StaleStakes::AsAtInclusion,
                form: PolynomialForm::Values,
            },
            delegation,
            coordinator,
            manager,
            retriever,
            strict,
        }
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        self.network.verifiers.values().next().unwrap()
    }

    /// Writes a slot, as no transaction would.
    pub(crate) fn write(&mut self, address: Address, slot: B256, value: U256) {
        self.chain.write(address, slot, value);
    }

    /// Ends the history: from here on nothing changes.
    pub(crate) fn settle(&mut self, block: u64) {
        self.past.push((self.chain.clone(), self.stakes.clone()));
        self.chain.block = block;
    }

    fn next_block(&mut self, blocks: u64) {
        if blocks > 0 {
            self.past.push((self.chain.clone(), self.stakes.clone()));
            self.chain.block += blocks;
        }
    }

    fn something_happens(&mut self, draw: &mut Draw) {
        let operator = draw.place(OPERATORS);
        match draw.below(12) {
            0..3 => self.join(operator, draw),
            3 | 4 => self.leave(operator, draw),
            5..8 => self.restake(operator, draw),
            8 | 9 => self.update_quorums(draw),
            10 => {
                let forbidden = draw.below(3) == 0;
                let call = setStaleStakesForbiddenCall { forbidden };
                self.chain.send(OWNER, self.manager, &call);
            }
            _ if (300..u64::from(STRICT_FROM)).contains(&self.chain.block)
                && self.strict != Address::ZERO =>
            {
                let verifier = core::mem::take(&mut self.strict);
                let call = addCertVerifierCall {
                    from: STRICT_FROM,
                    verifier,
                };
                self.chain.send(OWNER, self.network.router, &call);
            }
            _ => {}
        }
    }

    fn quorums_of(&self, operator: usize) -> Vec<u8> {
        let quorums = self.stakes.iter();
        let quorums = quorums.filter(|(_, stakes)| stakes.contains_key(&operator));
        quorums.map(|(quorum, _)| *quorum).collect()
    }

    fn set_stake(&mut self, operator: usize, quorum: u8, stake: u64) {
        self.chain.send(
            OWNER,
            self.delegation,
            &setStakeCall {
                operator: self.operators[operator].address,
                quorum,
                stake: stake.to_string().parse().unwrap(),
            },
        );
    }

    fn join(&mut self, operator: usize, draw: &mut Draw) {
        let own = self.quorums_of(operator);
        let quorums = draw.some(0..QUORUMS, 2);
        let quorums: Vec<u8> = quorums.into_iter().filter(|q| !own.contains(q)).collect();
        if quorums.is_empty() {
            return;
        }
        for quorum in &quorums {
            let stake = draw.below(50) + 1;
            self.set_stake(operator, *quorum, stake);
            self.stakes
                .entry(*quorum)
                .or_default()
                .insert(operator, stake);
        }
        let Operator {
            address,
            secret,
            key,
            ..
        } = &self.operators[operator];
        let (address, keys) = (*address, self.verifier().key_registry);
        let message = pubkeyRegistrationMessageCall { operator: address };
        let message = self.chain.call(self.chain.block, keys, &message).unwrap();
        let G2Coordinates { x, y } = G2Coordinates::of(&key.g2);
        let registration = Registration {
            signature: solidity(&secret.sign(&message.0)),
            key: solidity(&key.g1),
            key2: SolG2 { x, y },
        };
        let call = registerOperatorCall {
            quorums: quorums.into(),
            socket: "localhost;;;1;2".into(),
            registration,
        };
        self.chain.send(address, self.coordinator, &call);
    }

    fn leave(&mut self, operator: usize, draw: &mut Draw) {
        let own = self.quorums_of(operator);
        let left = draw.some(own, 2);
        if left.is_empty() {
            return;
        }
        for quorum in &left {
            self.stakes.get_mut(quorum).unwrap().remove(&operator);
        }
        let call = deregisterOperatorCall {
            quorums: left.into(),
        };
        self.chain
            .send(self.operators[operator].address, self.coordinator, &call);
    }

    fn restake(&mut self, operator: usize, draw: &mut Draw) {
        for quorum in self.quorums_of(operator) {
            let stake = draw.below(50) * u64::from(draw.below(6) > 0);
            self.set_stake(operator, quorum, stake);
            let stakes = self.stakes.get_mut(&quorum).unwrap();
            // who has nothing leaves
            stakes.insert(operator, stake);
            stakes.retain(|_, stake| *stake > 0);
        }
        let operators = vec![self.operators[operator].address];
        self.chain
            .send(OWNER, self.coordinator, &updateOperatorsCall { operators });
    }

    fn update_quorums(&mut self, draw: &mut Draw) {
        let quorums = draw.some(0..QUORUMS, 3);
        if quorums.is_empty() {
            return;
        }
        let members = |quorum: &u8| {
            let members = self.stakes.get(quorum).into_iter().flat_map(BTreeMap::keys);
            members
                .map(|place| self.operators[*place].address)
                .collect()
        };
        let operators = quorums.iter().map(members).collect();
        let call = updateOperatorsForQuorumCall {
            operators,
            quorums: quorums.into(),
        };
        self.chain.send(OWNER, self.coordinator, &call);
    }

    /// Contracts and stakes after a block.
    fn at(&self, block: u64) -> &(Chain, Stakes) {
        let next = self.past.partition_point(|(chain, _)| chain.block <= block);
        &self.past[next.max(1) - 1]
    }

    /// The last block.
    pub(crate) fn last(&self) -> u64 {
        self.chain.block
    }

    /// The stake of a quorum at a block, and of those operators in it.
    pub(crate) fn stake_at(&self, block: u32, quorum: u8, operators: &[usize]) -> (u64, u64) {
        let (_, stakes) = self.at(block.into());
        let members = stakes.get(&quorum).into_iter().flatten();
        members.fold((0, 0), |(total, part), (place, stake)| {
            let own = if operators.contains(place) { *stake } else { 0 };
            (total + stake, part + own)
        })
    }

    /// The version of certificates that counts at a reference block.
    pub(crate) fn version_at(&self, reference: u32) -> Version {
        let call = getCertVerifierAtCall { reference };
        let verifier = self
            .chain
            .clone()
            .call(1_000, self.network.router, &call)
            .unwrap();
        match self.network.verifiers[&verifier].rules {
            Rules::V3_0 => Version::V2,
            Rules::V3_1 => Version::V3,
            Rules::V4 => Version::V4 { offchain: 0 },
        }
    }

    /// A certificate of a blob whose batch all operators of the signed quorums but those named signed.
    pub(crate) fn certificate(&self, wanted: &Wanted) -> Certificate {
        let mut blob = local::blob_certificate(&wanted.blob_quorums);
        blob.header.version = wanted.blob_version;
        blob.header.commitment.length = wanted.length;
        let leaves: Vec<B256> = (0..wanted.batch)
            .map(|leaf| match leaf == wanted.place {
                true => blob.hash(),
                false => keccak256(leaf.to_be_bytes()),
            })
            .collect();
        let tree = Tree::new(&leaves).unwrap();
        let mut certificate = Certificate {
            version: wanted.version,
            batch: BatchHeader {
                batch_root: tree.root(),
                reference_block: wanted.reference,
            },
            blob: BlobInclusion {
                certificate: blob,
                blob_index: wanted.place,
                inclusion_proof: tree.proof(wanted.place).unwrap().into(),
            },
            attestation: Attestation::default(),
            signed_quorums: wanted.signed_quorums.clone().into(),
        };
        certificate.attestation = self.attest(&certificate, wanted);
        certificate
    }

    fn attest(&self, certificate: &Certificate, wanted: &Wanted) -> Attestation {
        let (_, stakes) = self.at(wanted.reference.into());
        let members = |quorum: &u8| stakes.get(quorum).into_iter().flat_map(BTreeMap::keys);
        let times = |place: usize| -> u64 {
            let quorums = wanted.signed_quorums.iter();
            quorums.filter(|q| members(q).any(|m| *m == place)).count() as u64
        };
        let (mut absent, mut secret) = (Vec::new(), Scalar::from(0));
        for (place, operator) in self.operators.iter().enumerate() {
            if wanted.absent.contains(&place) && times(place) > 0 {
                absent.push(operator);
            } else {
                secret += operator.scalar * Scalar::from(times(place));
            }
        }
        absent.sort_by_key(|operator| operator.id);
        let key_of = |quorum: &u8| -> G1 {
            members(quorum)
                .map(|place| self.operators[*place].key.g1)
                .sum()
        };
        let call = getCheckSignaturesIndicesCall {
            coordinator: self.coordinator,
            reference: wanted.reference,
            quorums: wanted.signed_quorums.clone().into(),
            nonSigners: absent.iter().map(|operator| operator.id).collect(),
        };
        let indices = self.chain.clone().call(1_000, self.retriever, &call);
        let indices = indices.unwrap_or_else(|_| {
            // an unknown quorum: places do not matter
            let count = wanted.signed_quorums.len();
            Indices {
                bitmaps: vec![0; absent.len()],
                keys: vec![0; count],
                totals: vec![0; count],
                stakes: vec![vec![0; absent.len()]; count],
            }
        });
        let message = certificate.batch.hash();
        Attestation {
            non_signer_bitmap_indices: indices.bitmaps,
            non_signer_keys: absent
                .iter()
                .map(|o| G1Coordinates::of(&o.key.g1))
                .collect(),
            quorum_keys: wanted
                .signed_quorums
                .iter()
                .map(|quorum| G1Coordinates::of(&key_of(quorum)))
                .collect(),
            signers_key: G2Coordinates::of(&(G2::generator() * secret)),
            signature: G1Coordinates::of(&(hash_to_point(&message.0) * secret)),
            quorum_key_indices: indices.keys,
            total_stake_indices: indices.totals,
            non_signer_stake_indices: indices.stakes,
        }
    }

    /// The contracts after a block.
    pub(crate) fn view(&self, block: u64) -> Chain {
        self.at(block).0.clone()
    }

    /// What `checkDACert` says in the inclusion block.
    pub(crate) fn contract_says(
        &self,
        certificate: &Certificate,
        inclusion: u64,
    ) -> Result<u8, Bytes> {
        self.ask(&mut self.view(inclusion), certificate, inclusion)
    }

    /// What `checkDACert` says in a state.
    pub(crate) fn ask(
        &self,
        chain: &mut Chain,
        certificate: &Certificate,
        inclusion: u64,
    ) -> Result<u8, Bytes> {
        let call = checkDACertCall {
            certificate: certificate.to_abi().into(),
        };
        chain.call(inclusion, self.network.router, &call)
    }

    /// What we say, by proofs from the inclusion block or, for what is history, from the last one.
    pub(crate) fn we_say(&self, certificate: &Certificate, inclusion: u64, later: bool) -> Verdict {
        self.judge(certificate, inclusion, later).0
    }

    /// What we say, and what we had to know.
    pub(crate) fn judge(
        &self,
        certificate: &Certificate,
        inclusion: u64,
        later: bool,
    ) -> (Verdict, KnownState) {
        let mut state = KnownState::default();
        for _ in 0..10 {
            match judge(certificate, inclusion, &self.network, &state) {
                Verdict::Needs(Needs::State(queries)) => {
                    for query in queries {
                        let chain = match query.at {
                            At::AnyLater if later => &self.chain,
                            _ => &self.at(inclusion).0,
                        };
                        state.insert(query, chain.storage(query.address, query.slot));
                    }
                }
                verdict => return (verdict, state),
            }
        }
        panic!("the verdict asks for ever");
    }
}

/// What a certificate is to be like.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) version: Version,
    pub(crate) reference: u32,
    pub(crate) blob_version: u16,
    pub(crate) length: u32,
    pub(crate) blob_quorums: Vec<u8>,
    pub(crate) signed_quorums: Vec<u8>,
    pub(crate) absent: Vec<usize>,
    /// Blobs in the batch.
    pub(crate) batch: u32,
    /// Which of them.
    pub(crate) place: u32,
}
