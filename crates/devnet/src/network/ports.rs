//! Which port each server has.

use super::NetworkError;
use std::{
    collections::BTreeMap,
    fmt,
    net::{Ipv4Addr, TcpListener},
    process,
    str::FromStr,
};

/// Where free ports are looked for: below those that the system gives to outgoing connections, which
/// could take a port between our look and its use.
const FREE: std::ops::Range<u16> = 20_000..32_000;
/// Ports that lie between where two devnets begin to look.
const APART: u32 = 20;

/// A server of a devnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Port {
    /// L1's JSON-RPC and its beacon node.
    L1,
    /// JSON-RPC of the sequencer's engine.
    L2,
    /// The same over WebSocket.
    L2Ws,
    /// Engine API of the sequencer's engine.
    EngineAuth,
    /// The sequencer.
    Node,
    /// The batcher.
    Batcher,
    /// JSON-RPC of the second node's engine.
    VerifierL2,
    /// Engine API of the second node's engine.
    VerifierAuth,
    /// The second node.
    Verifier,
}

impl Port {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::L1,
        Self::L2,
        Self::L2Ws,
        Self::EngineAuth,
        Self::Node,
        Self::Batcher,
        Self::VerifierL2,
        Self::VerifierAuth,
        Self::Verifier,
    ];

    /// Its name in `--port NAME=PORT`, and its number unless that says otherwise.
    const fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::L1 => ("l1", 8545, "L1 RPC and beacon node"),
            Self::L2 => ("l2", 9545, "L2 RPC"),
            Self::L2Ws => ("l2-ws", 9546, "L2 WebSocket"),
            Self::EngineAuth => ("engine-auth", 9551, "Engine API"),
            Self::Node => ("node", 7545, "rollup node RPC"),
            Self::Batcher => ("batcher", 8548, "batcher RPC"),
            Self::VerifierL2 => ("verifier-l2", 9645, "second node's L2 RPC"),
            Self::VerifierAuth => ("verifier-auth", 9651, "second node's Engine API"),
            Self::Verifier => ("verifier", 7645, "second node's RPC"),
        }
    }

    /// Its name in `--port NAME=PORT`.
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// Its number unless another is asked for.
    pub const fn default_number(self) -> u16 {
        self.row().1
    }

    /// What it serves, in words.
    pub const fn what(self) -> &'static str {
        self.row().2
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Port {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|port| port.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no port {name}; the ports are {names}")
        })
    }
}

/// Which ports are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortRange {
    /// Each its own: 8545 for L1, 9545 for L2, and so on.
    #[default]
    Usual,
    /// One after the other, from this one on.
    From(u16),
    /// Any that are free.
    Free,
}

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "free" {
            return Ok(Self::Free);
        }
        match text.parse() {
            Ok(first) if first > 0 => Ok(Self::From(first)),
            _ => Err("take a port, from which on they are numbered, or free".to_owned()),
        }
    }
}

/// The ports of a devnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ports(BTreeMap<Port, u16>);

impl Ports {
    /// Chooses ports, none of which is in use.
    pub(crate) fn choose(
        range: PortRange,
        own: &BTreeMap<Port, u16>,
    ) -> Result<Self, NetworkError> {
        let mut chosen = BTreeMap::new();
        // all are held at once, so that they differ
        let mut held = Vec::new();
        let mut hold = |number: u16| match TcpListener::bind((Ipv4Addr::LOCALHOST, number)) {
            Ok(listener) => {
                held.push(listener);
                true
            }
            Err(_) => false,
        };
        let begin = match range {
            PortRange::From(first) => first,
            _ => {
                let places = u32::from(FREE.end - FREE.start) / APART;
                let offset = (process::id() % places) * APART;
                FREE.start + u16::try_from(offset).unwrap_or_default()
            }
        };
        let mut next = begin;
        // those that were asked for first, so that a free one is none of them
        let mut order = Port::ALL;
        order.sort_by_key(|port| !own.contains_key(port));
        for port in order {
            let number = match (own.get(&port), range) {
                (Some(number), _) => *number,
                (None, PortRange::Usual) => port.default_number(),
                (None, PortRange::From(first)) => {
                    let place = Port::ALL.iter().position(|other| *other == port);
                    let place = place.and_then(|place| u16::try_from(place).ok());
                    let number = place.and_then(|place| first.checked_add(place));
                    number.ok_or(NetworkError::NoPorts(first))?
                }
                (None, PortRange::Free) => loop {
                    let number = next;
                    if number >= u16::MAX - 1 {
                        return Err(NetworkError::NoPorts(begin));
                    }
                    next += 1;
                    if hold(number) {
                        break number;
                    }
                },
            };
            let is_held = !own.contains_key(&port) && range == PortRange::Free;
            if !is_held && !hold(number) {
                return Err(NetworkError::PortTaken { port, number });
            }
            chosen.insert(port, number);
        }
        Ok(Self(chosen))
    }

    /// The number of a port.
    pub(crate) fn number(&self, port: Port) -> u16 {
        let number = self.0.get(&port).copied();
        number.unwrap_or_else(|| port.default_number())
    }

    /// Its URL.
    pub(crate) fn url(&self, port: Port) -> String {
        let scheme = match port {
            Port::L2Ws => "ws",
            _ => "http",
        };
        format!("{scheme}://127.0.0.1:{}", self.number(port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_refused_by_name_and_free_ones_avoid_it() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let number = taken.local_addr().unwrap().port();
        let own = BTreeMap::from([(Port::Node, number)]);
        let error = Ports::choose(PortRange::Free, &own).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(&number.to_string()) && text.contains("--port node="),
            "{text}"
        );

        let ports = Ports::choose(PortRange::Free, &BTreeMap::new()).unwrap();
        let mut numbers: Vec<_> = Port::ALL.map(|port| ports.number(port)).into();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), Port::ALL.len());
        assert!(numbers.iter().all(|number| FREE.contains(number)));
    }

    #[test]
    fn ports_are_numbered_from_the_one_that_is_asked_for() {
        // none of those that the other test looks at
        let (first, ports) = (0..50)
            .find_map(|place| {
                let first = 19_000 + place * 20;
                let own = BTreeMap::from([(Port::L2, first + 12)]);
                let ports = Ports::choose(PortRange::From(first), &own).ok()?;
                Some((first, ports))
            })
            .unwrap();
        assert_eq!(ports.number(Port::L1), first);
        assert_eq!(ports.number(Port::L2), first + 12);
        assert_eq!(ports.number(Port::Verifier), first + 8);
        assert_eq!(
            ports.url(Port::L2Ws),
            format!("ws://127.0.0.1:{}", first + 2)
        );
        // the same port twice
        let own = BTreeMap::from([(Port::L2, first)]);
        assert!(Ports::choose(PortRange::From(first), &own).is_err());
        assert!("0".parse::<PortRange>().is_err());
        assert_eq!("free".parse(), Ok(PortRange::Free));
        assert!(
            "engine"
                .parse::<Port>()
                .unwrap_err()
                .contains("engine-auth")
        );
    }
}
