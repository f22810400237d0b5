//! Deposits and changes of the SystemConfig, as derivation sees them.

use crate::support::{block, chain, on_demand, source};
use alloy_primitives::{Address, Bytes, U256};
use doppio_devnet::{Account, ConfigChange, Deposit};
use doppio_protocol::{
    deposit::{DepositSource, DepositTx, TRANSACTION_DEPOSITED, decode_deposit_log},
    extra_data::Eip1559Params,
};

#[tokio::test]
async fn deposits_are_what_was_asked_for() {
    let l1 = on_demand().await;
    let chain = chain(&l1, "deposits").await;
    let source = source(&l1, chain.rollup());
    let user = Account::user(3).unwrap();
    let asked = [
        Deposit {
            to: Some(Address::repeat_byte(0xee)),
            mint: U256::from(70),
            value: U256::from(5),
            gas: 100_000,
            data: Bytes::from_static(&[0x12, 0x34]),
        },
        // a creation: 33 bytes are more than a word
        Deposit {
            to: None,
            gas: 200_000,
            data: Bytes::from_static(&[0x5b; 33]),
            ..Deposit::default()
        },
    ];
    for deposit in asked {
        let receipt = chain.deposit(&l1, user, &deposit).await.unwrap();
        let block = block(&source, receipt.block_hash).await;
        let (index, log) = block
            .logs()
            .find(|(_, log)| log.topics().first() == Some(&TRANSACTION_DEPOSITED))
            .unwrap();
        assert_eq!(log.address, chain.rollup().deposit_contract_address);
        let found = decode_deposit_log(log, block.header.hash, index).unwrap();
        let expected = DepositTx {
            source_hash: DepositSource::User {
                l1_block_hash: block.header.hash,
                log_index: index,
            }
            .hash(),
            from: user.address,
            to: deposit.to,
            mint: deposit.mint,
            value: deposit.value,
            gas: deposit.gas,
            is_system: false,
            data: deposit.data,
        };
        assert_eq!(found, expected);
    }
    // too little gas: the portal refuses it, and so is said
    let error = chain.deposit(&l1, user, &Deposit::default()).await;
    let error = error.unwrap_err();
    assert!(error.to_string().contains("has failed"), "{error}");
}

#[tokio::test]
async fn every_change_of_the_system_config_is_applied() {
    let l1 = on_demand().await;
    let chain = chain(&l1, "config").await;
    let source = source(&l1, chain.rollup());
    let begin = chain.rollup().genesis.system_config;
    let code = l1.code(chain.contracts.system_config).await.unwrap();
    let mut config = begin;
    let other = Address::repeat_byte(0x44);
    let changes = [
        ConfigChange::Batcher(other),
        ConfigChange::FeeScalars {
            base_fee: 7,
            blob_base_fee: 8,
        },
        ConfigChange::GasLimit(33_000_000),
        ConfigChange::UnsafeBlockSigner(other),
        ConfigChange::Eip1559 {
            denominator: 100,
            elasticity: 3,
        },
        ConfigChange::OperatorFee {
            scalar: 9,
            constant: 10,
        },
        ConfigChange::MinBaseFee(1_000_000),
        ConfigChange::DaFootprintGasScalar(500),
    ];
    for change in changes {
        let receipt = chain.change_config(&l1, change).await.unwrap();
        let before = config;
        let block = block(&source, receipt.block_hash).await;
        assert_eq!(config.apply_l1_block(&chain.config, &block), []);
        let is_gossip = matches!(change, ConfigChange::UnsafeBlockSigner(_));
        assert_eq!(config == before, is_gossip, "{change:?}");
        assert!(!is_gossip || block.logs().count() == 1);
    }
    let scalars = config.ecotone_scalars().unwrap();
    assert_eq!((config.batcher, config.gas_limit), (other, 33_000_000));
    assert_eq!((scalars.base_fee, scalars.blob_base_fee), (7, 8));
    let params = Eip1559Params {
        denominator: 100,
        elasticity: 3,
    };
    assert_eq!((config.eip1559(), config.operator_fee()), (params, (9, 10)));
    assert_eq!(
        (config.min_base_fee, config.da_footprint_gas_scalar),
        (1_000_000, 500)
    );
    // the contract is as it was
    assert_eq!(l1.code(chain.contracts.system_config).await.unwrap(), code);
    // what it was when the rollup began stays in rollup.json
    let later = crate::support::chain(&l1, "config-later").await;
    assert_eq!(later.rollup().genesis.system_config, begin);
}
