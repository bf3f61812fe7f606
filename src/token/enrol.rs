//! Enrolment: a machine without an account pays with work for credentials of its own.
//!
//! A challenge is stateless: it is authenticated and dated, and the client's network is in its MAC.
//! That it works only once is the ledger's part, which is given the challenge's id.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::Denied;
use super::claims::LEEWAY;
use super::difficulty::leading_zero_bits;
use super::keys::{Keyring, Purpose, Subkey};
use super::mac::MAC_BYTES;
use crate::units::UnixMillis;

/// How long a challenge can be redeemed.
pub const CHALLENGE_LIFE: Duration = Duration::from_secs(300);
/// Most digits of a solution: `u64::MAX` has twenty.
pub const MAX_SOLUTION_DIGITS: usize = 20;

/// Version, difficulty, moment of issue, id.
const BODY_BYTES: usize = 1 + 1 + 8 + ID_BYTES;
const ID_BYTES: usize = 16;
/// Characters of a challenge: base64url of these and the MAC, 58 bytes.
const TEXT_CHARS: usize = 78;
/// A new layout gets a new number, so that no old challenge is read as a new one.
const VERSION: u8 = 1;

/// What a challenge holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    id: [u8; ID_BYTES],
    difficulty: u8,
    issued_at: UnixMillis,
}

impl Challenge {
    /// A new challenge as text, 78 characters of unpadded base64url: version, difficulty, moment and
    /// id, then the MAC of these and of `network` with the [`Purpose::Challenge`] subkey.
    #[must_use]
    pub fn issue(
        subkey: &Subkey,
        network: &str,
        difficulty: u8,
        now: UnixMillis,
        random: [u8; ID_BYTES],
    ) -> String {
        let body = Self { id: random, difficulty, issued_at: now }.to_bytes();
        let tag = subkey.mac(&bind(&body, network));
        URL_SAFE_NO_PAD.encode([body.as_slice(), tag.as_slice()].concat())
    }

    fn to_bytes(self) -> Vec<u8> {
        let head: &[u8] = &[VERSION, self.difficulty];
        [head, &self.issued_at.millis().to_be_bytes(), &self.id].concat()
    }

    fn from_bytes(body: &[u8; BODY_BYTES]) -> Option<Self> {
        let (head, rest) = body.split_first_chunk::<2>()?;
        let (millis, id) = rest.split_first_chunk::<8>()?;
        match *head {
            [VERSION, difficulty] => Some(Self {
                id: id.try_into().ok()?,
                difficulty,
                issued_at: UnixMillis::from_millis(u64::from_be_bytes(*millis)),
            }),
            _ => None,
        }
    }
}

/// What the MAC covers. The body's length is fixed, so the network begins at one place only.
fn bind(body: &[u8], network: &str) -> Vec<u8> {
    [body, network.as_bytes()].concat()
}

/// A challenge that was met: everything but its single use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redeemed {
    /// To be redeemed once.
    pub id: [u8; ID_BYTES],
    /// The bits that were asked for.
    pub difficulty: u8,
    /// Until this moment the id must be remembered.
    pub expires_at: UnixMillis,
}

/// Holds a challenge and its solution against every key of the ring, the client's network, the
/// clock and the work.
///
/// # Errors
/// [`Denied::BadChallenge`] when it is not ours, was altered, or was issued to another network (the
/// MAC does not tell which), [`Denied::Expired`], or [`Denied::BadSolution`].
pub fn redeem(
    text: &str,
    solution: &str,
    keyring: &Keyring,
    network: &str,
    now: UnixMillis,
) -> Result<Redeemed, Denied> {
    let (body, tag) = decode(text).ok_or(Denied::BadChallenge)?;
    let bound = bind(&body, network);
    if !keyring.keys().any(|key| key.subkey(Purpose::Challenge).verify(&bound, &tag)) {
        return Err(Denied::BadChallenge);
    }
    let challenge = Challenge::from_bytes(&body).ok_or(Denied::BadChallenge)?;
    let expires_at = challenge.issued_at.plus(CHALLENGE_LIFE);
    if now >= expires_at {
        return Err(Denied::Expired);
    }
    // Another of our isolates issued it, whose clock may be a little ahead.
    if challenge.issued_at > now.plus(LEEWAY) {
        return Err(Denied::IssuedInFuture);
    }
    if !is_solution(text, solution, challenge.difficulty) {
        return Err(Denied::BadSolution);
    }
    Ok(Redeemed { id: challenge.id, difficulty: challenge.difficulty, expires_at })
}

/// Whether SHA-256 of `<challenge>.<solution>` begins with that many zero bits.
#[must_use]
pub fn is_solution(challenge: &str, solution: &str, difficulty: u8) -> bool {
    let is_decimal = (1..=MAX_SOLUTION_DIGITS).contains(&solution.len())
        && solution.bytes().all(|byte| byte.is_ascii_digit());
    let hash = Sha256::new().chain_update(challenge).chain_update(".").chain_update(solution).finalize();
    is_decimal && leading_zero_bits(&hash) >= u32::from(difficulty)
}

