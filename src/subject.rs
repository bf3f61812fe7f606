//! Who a request is made by: the authenticated subject, the one identity that limits, spend and
//! logs go by. What a client says of itself in the body is only recorded.

use crate::token::machine_id::MachineId;

/// An authenticated subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A machine with a credential of this gateway.
    Machine(MachineId),
}

impl Subject {
    /// The name under which the ledger keeps it. The prefix keeps kinds of subjects apart, so that
    /// none can be named to meet another.
    #[must_use]
    pub fn ledger_name(&self) -> String {
        match self {
            Self::Machine(machine) => format!("m:{}", machine.as_str()),
        }
    }

    /// The machine id of log records.
    #[must_use]
    pub fn log_name(&self) -> String {
        match self {
            Self::Machine(machine) => machine.as_str().to_owned(),
        }
    }
}
