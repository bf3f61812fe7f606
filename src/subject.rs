//! Who a request is made by: the authenticated subject, the one identity that limits, spend and
//! logs go by. What a client says of itself in the body is only recorded.

use std::fmt;

use crate::token::foreign::ForeignSubject;
use crate::token::machine_id::MachineId;
use crate::token::network::Network;

/// An authenticated subject. Its `Display` is its name in the ledger and in the log; the kinds
/// cannot be named to meet each other, since no machine id holds a `~`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A machine with a credential of this gateway.
    Machine(MachineId),
    /// Whom a token of the identity provider is about.
    Foreign(ForeignSubject),
    /// Whoever calls from a network, where callers without a credential are let in.
    Network(Network),
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine(machine) => formatter.write_str(machine.as_str()),
            Self::Foreign(subject) => formatter.write_str(subject.as_str()),
            // A colon would end the machine id in a log key, a slash begin a path in a URL.
            Self::Network(network) => {
                write!(formatter, "net~{}", network.to_string().replace(':', "-").replace('/', "_"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_subjects_never_share_a_name() {
        let network = |text: &str| Subject::Network(Network::parse(text).unwrap()).to_string();
        assert_eq!(network("203.0.113.7"), "net~203.0.113.7");
        assert_eq!(network("2001:db8::7"), "net~2001-db8--_64");
        assert!(MachineId::parse("net~203.0.113.7").is_err());
        assert_eq!(Subject::Machine(MachineId::parse("laptop").unwrap()).to_string(), "laptop");
    }
}
