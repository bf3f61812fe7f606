//! Signed requests, made by published clients: each is admitted once, and what was changed is not.

use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

use crate::front_door::NO_CV2;
use crate::peers;
use crate::support::client::Reply;
use crate::support::credentials::{basic, bearer, unix_seconds};
use crate::support::gateway::{Gateway, Settings, request_body};
use crate::support::random_word;
use crate::support::raw::Then;
use crate::support::signing::{Signed, ToSign};

fn door() -> Arc<Gateway> {
    static GATEWAY: LazyLock<Arc<Gateway>> = LazyLock::new(|| Gateway::shared(Settings::new().unhurried()));
    Arc::clone(&GATEWAY)
}

/// The one answer to whatever does not verify.
#[track_caller]
pub fn assert_stranger(reply: &Reply) {
    reply.assert_problem(401, "unauthenticated");
    let challenge = reply.header_list("www-authenticate");
    assert!(challenge.contains("Bearer") && challenge.contains("Basic"), "{reply:?}");
}

#[track_caller]
fn assert_admitted_once(gateway: &Gateway, name: &str, signed: &Signed) {
    let first = signed.send(gateway);
    assert_eq!(first.status, 200, "{name}: {first:?} {:?}", signed.headers);
    for _ in 0..2 {
        let again = signed.send(gateway);
        assert_eq!(again.status, 401, "{name}: {again:?}");
        assert_stranger(&again);
    }
}

#[test]
fn what_published_clients_sign_is_admitted_once() {
    let gateway = door();
    let machine = format!("peer-{}", random_word());
    // The secret as the npm client's runtime derives it: none of our code has a part in it.
    let secret = derived_secret(&gateway, &machine);
    let body = String::from_utf8(request_body(&format!("{NO_CV2}r\u{e9}sum\u{e9} \u{1f40d}"))).expect("text");
    let requests = json!({
        "post": { "method": "POST", "url": gateway.url("/v1/analyze"), "data": body },
        "query": { "method": "POST", "url": gateway.url("/analyze_error?a=%20b&c="), "data": body },
        "get": { "method": "GET", "url": gateway.url("/v1/me"), "data": null },
    });
    let keyid = format!("{}:{machine}", gateway.key().kid);
    let asked = json!({ "secret": secret, "keyid": keyid, "requests": requests });
    let mut count = 0;
    for printed in [peers::python("sign.py", &asked), peers::node("sign.mjs", &asked)] {
        for (name, request) in printed.as_object().expect("requests by name") {
            assert_admitted_once(&gateway, name, &Signed::printed(&gateway, request));
            count += 1;
        }
    }
    assert_eq!(count, 9, "three clients sign three requests each");
}

/// HKDF by Node's own crypto.
fn derived_secret(gateway: &Gateway, machine: &str) -> String {
    static DERIVE: &str = "const c=require('crypto');const [k,m]=process.argv.slice(1);process.stdout.write(\
        Buffer.from(c.hkdfSync('sha256',Buffer.from(k,'base64url'),Buffer.alloc(0),\
        'pip-aide-gateway/v1/request-signing/'+m,32)).toString('base64url'))";
    let output = std::process::Command::new("node")
        .args(["-e", DERIVE, &gateway.key().secret, machine])
        .output()
        .expect("node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a secret is text")
}

#[test]
fn a_signed_look_at_the_limits_is_answered_once() {
    let gateway = door();
    let machine = format!("look-{}", random_word());
    let look = ToSign::look(gateway.key(), &machine).sign(&gateway);
    let reply = look.send(&gateway);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["machine_id"], Value::from(machine));
    assert_stranger(&look.send(&gateway));
}

#[test]
fn a_signed_look_and_a_signed_analysis_share_their_nonces() {
    let gateway = door();
    let machine = format!("shared-{}", random_word());
    let nonce = random_word();
    let look = ToSign { nonce: nonce.clone(), ..ToSign::look(gateway.key(), &machine) };
    let analysis = ToSign { nonce: nonce.clone(), ..ToSign::analysis(gateway.key(), &machine) };
    assert_eq!(look.sign(&gateway).send(&gateway).status, 200);
    assert_stranger(&analysis.sign(&gateway).send(&gateway));
    // Another machine may choose the same one.
    let other = ToSign { machine: format!("other-{machine}"), ..analysis };
    assert_eq!(other.sign(&gateway).send(&gateway).status, 200);
}

