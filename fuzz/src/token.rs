//! Credentials: nothing is taken but what a key of ours made, in the one way in which it is spelt.

use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use pip_aide_gateway::token::Denied;
use pip_aide_gateway::token::credential::{self, Credential};
use pip_aide_gateway::token::foreign::verify_foreign;
use pip_aide_gateway::token::jwks::Jwks;
use pip_aide_gateway::token::jwt::{self, Claims, Minted, NewToken, TokenPolicy};
use pip_aide_gateway::token::keys::{Keyring, MAX_KEYS, is_kid, render_entry};
use pip_aide_gateway::token::machine_id::MachineId;
use pip_aide_gateway::units::UnixMillis;
use serde_json::Value;
use sha2::Sha256;

use super::choice;
use super::edits::all_edits;

const NOW: u64 = 1_800_000_000;
const KEY: [u8; 32] = [1; 32];
const OLD_KEY: [u8; 32] = [2; 32];
const POLICY: TokenPolicy<'_> =
    TokenPolicy { issuer: "pip-aide-gateway", audience: "pip-aide", ttl_days: 30 };
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT","kid":"new"}"#;
const CLAIMS: &str = r#"{"iss":"pip-aide-gateway","aud":"pip-aide","sub":"machine-1","iat":1799999940,"exp":1800003600,"jti":"token-1","plan":"pro","nbf":1799999940}"#;

/// 0 reads a header as it is, 1 changes an honest token, 2 and 3 change what is in one and sign it with
/// another key or with ours, 4 reads a keyring, 5 a key set and a token, with a zero byte between.
pub fn token(data: &[u8]) {
    match choice(data, 6) {
        Some((0, header)) => read_header(&String::from_utf8_lossy(header)),
        Some((1, [which, edits @ ..])) => change(usize::from(*which), edits),
        Some((2, edits)) => forge(edits),
        Some((3, edits)) => sign_anything(edits),
        Some((4, text)) => read_keyring(&String::from_utf8_lossy(text)),
        Some((5, parts)) => read_key_set(parts),
        _ => {}
    }
}

fn ring() -> &'static Keyring {
    static RING: OnceLock<Keyring> = OnceLock::new();
    let text = || format!("{},{}", render_entry("new", &KEY), render_entry("old", &OLD_KEY));
    RING.get_or_init(|| Keyring::parse(&text()).expect("a ring"))
}

fn now() -> UnixMillis {
    UnixMillis::from_seconds(NOW)
}

fn verify(token: &str) -> Result<Claims, Denied> {
    jwt::verify(token, ring(), &POLICY, now())
}

/// Tokens of both keys, with and without a plan.
fn minted() -> &'static [Minted] {
    static MINTED: OnceLock<Vec<Minted>> = OnceLock::new();
    MINTED.get_or_init(|| {
        let old = Keyring::parse(&render_entry("old", &OLD_KEY)).expect("a ring");
        let mint = |keyring: &Keyring, machine: &str, plan, seconds| {
            let machine = MachineId::parse(machine).expect("a machine");
            let life = Duration::from_secs(seconds);
            let new = NewToken { machine: &machine, plan, life, random: [7; 16] };
            jwt::mint(keyring, &POLICY, &new, now()).expect("a token")
        };
        vec![
            mint(ring(), "machine-1", None, 60),
            mint(ring(), "m", Some("pro"), 30 * 86_400),
            mint(&old, "another.machine_2", Some("trusted"), 3_600),
        ]
    })
}

/// What is taken is one of ours, letter by letter.
fn read_header(header: &str) {
    if let Ok(Credential::Jwt(token)) = credential::read(&[header], false) {
        assert!(token.bytes().all(|byte| byte.is_ascii_graphic()), "{token:?}");
        let is_ours = minted().iter().any(|minted| minted.token == token);
        assert_eq!(verify(&token).is_ok(), is_ours, "{token}");
        let _ = jwt::peek(&token);
    }
    assert!(credential::read(&[header, header], false).is_err());
    assert!(credential::read(&[header], true).is_err());
}

/// A token in which one letter is another is refused, and the unchanged one taken, however it comes.
fn change(which: usize, edits: &[u8]) {
    let honest = &minted()[which % minted().len()];
    let token = all_edits(&honest.token, edits);
    assert_eq!(verify(&token).ok(), (token == honest.token).then(|| honest.claims.clone()), "{token}");
    let basic = format!("Basic {}", STANDARD.encode(format!("any:{token}")));
    for header in [format!("Bearer {token}"), format!("bearer  {token}"), basic] {
        read_header(&header);
    }
}

