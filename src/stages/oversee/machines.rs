//! Machines of today: `GET /admin/machines` and `GET /admin/machines/{machine_id}`.

use serde::Serialize;

use super::query::{Parameters, decode};
use crate::ledger::wire::treasury::{Answer, Errand};
use crate::ledger::wire::usage::{MachineDetail, MachineState, Machines, Order};
use crate::ledger::wire::{Command, Outcome};
use crate::policy::day::Day;
use crate::reject::Reject;
use crate::seams::Ledger;
use crate::stages::accept::machine_of;
use crate::stages::admit::refused;

/// Bytes of a machine's name.
const MOST_NAME: usize = 256;
const FORM: &str = "Take order, which is spent, requests or seen, and limit, 1 to 100, or neither.";

/// What the list answers.
#[derive(Debug, Serialize)]
pub struct List {
    day: Day,
    machines: Vec<Shown>,
    /// Whether every machine of today was looked at.
    complete: bool,
    request_id: String,
}

/// A machine, in the list or by itself.
#[derive(Debug, Serialize)]
pub struct Shown {
    machine_id: String,
    plan: String,
    requests: u64,
    spent_usd: String,
    reserved_usd: String,
    in_flight: u32,
    seen_at: String,
    /// By itself only: its revocation, or that it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<Option<Revoked>>,
    /// By itself only.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

#[derive(Debug, Serialize)]
struct Revoked {
    at: String,
    by: String,
    reason: String,
}

/// Asks each of today's shards for those that have the most, and takes the most of them.
///
/// # Errors
/// [`Reject::MalformedRequest`], [`Reject::LedgerUnavailable`].
pub async fn machines<L: Ledger>(query: &str, id: &str, ledger: &L) -> Result<List, Reject> {
    let parameters = Parameters::read(query, &["order", "limit"], FORM)?;
    let limit = u32::try_from(parameters.number("limit", 1..=100, 20)?).unwrap_or(u32::MAX);
    let order = match parameters.get("order") {
        None | Some("spent") => Order::Spent,
        Some("requests") => Order::Requests,
        Some("seen") => Order::Seen,
        Some(_) => return Err(parameters.wrong()),
    };
    let unavailable = |_| Reject::LedgerUnavailable;
    let Answer::State(treasury) = ledger.treasury(Errand::State).await.map_err(unavailable)? else {
        return Err(Reject::LedgerUnavailable);
    };
    let mut all = Vec::new();
    let mut complete = true;
    for shard in 0..treasury.shards {
        match ledger.tell(shard, Command::Machines { order, limit }).await.map_err(unavailable)? {
            Outcome::Machines(Machines { day, machines, complete: of_shard }) => {
                complete &= of_shard;
                // A shard whose clock is behind may not know of the new day yet.
                all.extend(machines.into_iter().filter(|_| day == treasury.day));
            }
            _ => return Err(Reject::LedgerUnavailable),
        }
    }
    let machines = order.first(all, limit).into_iter().map(Shown::of).collect();
    Ok(List { day: treasury.day, machines, complete, request_id: id.to_owned() })
}

/// Asks the shard of the machine that the path names.
///
/// # Errors
/// [`Reject::NoSuchMachine`], [`Reject::LedgerUnavailable`].
pub async fn machine<L: Ledger>(path: &str, id: &str, ledger: &L) -> Result<Shown, Reject> {
    let named = machine_of(path).and_then(decode);
    let is_name = |name: &String| name.len() <= MOST_NAME && name.bytes().all(|byte| byte.is_ascii_graphic());
    let subject = named.filter(is_name).ok_or(Reject::NoSuchMachine)?;
    let command = Command::Machine { subject: subject.clone() };
    match ledger.send(&subject, command).await.map_err(|_| Reject::LedgerUnavailable)? {
        Outcome::Machine(detail) => {
            let MachineDetail { machine, revocation } = *detail;
            let mut shown = Shown::of(machine.ok_or(Reject::NoSuchMachine)?);
            let revoked = revocation.map(|revocation| Revoked {
                at: revocation.at.rfc3339(),
                by: revocation.by,
                reason: revocation.reason,
            });
            (shown.revoked, shown.request_id) = (Some(revoked), Some(id.to_owned()));
            Ok(shown)
        }
        other => Err(refused(&other)),
    }
}

impl Shown {
    fn of(machine: MachineState) -> Self {
        Self {
            machine_id: machine.subject,
            plan: machine.plan,
            requests: machine.requests,
            spent_usd: machine.spent.to_string(),
            reserved_usd: machine.reserved.to_string(),
            in_flight: machine.in_flight,
            seen_at: machine.seen.rfc3339(),
            revoked: None,
            request_id: None,
        }
    }
}
