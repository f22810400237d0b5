//! Who may post batches: five rules, chosen by configuration and L1 time.
//!
//! Upstream the sender of an inbox transaction must be the batcher. Espresso's integration
//! replaced that, generation by generation, by an authentication that a contract on L1 attests.
//! This type is the only place that knows which rule holds when; deciding about a transaction by
//! the rule is `derive`'s business.

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

/// Where a transaction to an inbox *contract* carries its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignatureForm {
    /// In a transaction of its own, before; the calldata is all payload.
    Separate,
    /// In the last 65 bytes of the calldata, which are no payload.
    Inline,
}

/// A rule by which an inbox transaction counts, with what it needs to decide.
// spec: opstack 2.9, espresso 5.4, espresso 5.5
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BatchAuth {
    /// Standard: the sender is the batcher of the SystemConfig.
    Sender,
    /// Generation 1: the inbox is a contract that reverts what is not signed; transactions with
    /// receipt status 1 count, whoever sent them.
    InboxContract {
        /// Where the signature is.
        signature: SignatureForm,
    },
    /// Generation 2: an event of the authenticator holds the commitment, within the look-back
    /// window; whoever sent the transaction.
    AuthEvent {
        /// The BatchAuthenticator contract.
        authenticator: Address,
        /// Blocks before the transaction's own that are searched too.
        window: u64,
    },
    /// Generation 3: as 2, with the constant window, and the sender is the caller that the newest
    /// event for the commitment names.
    AuthEventCaller {
        /// The BatchAuthenticator contract.
        authenticator: Address,
    },
    /// Generation 4: as 3, but only [`ENFORCEMENT_DELAY`] after the fork; between the two the
    /// sender rule holds. Blob transactions are dropped from the fork on.
    AuthEventCallerDelayed {
        /// The BatchAuthenticator contract.
        authenticator: Address,
    },
}

/// Blocks before a transaction's own that generations 3 and 4 search (101 blocks in all), and
/// generation 2 where `batch_auth_lookback_window` is 0 or missing.
// spec: opstack 2.9 |5
pub const AUTH_LOOKBACK_WINDOW: u64 = 100;

/// Seconds between `espresso_time` and the enforcement of generation 4's rule: 100 slots of 12 s.
// spec: opstack 2.9 |6
pub const ENFORCEMENT_DELAY: u64 = 100 * 12;

/// The rule's name, as `--batch-auth` and profiles write it. When it is read, capitals, hyphens
/// and underscores make no difference: `InboxContract` is `inbox-contract`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", try_from = "String")]
pub enum AuthRule {
    /// [`BatchAuth::Sender`].
    Sender,
    /// [`BatchAuth::InboxContract`] with a separate signature.
    InboxContract,
    /// [`BatchAuth::InboxContract`] with the signature inline.
    InboxContractInline,
    /// [`BatchAuth::AuthEvent`].
    AuthEvent,
    /// [`BatchAuth::AuthEventCaller`].
    AuthEventCaller,
    /// [`BatchAuth::AuthEventCallerDelayed`].
    AuthEventCallerDelayed,
}

impl AuthRule {
    /// All rules by name.
    pub const ALL: [(Self, &str); 6] = [
        (Self::Sender, "sender"),
        (Self::InboxContract, "inbox-contract"),
        (Self::InboxContractInline, "inbox-contract-inline"),
        (Self::AuthEvent, "auth-event"),
        (Self::AuthEventCaller, "auth-event-caller"),
        (Self::AuthEventCallerDelayed, "auth-event-caller-delayed"),
    ];

    /// The rule's name.
    pub fn name(self) -> &'static str {
        // every rule is in the list
        Self::ALL
            .iter()
            .find(|(rule, _)| *rule == self)
            .map_or("", |(_, name)| name)
    }

    /// Whether the rule reads events of a BatchAuthenticator.
    pub const fn needs_authenticator(self) -> bool {
        matches!(
            self,
            Self::AuthEvent | Self::AuthEventCaller | Self::AuthEventCallerDelayed
        )
    }
}

impl core::str::FromStr for AuthRule {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let letters = |name: &str| name.replace(['-', '_'], "").to_ascii_lowercase();
        Self::ALL
            .iter()
            .find(|(_, known)| letters(known) == letters(name))
            .map(|(rule, _)| *rule)
            .ok_or_else(|| {
                let known: Vec<_> = Self::ALL.iter().map(|(_, name)| *name).collect();
                format!(
                    "unknown batch authorisation rule {name:?}; known are {}",
                    known.join(", ")
                )
            })
    }
}

impl TryFrom<String> for AuthRule {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        name.parse()
    }
}

