//! `gatectl machines`: who calls, how often and for how much; or one of them.

use serde::Deserialize;

use crate::access::Access;
use crate::gateway::{encode, with_query};
use crate::output::{Answer, Failure};
use crate::revoke::read_name;
use crate::table::{Align, Table};
use crate::terminal::{Colour, Paint, plain};

/// What to show.
#[derive(clap::Args)]
pub struct Command {
    /// Show this machine only, by the name that the log shows, and whether it is revoked
    #[arg(value_name = "ID", value_parser = read_name, conflicts_with_all = ["order", "limit"])]
    machine: Option<String>,
    /// What comes first
    #[arg(long, value_enum, default_value_t)]
    order: Order,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    #[command(flatten)]
    access: Access,
}

#[derive(Clone, Copy, Default, clap::ValueEnum)]
enum Order {
    /// Who spent most today
    #[default]
    Spent,
    /// Who was admitted most often today
    Requests,
    /// Who was here last
    Seen,
}

#[derive(Deserialize)]
struct List {
    machines: Vec<Machine>,
    /// Whether every machine of today was looked at.
    complete: Option<bool>,
}

#[derive(Deserialize)]
struct Machine {
    machine_id: String,
    plan: String,
    requests: u64,
    spent_usd: String,
    in_flight: u64,
    seen_at: String,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(flatten)]
    machine: Machine,
    revoked: Option<Revoked>,
}

#[derive(Deserialize)]
struct Revoked {
    at: String,
    by: String,
    reason: String,
}

/// Does it.
pub fn run(command: Command) -> Result<Answer, Failure> {
    let gateway = command.access.open()?;
    let paint = Paint::of_stdout();
    if let Some(machine) = &command.machine {
        let (detail, json) = gateway.get::<Detail>(&format!("/admin/machines/{}", encode(machine)))?;
        return Ok(Answer::new(one(&detail, paint), json));
    }
    let order = match command.order {
        Order::Spent => "spent",
        Order::Requests => "requests",
        Order::Seen => "seen",
    };
    let parameters = [("order", Some(order.to_owned())), ("limit", Some(command.limit.to_string()))];
    let (list, json) = gateway.get::<List>(&with_query("/admin/machines", &parameters))?;
    let note = (list.complete == Some(false))
        .then(|| "there are more machines today than the gateway looks at: one may be missing".to_owned());
    Ok(Answer { text: table(&list.machines, paint), note, json, is_no: false })
}

fn table(machines: &[Machine], paint: Paint) -> String {
    if machines.is_empty() {
        return "no machine was seen lately".to_owned();
    }
    let head = vec![
        ("MACHINE", Align::Left),
        ("PLAN", Align::Left),
        ("REQUESTS", Align::Right),
        ("SPENT $", Align::Right),
        ("IN FLIGHT", Align::Right),
        ("SEEN", Align::Left),
    ];
    let mut table = Table::new(head);
    for machine in machines {
        table.row([
            machine.machine_id.as_str().into(),
            machine.plan.as_str().into(),
            machine.requests.into(),
            machine.spent_usd.as_str().into(),
            machine.in_flight.into(),
            machine.seen_at.as_str().into(),
        ]);
    }
    table.render(paint)
}

fn one(Detail { machine, revoked }: &Detail, paint: Paint) -> String {
    let table = table(std::slice::from_ref(machine), paint);
    let Some(Revoked { at, by, reason }) = revoked else { return table };
    let words = format!("Revoked at {} by {}: {}", plain(at), plain(by), plain(reason));
    format!("{table}\n\n{}", paint.colour(Colour::Red, &words))
}
