//! Tokens that published libraries mint are accepted: none of our code has a part in them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::front_door::NO_CV2;
use crate::peers;
use crate::signed::assert_stranger;
use crate::support::credentials::{basic, bearer, claims, unix_seconds};
use crate::support::door::Door as _;
use crate::support::fleet::Fleet;
use crate::support::forge::changed;
use crate::support::gateway::{Settings, request_body};
use crate::support::provider::{self, Answer, Provider};

/// What Python's PyJWT and Node's jose make of the same claims.
fn made(settings: &Settings, machine: &str, foreign: &Value) -> [(&'static str, Value); 2] {
    let key = settings.key();
    let client = changed(&claims(machine), "plan", Some(json!("trusted")));
    let asked = json!({ "secret": key.secret, "kid": key.kid, "client": client, "foreign": foreign });
    [("PyJWT", peers::python("mint.py", &asked)), ("jose", peers::node("mint.mjs", &asked))]
}

#[test]
fn client_tokens_of_pyjwt_and_jose_are_accepted() {
    let settings = Settings::new().unhurried();
    let made = made(&settings, "minted", &json!({}));
    let fleet = Fleet::start(&[("worker", settings)]);
    let worker = fleet.member("worker");
    for (library, made) in made {
        let token = made["client"].as_str().expect("a token is text");
        for authorization in [bearer(token), basic("minted", token)] {
            for path in ["/v1/analyze", "/analyze_error"] {
                let reply = worker.post(path, &authorization, &request_body(NO_CV2));
                assert_eq!(reply.status, 200, "{library}: {reply:?}");
            }
            let me = worker.look(&authorization);
            assert_eq!(me.status, 200, "{library}: {me:?}");
            assert_eq!((&me.json()["machine_id"], &me.json()["plan"]), (&json!("minted"), &json!("trusted")));
        }
        // It is the library's MAC that counts: with another one it is a stranger's.
        let (input, mac) = token.rsplit_once('.').expect("a MAC");
        let mut mac = URL_SAFE_NO_PAD.decode(mac).expect("base64url");
        mac[0] ^= 1;
        let forged = format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac));
        assert_stranger(&worker.look(&bearer(&forged)));
    }
}

#[test]
fn a_providers_tokens_of_pyjwt_and_jose_are_accepted_with_all_three_algorithms() {
    let settings = Settings::new()
        .unhurried()
        .var("JWT_ISSUER", "https://issuer.example")
        .var("JWT_AUDIENCE", "gateway");
    let good = provider::claims("user@example");
    let foreign = json!({
        "good": good,
        "ended": changed(&good, "exp", Some(json!(unix_seconds() - 60))),
        "of another": changed(&good, "iss", Some(json!("https://other.example"))),
    });
    let made = made(&settings, "minted", &foreign);
    // Both use the same names for their keys, so each library has a Worker of its own.
    for (library, made) in made {
        let provider = Provider::start(Answer::Keys);
        for key in made["keys"].as_array().expect("keys are a list") {
            provider.publish(key);
        }
        let fleet = Fleet::start(&[("worker", settings.clone().var("JWKS_URL", &provider.url()))]);
        let worker = fleet.member("worker");
        for key in ["rsa RS256", "p256 ES256", "ed EdDSA"] {
            let token =
                |name: &str| made["tokens"][format!("{key} {name}")].as_str().expect("text").to_owned();
            let reply = worker.look(&bearer(&token("good")));
            assert_eq!(reply.status, 200, "{library} {key}: {reply:?}");
            assert_eq!(worker.look(&basic("x", &token("good"))).status, 200, "{library} {key}");
            assert_stranger(&worker.look(&bearer(&token("ended"))));
            assert_stranger(&worker.look(&bearer(&token("of another"))));
        }
    }
}