#[test]
fn what_is_changed_after_signing_is_refused() {
    let gateway = door();
    let machine = format!("changed-{}", random_word());
    let sign = || ToSign::analysis(gateway.key(), &machine).sign(&gateway);
    assert_eq!(sign().send(&gateway).status, 200, "unchanged it is admitted");

    let mut path = sign();
    path.target = "/analyze_error".to_owned();
    let mut query = sign();
    query.target.push_str("?x=1");
    let mut body = sign();
    body.body = Some(request_body("ERROR: of another"));
    let mut no_body = sign();
    no_body.body = Some(Vec::new());
    let swap = |name: &str, from: &str, to: &str| {
        let mut signed = sign();
        let (_, value) = signed.headers.iter_mut().find(|(known, _)| known == name).expect("the header");
        assert!(value.contains(from), "{value}");
        *value = value.replace(from, to);
        signed
    };
    let changed = [
        ("path", path),
        ("query", query),
        ("body", body),
        ("no body", no_body),
        ("machine", swap("signature-input", &machine, "another-machine")),
        ("key", swap("signature-input", &gateway.key().kid, "client-2")),
        ("created", swap("signature-input", "created=1", "created=2")),
        ("digest", swap("content-digest", "sha-256=:", "sha-256=:AAAA")),
        ("components", swap("signature-input", "\"@authority\" ", "")),
        ("algorithm", swap("signature-input", "hmac-sha256", "rsa-v1_5-sha256")),
        ("signature", swap("signature", "=:", "=:AAAA")),
        ("label", swap("signature", "sig", "gis")),
    ];
    for (name, signed) in changed {
        let reply = signed.send(&gateway);
        assert_eq!(reply.status, 401, "{name}: {reply:?}");
        assert_stranger(&reply);
    }
    // The method cannot be changed on the way to another that the route takes, but for a look.
    let mut head = ToSign::look(gateway.key(), &machine).sign(&gateway);
    head.method = "HEAD";
    assert_eq!(head.send(&gateway).status, 401);
    head.method = "GET";
    assert_eq!(head.send(&gateway).status, 200, "what was refused has not used up the nonce");
}

#[test]
fn what_does_not_sign_enough_is_refused() {
    let gateway = door();
    let machine = format!("little-{}", random_word());
    let good = ToSign::analysis(gateway.key(), &machine);
    let fields = |fields: &[&'static str]| ToSign { fields: fields.to_vec(), ..good.clone() };
    let without = |name: &'static str| ToSign { without: vec![name], ..good.clone() };
    let now = unix_seconds();
    let created = |created: u64| ToSign { created, nonce: random_word(), ..good.clone() };
    let foreign = crate::support::credentials::Key::random(&gateway.key().kid);
    for (name, to_sign) in [
        ("method", fields(&["@authority", "@target-uri", "content-digest"])),
        ("authority", fields(&["@method", "@target-uri", "content-digest"])),
        ("target", fields(&["@method", "@authority", "content-digest"])),
        ("query", fields(&["@method", "@authority", "@path", "content-digest"])),
        ("path", fields(&["@method", "@authority", "@query", "content-digest"])),
        ("digest", fields(&["@method", "@authority", "@target-uri"])),
        ("nothing", fields(&[])),
        ("nonce", without("nonce")),
        ("created", without("created")),
        ("keyid", without("keyid")),
        ("too old", created(now - 400)),
        ("too new", created(now + 400)),
        ("long ago", created(1)),
        ("digest of another body", ToSign { digest_of: Some(b"{}".to_vec()), ..good.clone() }),
        ("empty nonce", ToSign { nonce: String::new(), ..good.clone() }),
        ("long nonce", ToSign { nonce: "n".repeat(129), ..good.clone() }),
        ("another key", ToSign { key: foreign, ..good.clone() }),
        ("no machine", ToSign { machine: String::new(), ..good.clone() }),
    ] {
        let reply = to_sign.sign(&gateway).send(&gateway);
        assert_eq!(reply.status, 401, "{name}: {reply:?}");
        assert_stranger(&reply);
    }
    // Without the algorithm's name it is the key's; path and query together are the target.
    let enough = ["@query", "@path", "content-digest", "@authority", "@method"];
    let enough = ToSign { fields: enough.to_vec(), without: vec!["alg"], ..good.clone() };
    assert_eq!(enough.sign(&gateway).send(&gateway).status, 200);
    assert_eq!(created(now - 200).sign(&gateway).send(&gateway).status, 200);
    assert_eq!(created(now + 200).sign(&gateway).send(&gateway).status, 200);
}

#[test]
fn of_sixty_four_with_one_nonce_exactly_one_is_admitted() {
    let gateway = door();
    let machine = format!("race-{}", random_word());
    let signed = ToSign::analysis(gateway.key(), &machine).sign(&gateway);
    let barrier = std::sync::Barrier::new(64);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let ask = || {
            barrier.wait();
            signed.send(&gateway).status
        };
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 63, "{statuses:?}");
}

