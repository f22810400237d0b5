//! The batcher's JSON-RPC: `admin_*`, `txmgr_*` and health, as op-batcher answers them.
//!
//! Methods run on threads of their own and may wait for the batcher.

use crate::{
    handle::{BatcherHandle, CommandError},
    meters::controller_name,
};
use core::fmt;
use doppio_batcher::{PidParams, ThrottleController};
use doppio_l1::txmgr::{TxSender, machine::Settings};
use doppio_protocol::duration::parse_duration;
use doppio_rpc::{MethodSet, Params, RpcError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::runtime::Handle;

/// Nanoseconds of a millisecond: durations are Go's.
const NANOS: u64 = 1_000_000;

/// Sets what is logged, by level or filter; in words, why that cannot be.
pub type SetLog = dyn Fn(&str) -> Result<(), String> + Send + Sync;

impl From<CommandError> for RpcError {
    fn from(error: CommandError) -> Self {
        Self::failed(error.to_string())
    }
}

/// What everybody may ask.
#[derive(Clone, Copy, Debug)]
pub struct BatcherApi {
    version: &'static str,
}

impl BatcherApi {
    /// The methods of a batcher that calls itself a version.
    pub const fn new(version: &'static str) -> Self {
        Self { version }
    }
}

impl MethodSet for BatcherApi {
    fn names(&self) -> Vec<&'static str> {
        vec!["health_status"]
    }

    fn call(&self, method: &str, _params: Vec<Value>) -> Result<Value, RpcError> {
        match method {
            "health_status" => Ok(json!(self.version)),
            _ => Err(RpcError::method_not_found(method)),
        }
    }
}

/// What only operators may ask.
pub struct AdminApi {
    batcher: BatcherHandle,
    controller: ThrottleController,
    set_log: Arc<SetLog>,
}

impl fmt::Debug for AdminApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminApi").finish_non_exhaustive()
    }
}

/// A PID controller, as `admin_setThrottleController` takes it.
#[derive(Deserialize)]
struct PidJson {
    kp: f64,
    ki: f64,
    kd: f64,
    integral_max: f64,
    output_max: f64,
    sample_time: String,
}

impl PidJson {
    fn params(self) -> Result<PidParams, RpcError> {
        let failed = |words: &str| RpcError::failed(words);
        if [self.kp, self.ki, self.kd].iter().any(|gain| *gain < 0.0) {
            return Err(failed("PID gains must be non-negative"));
        }
        if self.integral_max <= 0.0 {
            return Err(failed("PID IntegralMax must be positive"));
        }
        if self.output_max <= 0.0 || self.output_max > 1.0 {
            return Err(failed("PID OutputMax must be between 0 and 1"));
        }
        let sample = parse_duration(&self.sample_time)
            .map_err(|error| RpcError::invalid_params(format!("sample_time: {error}")))?;
        let params = PidParams {
            kp: self.kp,
            ki: self.ki,
            kd: self.kd,
            integral_max: self.integral_max,
            output_max: self.output_max,
            sample: u64::try_from(sample.as_millis()).unwrap_or(u64::MAX),
        };
        params
            .check()
            .map_err(|error| RpcError::failed(error.to_string()))?;
        Ok(params)
    }
}

impl AdminApi {
    /// The methods of a batcher, and how to change what is logged.
    pub fn new(batcher: BatcherHandle, set_log: Arc<SetLog>) -> Self {
        Self {
            controller: batcher.throttle().controller,
            batcher,
            set_log,
        }
    }

    // spec: opstack 5.2
    fn throttle_info(&self) -> Value {
        let status = self.batcher.status();
        let throttle = self.batcher.throttle();
        let limits = status.throttle_limits.unwrap_or_default();
        json!({
            "type": controller_name(throttle.controller),
            "lower_threshold": throttle.lower_threshold,
            "upper_threshold": throttle.upper_threshold,
            "current_load": status.unsafe_da_bytes,
            "intensity": status.throttle_intensity,
            "max_tx_size": limits.max_tx_size,
            "max_block_size": limits.max_block_size,
        })
    }
}

fn controller(name: &str, pid: Option<PidJson>) -> Result<ThrottleController, RpcError> {
    match (name, pid) {
        ("step", _) => Ok(ThrottleController::Step),
        ("linear", _) => Ok(ThrottleController::Linear),
        ("quadratic", _) => Ok(ThrottleController::Quadratic),
        ("pid", Some(pid)) => Ok(ThrottleController::Pid(pid.params()?)),
        ("pid", None) => Err(RpcError::failed(
            "cannot set PID controller type without configuration",
        )),
        _ => Err(RpcError::failed(format!(
            "invalid controller type '{name}', must be one of: [step linear quadratic pid]"
        ))),
    }
}