/// A rule and the L1 time from which it holds; before that the sender rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BatchAuthSchedule {
    /// The rule.
    pub rule: BatchAuth,
    /// L1 block time of its activation, in seconds since the Unix epoch.
    pub from: u64,
}

/// The rule that holds for one L1 block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ActiveAuth {
    /// The rule. Never a delayed one: the delay has been resolved.
    pub rule: BatchAuth,
    /// Whether blob transactions may count at all.
    pub blobs: bool,
}

impl BatchAuthSchedule {
    /// The sender rule, always.
    pub const SENDER: Self = Self {
        rule: BatchAuth::Sender,
        from: 0,
    };

    /// The rule for an L1 block at `l1_time`.
    // spec: opstack 2.9 |6
    pub const fn at(&self, l1_time: u64) -> ActiveAuth {
        if l1_time < self.from {
            return ActiveAuth {
                rule: BatchAuth::Sender,
                blobs: true,
            };
        }
        match self.rule {
            BatchAuth::AuthEventCallerDelayed { authenticator } => {
                // The reference adds with wrap-around. It matters for no sane configuration, but
                // two nodes must agree about insane ones too.
                let enforced = l1_time >= self.from.wrapping_add(ENFORCEMENT_DELAY);
                let rule = if enforced {
                    BatchAuth::AuthEventCaller { authenticator }
                } else {
                    BatchAuth::Sender
                };
                ActiveAuth { rule, blobs: false }
            }
            rule => ActiveAuth { rule, blobs: true },
        }
    }

    /// Blocks before its own that must be known to decide about a transaction under any rule of
    /// this schedule.
    pub const fn lookback(&self) -> u64 {
        match self.rule {
            BatchAuth::AuthEvent { window, .. } => window,
            BatchAuth::AuthEventCaller { .. } | BatchAuth::AuthEventCallerDelayed { .. } => {
                AUTH_LOOKBACK_WINDOW
            }
            BatchAuth::Sender | BatchAuth::InboxContract { .. } => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHENTICATOR: Address = Address::repeat_byte(7);

    #[test]
    fn every_rule_has_a_name_that_parses_back() {
        for (rule, name) in AuthRule::ALL {
            assert_eq!(rule.name(), name);
            assert_eq!(name.parse(), Ok(rule));
            assert_eq!(format!("{rule:?}").parse(), Ok(rule));
            assert_eq!(name.replace('-', "_").parse(), Ok(rule));
            let json = serde_json::to_string(&rule).unwrap();
            assert_eq!(json, format!("{name:?}"));
            assert_eq!(serde_json::from_str::<AuthRule>(&json).unwrap(), rule);
        }
        assert!(
            "none"
                .parse::<AuthRule>()
                .unwrap_err()
                .contains("auth-event-caller")
        );
    }

    #[test]
    fn generation_4_has_a_sender_phase_without_blobs() {
        let rule = BatchAuth::AuthEventCallerDelayed {
            authenticator: AUTHENTICATOR,
        };
        let schedule = BatchAuthSchedule { rule, from: 10_000 };
        let caller = BatchAuth::AuthEventCaller {
            authenticator: AUTHENTICATOR,
        };
        let expected = [
            (9_999, BatchAuth::Sender, true),
            (10_000, BatchAuth::Sender, false),
            (11_199, BatchAuth::Sender, false),
            (11_200, caller, false),
        ];
        for (time, rule, blobs) in expected {
            assert_eq!(schedule.at(time), ActiveAuth { rule, blobs }, "at {time}");
        }
    }

    #[test]
    fn the_enforcement_delay_wraps_as_op_nodes_does() {
        let rule = BatchAuth::AuthEventCallerDelayed {
            authenticator: AUTHENTICATOR,
        };
        let schedule = BatchAuthSchedule {
            rule,
            from: u64::MAX - 100,
        };
        assert_eq!(schedule.at(1099).rule, BatchAuth::Sender);
        assert_eq!(schedule.at(u64::MAX - 101).rule, BatchAuth::Sender);
        assert!(matches!(
            schedule.at(u64::MAX - 100).rule,
            BatchAuth::AuthEventCaller { .. }
        ));
    }

    #[test]
    fn generations_1_to_3_hold_at_once() {
        for rule in [
            BatchAuth::InboxContract {
                signature: SignatureForm::Inline,
            },
            BatchAuth::AuthEvent {
                authenticator: AUTHENTICATOR,
                window: 10,
            },
            BatchAuth::AuthEventCaller {
                authenticator: AUTHENTICATOR,
            },
        ] {
            let schedule = BatchAuthSchedule { rule, from: 50 };
            assert_eq!(schedule.at(49).rule, BatchAuth::Sender);
            assert_eq!(schedule.at(50), ActiveAuth { rule, blobs: true });
        }
    }
}
