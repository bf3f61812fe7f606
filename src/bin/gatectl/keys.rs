//! `gatectl keys`: make keys, and change them while requests flow.

use pip_aide_gateway::token::keys::{Keyring, is_kid, render_entry};
use serde_json::json;

use crate::edge;
use crate::output::{Answer, Failure};
use crate::settings::{KeySource, Ring};

/// What to do with keys.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Print a new random key as `kid=base64url`, the form of TOKEN_KEYS and OPERATOR_KEYS
    New {
        /// The key's name; today's date and a random end by default
        #[arg(long)]
        kid: Option<String>,
    },
    /// Print the ring with a new key first, or with its keys changed as asked
    ///
    /// Without an outage: set what --standby prints and wait until it is live everywhere; then set
    /// what --promote KID prints; and when the old key's last token has expired, what --retire KID
    /// prints.
    Rotate {
        #[command(flatten)]
        change: Change,
        /// The new key's name
        #[arg(long, conflicts_with_all = ["promote", "retire"])]
        kid: Option<String>,
        /// Which ring to read
        #[arg(long, value_enum, default_value_t)]
        ring: Ring,
        /// Read the ring from standard input
        #[arg(long, conflicts_with = "keys_file")]
        stdin: bool,
        #[command(flatten)]
        source: KeySource,
    },
}

/// At most one of these; without one a new key is put first.
#[derive(clap::Args)]
#[group(multiple = false)]
pub struct Change {
    /// Put the new key last: it verifies and does not sign yet
    #[arg(long)]
    standby: bool,
    /// Make no new key and put this one first: it signs from then on
    #[arg(long, value_name = "KID")]
    promote: Option<String>,
    /// Make no new key and take this one out: what it signed is refused from then on
    #[arg(long, value_name = "KID")]
    retire: Option<String>,
}

/// Does it.
pub fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::New { kid } => {
            let (kid, entry) = new_entry(kid)?;
            Ok(Answer::new(entry.clone(), json!({ "kid": kid, "entry": entry })))
        }
        Command::Rotate { change, kid, ring, stdin, source } => {
            let text = if stdin { edge::stdin()? } else { source.require(ring)? };
            let before = source.read_ring(ring, &text)?;
            let entries: Vec<String> = text.trim().split(',').map(str::to_owned).collect();
            let entries = match change {
                Change { promote: Some(kid), .. } => promote(entries, &before, &kid)?,
                Change { retire: Some(kid), .. } => retire(entries, &before, &kid)?,
                Change { standby, .. } => add(entries, new_entry(kid)?.1, standby),
            };
            rotated(&entries.join(","))
        }
    }
}

/// A new key's name and its entry.
fn new_entry(kid: Option<String>) -> Result<(String, String), Failure> {
    let kid = match kid {
        Some(kid) if is_kid(&kid) => kid,
        Some(_) => {
            return Err(Failure::new("--kid takes 1 to 32 letters, digits, '.', '_' or '-'"));
        }
        None => {
            let date: String = edge::now()?.rfc3339().chars().take(10).collect();
            let [first, second] = edge::random()?;
            format!("{date}-{first:02x}{second:02x}")
        }
    };
    let entry = render_entry(&kid, &edge::random()?);
    Ok((kid, entry))
}

fn add(mut entries: Vec<String>, entry: String, standby: bool) -> Vec<String> {
    entries.insert(if standby { entries.len() } else { 0 }, entry);
    entries
}

fn promote(entries: Vec<String>, ring: &Keyring, kid: &str) -> Result<Vec<String>, Failure> {
    require_kid(ring, kid)?;
    let (mut chosen, rest): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| is_of(entry, kid));
    chosen.extend(rest);
    Ok(chosen)
}

fn retire(entries: Vec<String>, ring: &Keyring, kid: &str) -> Result<Vec<String>, Failure> {
    require_kid(ring, kid)?;
    if ring.signing().kid() == kid {
        return Err(Failure::new(format!(
            "{kid} signs: let another key sign first, with --promote, and wait until its tokens are in use"
        )));
    }
    Ok(entries.into_iter().filter(|entry| !is_of(entry, kid)).collect())
}

fn require_kid(ring: &Keyring, kid: &str) -> Result<(), Failure> {
    if ring.find(kid).is_some() {
        return Ok(());
    }
    let kids: Vec<&str> = ring.keys().map(|key| key.kid()).collect();
    Err(Failure::new(format!("no key {kid} in the ring; it has {}", kids.join(", "))))
}

fn is_of(entry: &str, kid: &str) -> bool {
    entry.split_once('=').is_some_and(|(name, _)| name == kid)
}

/// The changed ring, read once more: what is printed can be set as it is.
fn rotated(text: &str) -> Result<Answer, Failure> {
    let ring = Keyring::parse(text).map_err(|error| Failure::new(format!("the new ring: {error}")))?;
    let signs = ring.signing().kid().to_owned();
    let kids: Vec<&str> = ring.keys().map(|key| key.kid()).collect();
    Ok(Answer {
        text: text.to_owned(),
        note: Some(format!("{signs} signs; {} verify", kids.join(", "))),
        json: json!({ "ring": text, "signs": signs, "kids": kids }),
        is_no: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> (Vec<String>, Keyring) {
        let entries = ["a", "b", "c"].map(|kid| render_entry(kid, &[kid.as_bytes()[0]; 32])).to_vec();
        let ring = Keyring::parse(&entries.join(",")).unwrap();
        (entries, ring)
    }

    fn kids(entries: &[String]) -> Vec<String> {
        let ring = Keyring::parse(&entries.join(",")).unwrap();
        ring.keys().map(|key| key.kid().to_owned()).collect()
    }

    #[test]
    fn a_ring_is_changed_one_key_at_a_time() {
        let (before, ring) = entries();
        let new = render_entry("n", &[9; 32]);
        assert_eq!(kids(&add(before.clone(), new.clone(), false)), ["n", "a", "b", "c"]);
        assert_eq!(kids(&add(before.clone(), new, true)), ["a", "b", "c", "n"]);
        assert_eq!(kids(&promote(before.clone(), &ring, "c").unwrap()), ["c", "a", "b"]);
        assert_eq!(kids(&retire(before.clone(), &ring, "b").unwrap()), ["a", "c"]);
        assert!(retire(before.clone(), &ring, "a").is_err());
        assert!(promote(before.clone(), &ring, "x").is_err() && retire(before, &ring, "x").is_err());
    }
}
