//! Tokens that somebody could make, by what is wrong with them. Each has a right MAC wherever its
//! attack allows one, so that nothing but the attack is what it is refused for; and before and
//! after each attack an honest token, made by the same hand, is admitted.

mod claims;
mod headers;
mod macs;
mod spelling;

use std::sync::{Arc, LazyLock};

use serde_json::json;

use crate::front_door::NO_CV2;
use crate::signed::assert_stranger;
use crate::support::credentials::{self, basic, bearer};
use crate::support::door::Door as _;
use crate::support::forge::{bytes, seal};
use crate::support::gateway::{Gateway, Settings, request_body};
use crate::support::random_word;

/// The name of the key that signs; see [`Settings::new`].
const KID: &str = "client-1";

fn door() -> Arc<Gateway> {
    static GATEWAY: LazyLock<Arc<Gateway>> = LazyLock::new(|| Gateway::shared(Settings::new().unhurried()));
    Arc::clone(&GATEWAY)
}

fn key() -> Vec<u8> {
    bytes(door().key())
}

fn header() -> String {
    json!({ "alg": "HS256", "typ": "JWT", "kid": KID }).to_string()
}

/// An attack by name, and the token it sends.
type Row = (String, String);

fn row(name: impl ToString, token: String) -> Row {
    (name.to_string(), token)
}

#[track_caller]
fn assert_admitted(name: &str, token: &str) {
    let gateway = door();
    let asked = gateway.post("/v1/analyze", &bearer(token), &request_body(NO_CV2));
    assert_eq!(asked.status, 200, "{name}: {token}: {asked:?}");
    let looked = gateway.look(&basic("x", token));
    assert_eq!(looked.status, 200, "{name}: {token}: {looked:?}");
}

/// Sends each by Bearer to the route that spends money, and by Basic to one that only looks.
#[track_caller]
fn assert_refused(rows: &[Row]) {
    assert!(!rows.is_empty());
    let gateway = door();
    // Another machine each time, for one looks twenty times and then has to wait.
    let honest = || {
        let machine = format!("honest-{}", random_word());
        seal(&key(), &header(), &credentials::claims(&machine).to_string())
    };
    assert_admitted("an honest token", &honest());
    for (name, token) in rows {
        let asked = gateway.post("/v1/analyze", &bearer(token), &request_body(NO_CV2));
        assert_eq!(asked.status, 401, "{name}: {token}: {asked:?}");
        assert_stranger(&asked);
        let looked = gateway.look(&basic("x", token));
        assert_eq!(looked.status, 401, "{name}, by Basic: {token}: {looked:?}");
        assert_stranger(&looked);
    }
    assert_admitted("an honest token, afterwards", &honest());
}
