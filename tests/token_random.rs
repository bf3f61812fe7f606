//! Whatever arrives, the readers answer: nothing panics, and nothing that was changed is taken.

#![cfg(not(target_arch = "wasm32"))]

#[path = "token_support/requests.rs"]
mod requests;

use std::time::Duration;

use pip_aide_gateway::token::credential;
use pip_aide_gateway::token::digest::ContentDigest;
use pip_aide_gateway::token::enrol::{self, Challenge};
use pip_aide_gateway::token::jwt::{self, NewToken, TokenPolicy};
use pip_aide_gateway::token::keys::{Keyring, Purpose};
use pip_aide_gateway::token::machine_id::MachineId;
use pip_aide_gateway::token::network::Network;
use pip_aide_gateway::units::UnixMillis;

use requests::{COVERED, NOW, Request, ring};

const ROUNDS: usize = 6_000;

/// A small generator (xorshift), so that a failure comes back with the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    /// The text with one to three characters changed, taken out, doubled or put in.
    fn change(&mut self, text: &str) -> String {
        const PIECES: [&str; 22] = [
            "\"",
            "\\",
            "(",
            ")",
            ";",
            ",",
            "=",
            ":",
            ".",
            " ",
            "?",
            "*",
            "-",
            "_",
            "A",
            "0",
            "\u{e9}",
            "\u{0}",
            "\t",
            "sig=",
            "==",
            "a\u{1f511}",
        ];
        let mut characters: Vec<char> = text.chars().collect();
        for _ in 0..=self.below(3) {
            let at = self.below(characters.len().max(1)).min(characters.len());
            let piece: Vec<char> = PIECES[self.below(PIECES.len())].chars().collect();
            let taken = self.below(3).min(characters.len() - at);
            characters.splice(at..at + taken, piece);
        }
        characters.into_iter().collect()
    }
}

#[test]
fn changed_tokens_are_refused() {
    let policy = TokenPolicy { issuer: "i", audience: "a", ttl_days: 1 };
    let machine = MachineId::parse("machine-1").unwrap();
    let new = NewToken { machine: &machine, plan: None, life: Duration::from_secs(60), random: [5; 16] };
    let now = UnixMillis::from_seconds(NOW);
    let token = jwt::mint(&ring(), &policy, &new, now).unwrap().token;
    assert!(jwt::verify(&token, &ring(), &policy, now).is_ok());
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..ROUNDS {
        let changed = random.change(&token);
        assert!(changed == token || jwt::verify(&changed, &ring(), &policy, now).is_err(), "{changed:?}");
        let header = random.change(&format!("Bearer {token}"));
        let _ = credential::read(&[&header], false);
        let _ = jwt::peek(&changed);
    }
}

#[test]
fn changed_signatures_are_refused() {
    let parameters = format!(";created={NOW};keyid=\"new:machine-1\";nonce=\"n\";alg=\"hmac-sha256\"");
    let sealed = Request::new().seal(COVERED, &parameters);
    let by = sealed.verify().unwrap();
    for name in ["signature-input", "signature", "content-digest"] {
        assert!(sealed.clone().drop(name).verify().is_err(), "{name}");
    }
    let mut random = Random(0xd1b5_4a32_d192_ed03);
    for _ in 0..ROUNDS {
        for name in ["signature-input", "signature", "content-digest"] {
            let honest = sealed.header(name).unwrap();
            let field = random.change(&honest);
            let changed = sealed.clone().set(name, &field);
            // The label is not signed, and base64 may lose its padding: whoever is named, and for
            // what, stays the same.
            match changed.verify() {
                Ok(claimed) => {
                    assert!(claimed == by && name != "content-digest" || field.trim() == honest, "{field:?}")
                }
                Err(_) => assert_ne!(field, honest),
            }
            let _ = ContentDigest::read(&field);
        }
    }
}

#[test]
fn changed_challenges_keyrings_and_addresses_are_refused_or_read() {
    let now = UnixMillis::from_seconds(NOW);
    let challenge = Challenge::issue(&ring().signing().subkey(Purpose::Challenge), "n", 0, now, [1; 16]);
    assert!(enrol::redeem(&challenge, "1", &ring(), "n", now).is_ok());
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for _ in 0..ROUNDS {
        let changed = random.change(&challenge);
        assert!(
            changed == challenge || enrol::redeem(&changed, "1", &ring(), "n", now).is_err(),
            "{changed:?}"
        );
        let _ = Keyring::parse(&random.change("k1=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8,k2=x"));
        let _ = Network::parse(&random.change("2001:db8::ffff:203.0.113.7"));
    }
}