fn decode(text: &str) -> Option<([u8; BODY_BYTES], [u8; MAC_BYTES])> {
    // Bounded before it is decoded.
    if text.len() != TEXT_CHARS {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (body, tag) = bytes.split_first_chunk::<BODY_BYTES>()?;
    Some((*body, tag.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);
    const NETWORK: &str = "203.0.113.7";

    fn ring(text: &str) -> Keyring {
        let entries: Vec<String> = text
            .bytes()
            .map(|byte| crate::token::keys::render_entry(&char::from(byte).to_string(), &[byte; 32]))
            .collect();
        Keyring::parse(&entries.join(",")).unwrap()
    }

    fn issue(keys: &str, difficulty: u8) -> String {
        Challenge::issue(&ring(keys).signing().subkey(Purpose::Challenge), NETWORK, difficulty, NOW, [7; 16])
    }

    fn solve(challenge: &str, difficulty: u8) -> String {
        (0_u64..1_000_000)
            .map(|i| i.to_string())
            .find(|text| is_solution(challenge, text, difficulty))
            .unwrap()
    }

    #[test]
    fn a_solved_challenge_is_redeemed_under_any_key_of_the_ring() {
        let challenge = issue("a", 8);
        assert_eq!(challenge.len(), 78);
        let solution = solve(&challenge, 8);
        let expected =
            Redeemed { id: [7; 16], difficulty: 8, expires_at: NOW.plus(Duration::from_secs(300)) };
        for keys in ["a", "ba", "bca"] {
            assert_eq!(redeem(&challenge, &solution, &ring(keys), NETWORK, NOW), Ok(expected));
        }
        assert_eq!(redeem(&challenge, &solution, &ring("b"), NETWORK, NOW), Err(Denied::BadChallenge));
    }

    /// The text and the work are a contract with clients: the digest is from Python's `hashlib`.
    #[test]
    fn the_text_and_the_work_are_pinned() {
        assert_eq!(
            issue("a", 18),
            "ARIAAAGjGFxQAAcHBwcHBwcHBwcHBwcHBwdx6s9BLZiH4p_BwAZeT-xqQiUKNkr6T_XlVqunIcFZcQ"
        );
        assert_eq!(
            solve("ARIAAAGjGFxQAAcHBwcHBwcHBwcHBwcHBwdx6s9BLZiH4p_BwAZeT-xqQiUKNkr6T_XlVqunIcFZcQ", 12),
            "7794"
        );
    }

    #[test]
    fn the_network_the_difficulty_and_every_bit_are_authenticated() {
        let challenge = issue("a", 4);
        let solution = solve(&challenge, 4);
        for network in ["", "203.0.113.8", "203.0.113.7 ", "203.0.113.70", "2001:db8::/64"] {
            assert_eq!(redeem(&challenge, &solution, &ring("a"), network, NOW), Err(Denied::BadChallenge));
        }
        let bytes = URL_SAFE_NO_PAD.decode(&challenge).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut forged = bytes.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let forged = URL_SAFE_NO_PAD.encode(forged);
            let solution = solve(&forged, 4);
            assert_eq!(redeem(&forged, &solution, &ring("a"), NETWORK, NOW), Err(Denied::BadChallenge));
        }
        let extended = URL_SAFE_NO_PAD.encode([bytes.as_slice(), &[0]].concat());
        let shortened = URL_SAFE_NO_PAD.encode(&bytes[..57]);
        let padded = format!("{challenge}==");
        for text in ["", "!", &extended, &shortened, &padded, &"A".repeat(10_000)] {
            assert_eq!(redeem(text, "1", &ring("a"), NETWORK, NOW), Err(Denied::BadChallenge), "{text}");
        }
    }

    #[test]
    fn a_challenge_of_another_version_is_not_read() {
        let mut body = Challenge { id: [7; 16], difficulty: 0, issued_at: NOW }.to_bytes();
        body[0] = 2;
        let tag = ring("a").signing().subkey(Purpose::Challenge).mac(&bind(&body, NETWORK));
        let text = URL_SAFE_NO_PAD.encode([body.as_slice(), &tag].concat());
        assert_eq!(redeem(&text, "1", &ring("a"), NETWORK, NOW), Err(Denied::BadChallenge));
    }

    #[test]
    fn a_challenge_lives_five_minutes() {
        let challenge = issue("a", 0);
        for (at, result) in [
            (NOW.millis() + 299_999, Ok(())),
            (NOW.millis() + 300_000, Err(Denied::Expired)),
            (NOW.millis() - 30_000, Ok(())),
            (NOW.millis() - 30_001, Err(Denied::IssuedInFuture)),
        ] {
            let redeemed = redeem(&challenge, "1", &ring("a"), NETWORK, UnixMillis::from_millis(at));
            assert_eq!(redeemed.map(|_| ()), result, "{at}");
        }
    }

    #[test]
    fn only_a_short_decimal_that_meets_the_difficulty_solves() {
        let challenge = issue("a", 6);
        let good = solve(&challenge, 6);
        let missed =
            (0_u64..1_000_000).map(|i| i.to_string()).find(|text| !is_solution(&challenge, text, 6)).unwrap();
        assert!(redeem(&challenge, &good, &ring("a"), NETWORK, NOW).is_ok());
        for solution in ["", "-1", "+1", "0x1", "1.0", "1e3", " 1", "１", missed.as_str()] {
            let redeemed = redeem(&challenge, solution, &ring("a"), NETWORK, NOW);
            assert_eq!(redeemed, Err(Denied::BadSolution), "{solution:?}");
        }
        // Without a difficulty only the form is left to refuse.
        let free = issue("a", 0);
        assert!(redeem(&free, &"1".repeat(20), &ring("a"), NETWORK, NOW).is_ok());
        for solution in ["".to_owned(), "1".repeat(21), "x".to_owned(), "１".to_owned()] {
            assert_eq!(redeem(&free, &solution, &ring("a"), NETWORK, NOW), Err(Denied::BadSolution));
        }
    }
}