impl MethodSet for AdminApi {
    fn names(&self) -> Vec<&'static str> {
        vec![
            "admin_startBatcher",
            "admin_stopBatcher",
            "admin_flushBatcher",
            "admin_setThrottleController",
            "admin_getThrottleController",
            "admin_resetThrottleController",
            "admin_setLogLevel",
        ]
    }

    // spec: opstack 5.2
    fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, RpcError> {
        let mut params = Params::new(params, 2)?;
        let runtime = Handle::current();
        match method {
            "admin_startBatcher" => runtime.block_on(self.batcher.start())?,
            "admin_stopBatcher" => runtime.block_on(self.batcher.stop())?,
            "admin_flushBatcher" => runtime.block_on(self.batcher.flush())?,
            "admin_setThrottleController" => {
                let name: String = params.required()?;
                let controller = controller(&name, params.optional()?)?;
                runtime.block_on(self.batcher.set_throttle_controller(controller))?;
            }
            "admin_getThrottleController" => return Ok(self.throttle_info()),
            "admin_resetThrottleController" => {
                runtime.block_on(self.batcher.set_throttle_controller(self.controller))?;
            }
            "admin_setLogLevel" => {
                let level: String = params.required()?;
                (self.set_log)(&level).map_err(RpcError::failed)?;
            }
            _ => return Err(RpcError::method_not_found(method)),
        }
        Ok(Value::Null)
    }
}

/// What an operator can change of how transactions are sent. Amounts are wei, durations nanoseconds,
/// both as JSON numbers, as Go's programs have them.
#[derive(Debug)]
pub struct TxmgrApi {
    sender: TxSender,
}

impl TxmgrApi {
    /// The methods of a transaction manager.
    pub const fn new(sender: TxSender) -> Self {
        Self { sender }
    }

    fn change(&self, change: impl FnOnce(&mut Settings)) -> Value {
        let mut settings = self.sender.settings();
        change(&mut settings);
        self.sender.set(settings);
        Value::Null
    }
}

/// Wei as a JSON number.
fn wei(amount: u128) -> Value {
    // what is beyond 64 bits has no place in a JSON number that others read
    json!(u64::try_from(amount).unwrap_or(u64::MAX))
}

fn nanos(millis: u64) -> Value {
    json!(millis.saturating_mul(NANOS))
}

impl MethodSet for TxmgrApi {
    fn names(&self) -> Vec<&'static str> {
        vec![
            "txmgr_getMinBaseFee",
            "txmgr_setMinBaseFee",
            "txmgr_getMinPriorityFee",
            "txmgr_setMinPriorityFee",
            "txmgr_getMinBlobFee",
            "txmgr_setMinBlobFee",
            "txmgr_getFeeThreshold",
            "txmgr_setFeeThreshold",
            "txmgr_getRebroadcastInterval",
            "txmgr_setRebroadcastInterval",
            "txmgr_getBumpFeeRetryTime",
            "txmgr_setBumpFeeRetryTime",
            "txmgr_getBlobTipCapDynamic",
            "txmgr_setBlobTipCapDynamic",
        ]
    }

    // spec: opstack 5.2
    fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, RpcError> {
        let mut params = Params::new(params, 1)?;
        let settings = self.sender.settings();
        let answer = match method {
            "txmgr_getMinBaseFee" => wei(settings.min_base_fee),
            "txmgr_getMinPriorityFee" => wei(settings.min_tip_cap),
            "txmgr_getMinBlobFee" => wei(settings.min_blob_fee),
            "txmgr_getFeeThreshold" => settings.fee_limit_threshold.map_or(Value::Null, wei),
            "txmgr_getRebroadcastInterval" => nanos(settings.rebroadcast_interval),
            "txmgr_getBumpFeeRetryTime" => nanos(settings.resubmission_timeout),
            "txmgr_getBlobTipCapDynamic" => json!(settings.blob_tip_cap_dynamic),
            "txmgr_setBlobTipCapDynamic" => {
                let value = params.required()?;
                self.change(|settings| settings.blob_tip_cap_dynamic = value)
            }
            "txmgr_setMinBaseFee" => {
                let value: u64 = params.required()?;
                self.change(|settings| settings.min_base_fee = value.into())
            }
            "txmgr_setMinPriorityFee" => {
                let value: u64 = params.required()?;
                self.change(|settings| settings.min_tip_cap = value.into())
            }
            "txmgr_setMinBlobFee" => {
                let value: u64 = params.required()?;
                self.change(|settings| settings.min_blob_fee = value.into())
            }
            "txmgr_setFeeThreshold" => {
                let value: u64 = params.required()?;
                self.change(|settings| settings.fee_limit_threshold = Some(value.into()))
            }
            "txmgr_setRebroadcastInterval" => {
                let value: u64 = params.required()?;
                self.change(|settings| settings.rebroadcast_interval = value / NANOS)
            }
            "txmgr_setBumpFeeRetryTime" => {
                let value: u64 = params.required()?;
                if value < NANOS {
                    return Err(RpcError::failed("it must be at least a millisecond"));
                }
                self.change(|settings| settings.resubmission_timeout = value / NANOS)
            }
            _ => return Err(RpcError::method_not_found(method)),
        };
        Ok(answer)
    }
}
