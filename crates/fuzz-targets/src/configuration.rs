//! What operators and registries write.

use doppio_protocol::config::{BlobSchedule, ChainConfig, ChainProfile, Overrides, RollupConfig};

pub(crate) fn rollup_config(data: &[u8]) {
    let Ok(json) = core::str::from_utf8(data) else {
        return;
    };
    for ignore_unknown_keys in [false, true] {
        let Ok(parsed) = RollupConfig::parse(json, ignore_unknown_keys) else {
            continue;
        };
        let printed = parsed.config.to_json().to_string();
        let again = RollupConfig::parse(&printed, false).expect("our own print is read again");
        assert_eq!(again.config.to_json().to_string(), printed);
        if let Ok(chain) = ChainConfig::new(parsed.config, Overrides::default()) {
            let _ = chain.config_id();
        }
    }
}

pub(crate) fn chain_profile(data: &[u8]) {
    if let Ok(json) = core::str::from_utf8(data) {
        let _ = ChainProfile::parse(json);
    }
}

pub(crate) fn l1_chain_config(data: &[u8]) {
    if let Ok(json) = core::str::from_utf8(data)
        && let Ok(schedule) = BlobSchedule::from_l1_chain_config(json)
    {
        for time in [0, 1_700_000_000, u64::MAX] {
            let _ = schedule.blob_base_fee(time, time);
        }
    }
}