#[test]
fn a_nonce_is_remembered_over_a_crash() {
    let gateway = Gateway::start(Settings::new().unhurried());
    let machine = format!("crash-{}", random_word());
    let analysis = ToSign::analysis(gateway.key(), &machine);
    let look = ToSign::look(gateway.key(), &machine);
    assert_eq!(analysis.sign(&gateway).send(&gateway).status, 200);
    assert_eq!(look.sign(&gateway).send(&gateway).status, 200);
    gateway.crash();
    gateway.run();
    // The port is another one, so they are signed anew, with the same nonces.
    assert_stranger(&analysis.sign(&gateway).send(&gateway));
    assert_stranger(&look.sign(&gateway).send(&gateway));
    let fresh = ToSign { nonce: random_word(), ..analysis };
    assert_eq!(fresh.sign(&gateway).send(&gateway).status, 200, "a new nonce is admitted");
}

#[test]
fn two_credentials_at_once_are_refused() {
    let gateway = door();
    let machine = format!("two-{}", random_word());
    let token = gateway.key().token(&machine);
    let sign = || ToSign::analysis(gateway.key(), &machine).sign(&gateway);
    for authorization in [bearer(&token), basic("x", &token), "Bearer".to_owned()] {
        let reply = sign().with("authorization", &authorization).send(&gateway);
        assert_eq!(reply.status, 401, "{authorization:?}: {reply:?}");
    }
    for name in ["signature", "signature-input"] {
        let mut half = sign();
        half.headers.retain(|(known, _)| known != name);
        assert_stranger(&half.send(&gateway));
        assert_stranger(&half.with("authorization", &bearer(&token)).send(&gateway));
        let mut twice = sign();
        let value = twice.headers.iter().find(|(known, _)| known == name).expect("it is there").1.clone();
        twice = twice.with(name, &value);
        assert_stranger(&twice.send(&gateway));
    }
    // Two signatures under two labels: which of them counts?
    let (mut both, second) = (sign(), sign());
    for (name, value) in second.headers.iter().filter(|(name, _)| name.starts_with("signature")) {
        both.headers.push((name.clone(), format!("x{value}")));
    }
    assert_stranger(&both.send(&gateway));
    let authorization = bearer(&token);
    let head = format!("GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", gateway.port());
    let twice = format!("{head}Authorization: {authorization}\r\nAuthorization: {authorization}\r\n\r\n");
    assert_stranger(&gateway.send_raw(twice.as_bytes(), Then::Wait).expect("an answer"));
    let once = format!("{head}Authorization: {authorization}\r\n\r\n");
    assert_eq!(gateway.send_raw(once.as_bytes(), Then::Wait).expect("an answer").status, 200);
}

#[test]
fn the_authority_is_the_one_that_the_client_asked_for() {
    let gateway = door();
    let signed = ToSign::look(gateway.key(), &format!("host-{}", random_word())).sign(&gateway);
    let send = |host: &str| {
        let mut head = format!("GET {} HTTP/1.1\r\nHost: {host}\r\n", signed.target);
        for (name, value) in &signed.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        gateway.send_raw(format!("{head}\r\n").as_bytes(), Then::Wait).expect("an answer")
    };
    assert_stranger(&send("gateway.example"));
    assert_stranger(&send(&format!("localhost:{}", gateway.port())));
    let own = send(&format!("127.0.0.1:{}", gateway.port()));
    assert_eq!(own.status, 200, "{own:?}");
}

#[test]
fn all_that_fail_look_alike() {
    let gateway = door();
    let machine = format!("alike-{}", random_word());
    let signed = ToSign::analysis(gateway.key(), &machine).sign(&gateway);
    assert_eq!(signed.send(&gateway).status, 200);
    let mut forged = ToSign::analysis(gateway.key(), &machine).sign(&gateway);
    forged.body = Some(request_body("another"));
    let unknown = crate::support::credentials::Key::random("nobody").token(&machine);
    let operator = gateway.operator_key().token(&machine);
    let body = request_body(NO_CV2);
    let json = ("Content-Type", "application/json");
    let refused = [
        signed.send(&gateway),
        forged.send(&gateway),
        ToSign { created: 5, ..ToSign::analysis(gateway.key(), &machine) }.sign(&gateway).send(&gateway),
        gateway.send("POST", "/v1/analyze", &[json], Some(&body)),
        gateway.post("/v1/analyze", &bearer(&unknown), &body),
        gateway.post("/v1/analyze", &basic("x", &operator), &body),
        gateway.post("/analyze_error", "Bearer", &body),
        gateway.send("GET", "/v1/me", &[], None),
        gateway.send("GET", "/admin/revocations", &[], None),
        gateway.send("GET", "/admin/revocations", &[("Authorization", "Bearer x.y.z")], None),
    ];
    let seen: Vec<_> = refused
        .iter()
        .map(|reply| {
            assert_stranger(reply);
            let id = reply.request_id();
            let mut headers = reply.headers.clone();
            headers.retain(|(name, _)| !["x-request-id", "date"].contains(&name.as_str()));
            headers.sort();
            (reply.text().replace(id, "<id>"), headers)
        })
        .collect();
    for (index, other) in seen.iter().enumerate() {
        assert_eq!(*other, seen[0], "the {index}th differs from the first");
    }
}