fn parts(edits: &[u8]) -> (String, String) {
    let (of_header, of_claims) = edits.split_at(edits.len().min(6));
    (all_edits(HEADER, of_header), all_edits(CLAIMS, of_claims))
}

fn seal(key: &[u8], header: &str, claims: &str) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    mac.update(input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// Whatever it says: what another key signed, or the key of the wrong name, is refused.
fn forge(edits: &[u8]) {
    let (header, claims) = parts(edits);
    for key in [&[3; 32][..], &OLD_KEY, b"", HEADER.as_bytes()] {
        let token = seal(key, &header, &claims);
        // The old key's own tokens name it.
        let names_old = serde_json::from_str::<Value>(&header).is_ok_and(|header| header["kid"] == "old");
        assert!(verify(&token).is_err() || (key == OLD_KEY && names_old), "{header} {claims}");
    }
    let (input, _) = minted()[0].token.rsplit_once('.').expect("a signature");
    assert!(verify(&format!("{input}.")).is_err() && verify(input).is_err());
}

/// Also of what our key did sign, only what says all that a token has to is taken, and it is read as
/// another reader of JSON reads it.
fn sign_anything(edits: &[u8]) {
    let (header, claims) = parts(edits);
    let Ok(read) = verify(&seal(&KEY, &header, &claims)) else {
        return;
    };
    let header: Value = serde_json::from_str(&header).expect("JSON");
    assert_eq!((&header["alg"], &header["kid"]), (&"HS256".into(), &"new".into()), "{header}");
    let known = |name: &String| ["alg", "typ", "kid"].contains(&name.as_str());
    assert!(header.as_object().is_some_and(|header| header.keys().all(known)), "{header}");
    let said: Value = serde_json::from_str(&claims).expect("JSON");
    let only =
        |audience: &Value| *audience == POLICY.audience || *audience == serde_json::json!([POLICY.audience]);
    assert!(said["iss"] == POLICY.issuer && only(&said["aud"]), "{claims}");
    let seconds = |name: &str| said[name].as_u64().expect("whole seconds");
    let (issued, expires) = (seconds("iat"), seconds("exp"));
    assert!(issued < expires && expires - issued <= 30 * 86_400, "{claims}");
    assert!(issued <= NOW + 30 && NOW < expires + 30, "{claims}");
    assert!(
        said.get("nbf").is_none_or(|from| from.as_u64().is_some_and(|from| from <= NOW + 30)),
        "{claims}"
    );
    let expected = Claims {
        machine: MachineId::parse(said["sub"].as_str().expect("a subject")).expect("a machine"),
        plan: said.get("plan").map(|plan| plan.as_str().expect("a plan").to_owned()),
        issued_at: UnixMillis::from_seconds(issued),
        expires_at: UnixMillis::from_seconds(expires),
        jti: said["jti"].as_str().expect("an id").to_owned(),
        kid: "new".to_owned(),
    };
    assert_eq!(read, expected);
}

/// A ring is read, or refused by the place of an entry; the refusal has no room for a part of it.
fn read_keyring(text: &str) {
    match Keyring::parse(text) {
        Ok(ring) => {
            let kids: Vec<&str> = ring.keys().map(|key| key.kid()).collect();
            assert!((1..=MAX_KEYS).contains(&kids.len()) && kids.iter().all(|kid| is_kid(kid)), "{ring:?}");
            let is_once = |kid: &&str| kids.iter().filter(|other| other == &kid).count() == 1;
            assert!(kids.iter().all(is_once), "{ring:?}");
            assert!(ring.shares_a_key_with(&ring));
        }
        Err(error) => {
            assert!((1..=text.split(',').count()).contains(&error.position), "{error}");
        }
    }
}

/// No key set makes a token of somebody who has no key for it.
fn read_key_set(parts: &[u8]) {
    let at = parts.iter().position(|byte| *byte == 0).unwrap_or(parts.len());
    let (set, token) = parts.split_at(at);
    let Ok(set) = Jwks::parse(set) else {
        return;
    };
    let token = String::from_utf8_lossy(token.get(1..).unwrap_or_default());
    for token in [token.as_ref(), &minted()[0].token, &seal(b"", HEADER, CLAIMS)] {
        assert!(verify_foreign(token, &set, &POLICY, now()).is_err(), "{token}");
    }
}
