//! Keys change without an outage: each start knows one more or one less, and no good token fails.

use crate::front_door::NO_CV2;
use crate::signed::assert_stranger;
use crate::support::credentials::{Key, bearer};
use crate::support::enrol::{address, post, solved};
use crate::support::gateway::{Gateway, Settings, request_body};
use crate::support::random_word;
use crate::support::signing::ToSign;

#[test]
fn keys_rotate_and_no_good_credential_fails() {
    let settings = Settings::new().unhurried().var("ENROLLMENT_DIFFICULTY", "8");
    let gateway = Gateway::start(settings);
    let old = gateway.key().clone();
    let new = Key::random("client-2");
    let home = address();
    let machine = "rotating";
    let (old_token, new_token) = (old.token(machine), new.token(machine));
    let status = |token: &str| gateway.post("/v1/analyze", &bearer(token), &request_body(NO_CV2)).status;
    let signed = |key: &Key| {
        let to_sign = ToSign { nonce: random_word(), ..ToSign::analysis(key, machine) };
        to_sign.sign(&gateway).send(&gateway).status
    };
    // The id of the key that signs what the gateway itself gives out.
    let signing = || {
        let reply = post(&gateway, &home, "/v1/enroll", &solved(&gateway, &home));
        assert_eq!(reply.status, 201, "{reply:?}");
        let enrolled = reply.json();
        let token = enrolled["token"].as_str().expect("a token").to_owned();
        assert_eq!(status(&token), 200, "what was just given out works");
        let keyid = enrolled["keyid"].as_str().expect("a key id").to_owned();
        (keyid.split(':').next().unwrap_or_default().to_owned(), token)
    };
    let restart_with = |keys: &[&Key]| {
        let setting: Vec<String> = keys.iter().map(|key| key.setting()).collect();
        gateway.crash();
        gateway.change_secret("TOKEN_KEYS", &setting.join(","));
        gateway.run();
    };

    assert_eq!((status(&old_token), signed(&old)), (200, 200));
    assert_eq!((status(&new_token), signed(&new)), (401, 401), "a key that is not there yet");
    let (kid, given_out_before) = signing();
    assert_eq!(kid, old.kid);
    let challenge_before = solved(&gateway, &home);

    restart_with(&[&old, &new]);
    assert_eq!((status(&old_token), signed(&old)), (200, 200));
    assert_eq!((status(&new_token), signed(&new)), (200, 200), "every key verifies");
    assert_eq!(signing().0, old.kid, "the first signs");

    restart_with(&[&new, &old]);
    assert_eq!((status(&old_token), signed(&old)), (200, 200), "the old still verifies");
    assert_eq!((status(&new_token), signed(&new)), (200, 200));
    assert_eq!(status(&given_out_before), 200);
    let (kid, given_out_after) = signing();
    assert_eq!(kid, new.kid, "the first signs");
    let redeemed = post(&gateway, &home, "/v1/enroll", &challenge_before);
    assert_eq!(redeemed.status, 201, "a challenge of the old key is still redeemed: {redeemed:?}");

    restart_with(&[&new]);
    assert_eq!((status(&new_token), signed(&new)), (200, 200));
    assert_eq!(status(&given_out_after), 200);
    assert_eq!((status(&old_token), signed(&old)), (401, 401), "the old key is gone");
    assert_eq!(status(&given_out_before), 401);
    // A token under the new key's name, signed with the old key, is nobody's.
    let renamed = Key { kid: new.kid.clone(), secret: old.secret.clone() };
    assert_stranger(&gateway.post("/v1/analyze", &bearer(&renamed.token(machine)), &request_body(NO_CV2)));
}
