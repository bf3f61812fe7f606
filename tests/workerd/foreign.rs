//! Tokens of an identity provider: those that its published keys sign, and no others.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::front_door::NO_CV2;
use crate::signed::assert_stranger;
use crate::support::client::Reply;
use crate::support::credentials::{basic, bearer, unix_seconds};
use crate::support::door::Door as _;
use crate::support::fleet::{Fleet, Member};
use crate::support::gateway::{Gateway, Settings, request_body};
use crate::support::provider::{Answer, Provider, claims};
use crate::support::{random_word, wait_for};

fn start(provider: &Provider) -> Gateway {
    Gateway::start(
        Settings::new()
            .unhurried()
            .var("JWKS_URL", &provider.url())
            .var("JWT_ISSUER", "https://issuer.example")
            .var("JWT_AUDIENCE", "gateway"),
    )
}

#[track_caller]
fn look(gateway: &Gateway, authorization: &str) -> Reply {
    gateway.send("GET", "/v1/me", &[("Authorization", authorization)], None)
}

#[track_caller]
fn assert_own_tokens_work(gateway: &Gateway) {
    let reply = gateway.analyze("/v1/analyze", &format!("own-{}", random_word()), NO_CV2);
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// Most fetches that the time since `start` allows.
fn most_fetches(start: Instant) -> usize {
    1 + usize::try_from(start.elapsed().as_secs() / 60).expect("a small number")
}

#[test]
fn the_providers_tokens_are_accepted_and_no_others() {
    let provider = Provider::start(Answer::Keys);
    let kids = [("rsa", "RS256"), ("p256", "ES256"), ("ed", "EdDSA")]
        .map(|(name, algorithm)| provider.key(name, algorithm, true));
    let [rsa, p256, _] = &kids;
    let unpublished = provider.key("secret", "RS256", false);
    let gateway = start(&provider);
    let started = Instant::now();
    assert_own_tokens_work(&gateway);
    assert_eq!(provider.asked(), Vec::<String>::new(), "own tokens need no provider");

    let mut names = Vec::new();
    for kid in &kids {
        for header in [json!({}), json!({ "typ": "at+jwt" })] {
            let token = provider.token(kid, &header, &claims("user@example"));
            let reply = look(&gateway, &bearer(&token));
            assert_eq!(reply.status, 200, "{kid}: {reply:?}");
            assert_eq!(reply.json()["plan"], "standard");
            names.push(reply.json()["machine_id"].clone());
            let reply = gateway.post("/v1/analyze", &basic("x", &token), &request_body(NO_CV2));
            assert_eq!(reply.status, 200, "{kid}: {reply:?}");
        }
    }
    assert!(names.iter().all(|name| *name == names[0]), "one subject is one machine: {names:?}");
    assert!(names[0].as_str().is_some_and(|name| !name.contains('@')), "{names:?}");
    let other = look(&gateway, &bearer(&provider.token(rsa, &json!({}), &claims("another"))));
    assert_ne!(other.json()["machine_id"], names[0]);
    // Who it is at the provider is not who it is here.
    let own = gateway.key().token("victim");
    assert_eq!(look(&gateway, &bearer(&own)).json()["machine_id"], "victim");
    let taken = look(&gateway, &bearer(&provider.token(rsa, &json!({}), &claims("victim"))));
    assert_ne!(taken.json()["machine_id"], "victim");
    // Nor what it may spend.
    let mut trusted = claims("user@example");
    trusted["plan"] = Value::from("trusted");
    let reply = look(&gateway, &bearer(&provider.token(rsa, &json!({}), &trusted)));
    assert_eq!(reply.json()["plan"], "standard", "{reply:?}");

    let now = unix_seconds();
    let with = |name: &str, value: Value| {
        let mut claims = claims("user@example");
        claims[name] = value;
        provider.token(p256, &json!({}), &claims)
    };
    let without = |name: &str| {
        let mut claims = claims("user@example");
        claims.as_object_mut().expect("an object").remove(name);
        provider.token(p256, &json!({}), &claims)
    };
    let good = provider.token(rsa, &json!({}), &claims("user@example"));
    let mut parts: Vec<&str> = good.split('.').collect();
    let other_claims = provider.token(rsa, &json!({}), &claims("another"));
    parts[1] = other_claims.split('.').nth(1).expect("claims");
    let refused = vec![
        ("issuer", with("iss", Value::from("https://other.example"))),
        ("no issuer", without("iss")),
        ("audience", with("aud", Value::from("another"))),
        ("our own audience", with("aud", Value::from("pip-aide"))),
        ("no audience", without("aud")),
        ("expired", with("exp", Value::from(now - 60))),
        ("no expiry", without("exp")),
        ("expiry as text", with("exp", Value::from((now + 600).to_string()))),
        ("not yet", with("nbf", Value::from(now + 600))),
        ("issued later", with("iat", Value::from(now + 600))),
        ("for ever", with("exp", Value::from(now + 400 * 86_400))),
        ("no subject", without("sub")),
        ("unpublished", provider.token(&unpublished, &json!({}), &claims("user@example"))),
        ("another's name", provider.token(&unpublished, &json!({ "kid": rsa }), &claims("user@example"))),
        ("a path for a name", provider.token(rsa, &json!({ "kid": "../keys" }), &claims("user@example"))),
        ("other claims", parts.join(".")),
        ("cut", good[..good.len() - 4].to_owned()),
    ];
    for (name, token) in refused {
        let reply = look(&gateway, &bearer(&token));
        assert_eq!(reply.status, 401, "{name}: {reply:?}");
        assert_stranger(&reply);
    }
    let reply = look(&gateway, &bearer(&with("aud", json!(["gateway", "another"]))));
    assert_eq!(reply.status, 200, "a provider may name further audiences: {reply:?}");
    // A provider's token opens no operator's route, whatever it calls itself.
    let operator = with("aud", json!(["gateway", "pip-aide/operator"]));
    let reply = gateway.send("GET", "/admin/revocations", &[("Authorization", &bearer(&operator))], None);
    assert!([401, 403].contains(&reply.status), "{reply:?}");

    assert!(provider.asked().len() <= most_fetches(started), "{:?}", provider.asked());
}

#[test]
fn forged_tokens_are_verified_so_often_and_those_that_verified_stay_welcome() {
    let provider = Provider::start(Answer::Keys);
    let rsa = provider.key("rsa", "RS256", true);
    let unpublished = provider.key("secret", "RS256", false);
    let gateway = start(&provider);
    let from = |network: &str, token: &str| {
        let headers = [("Authorization", &*bearer(token)), ("CF-Connecting-IP", network)];
        gateway.send("GET", "/v1/me", &headers, None)
    };
    let good = provider.token(&rsa, &json!({}), &claims("known"));
    assert_eq!(from("192.0.2.1", &good).status, 200);
    let forged = provider.token(&unpublished, &json!({ "kid": rsa }), &claims("known"));
    let started = Instant::now();
    let mut replies: Vec<Reply> = (0..40).map(|_| from("192.0.2.1", &forged)).collect();
    let verified = replies.iter().filter(|reply| reply.status == 401).count();
    let most = 20 + usize::try_from(started.elapsed().as_secs() / 6 + 1).expect("a small number");
    assert!((20..=most).contains(&verified), "{verified} of {most}");
    let last = replies.pop().expect("forty");
    last.assert_problem(429, "rate-limited");
    assert!((1..=6).contains(&last.retry_after()), "{last:?}");
    // Whoever verified before, comes from elsewhere or has a token of ours does not notice.
    assert_eq!(from("192.0.2.1", &good).status, 200);
    let new = provider.token(&rsa, &json!({}), &claims("new"));
    assert_eq!(from("192.0.2.1", &new).status, 429);
    assert_eq!(from("198.51.100.1", &new).status, 200);
    assert_eq!(from("192.0.2.1", &gateway.key().token("own")).status, 200);
}

#[test]
fn an_rsa_public_key_is_no_secret_for_hs256() {
    let provider = Provider::start(Answer::Keys);
    let rsa = provider.key("rsa", "RS256", true);
    let gateway = start(&provider);
    let honest = || look(&gateway, &bearer(&provider.token(&rsa, &json!({}), &claims("user")))).status;
    assert_eq!(honest(), 200);
    let ours = crate::support::credentials::claims("machine");
    assert_eq!(look(&gateway, &bearer(&gateway.key().sign(&gateway.key().header(), &ours))).status, 200);
    let mut count = 0;
    for (whose, claims) in [("theirs", claims("user")), ("ours", ours)] {
        // Called after the provider's key, after one of ours, and after none.
        for named in [rsa.as_str(), &gateway.key().kid, "nobody"] {
            for (form, token) in provider.confused(&rsa, named, &claims) {
                for authorization in [bearer(&token), basic("x", &token)] {
                    let reply = look(&gateway, &authorization);
                    assert_eq!(reply.status, 401, "{form} as the secret of {named}, {whose}: {reply:?}");
                    assert_stranger(&reply);
                    count += 1;
                }
            }
        }
    }
    assert_eq!(count, 2 * 3 * 10 * 2);
    assert_eq!(honest(), 200);
}

#[test]
fn a_new_key_is_found_and_unknown_ones_cost_a_fetch_a_minute() {
    let provider = Provider::start(Answer::Keys);
    let first = provider.key("first", "EdDSA", true);
    let gateway = start(&provider);
    let started = Instant::now();
    let token = |kid: &str| bearer(&provider.token(kid, &json!({}), &claims("user")));
    assert_eq!(look(&gateway, &token(&first)).status, 200);
    assert_eq!(provider.asked(), ["/keys"]);

    let second = provider.key("second", "ES256", true);
    let with_second = token(&second);
    for number in 0..20 {
        let unknown = provider.token(&first, &json!({ "kid": format!("x{number}") }), &claims("user"));
        assert_stranger(&look(&gateway, &bearer(&unknown)));
        assert!(provider.asked().len() <= most_fetches(started), "{:?}", provider.asked());
    }
    // The limit is for failures: a minute after the first fetch there is another.
    let mut accepted = false;
    while !accepted && started.elapsed() < Duration::from_secs(180) {
        std::thread::sleep(Duration::from_secs(1));
        accepted = look(&gateway, &with_second).status == 200;
        assert!(provider.asked().len() <= most_fetches(started), "{:?}", provider.asked());
    }
    assert!(accepted, "the new key is never found: {:?}", provider.asked());
    assert_eq!(look(&gateway, &token(&first)).status, 200);
}

#[test]
fn requests_that_come_first_and_at_once_are_all_answered() {
    let provider = Provider::start(Answer::Keys);
    let kid = provider.key("only", "EdDSA", true);
    let gateway = start(&provider);
    let authorization = bearer(&provider.token(&kid, &json!({}), &claims("user")));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..12).map(|_| scope.spawn(|| look(&gateway, &authorization).status)).collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(provider.asked(), ["/keys"], "asked once for all of them");
}

#[test]
fn a_provider_that_fails_fails_its_own_tokens_only() {
    let provider = Provider::start(Answer::HangUp);
    let kid = provider.key("only", "RS256", true);
    let gateway = start(&provider);
    let mut seen = 0;
    for answer in [Answer::HangUp, Answer::Redirect, Answer::Huge, Answer::ServerError, Answer::Html] {
        provider.answer(answer);
        let authorization = bearer(&provider.token(&kid, &json!({}), &claims("user")));
        for _ in 0..2 {
            let reply = look(&gateway, &authorization);
            assert_eq!(reply.status, 401, "{answer:?}: {reply:?}");
            assert_stranger(&reply);
            assert_own_tokens_work(&gateway);
        }
        let asked = provider.asked();
        assert!(asked.len() > seen, "{answer:?}: the provider was not asked");
        assert!(asked.iter().all(|path| path == "/keys"), "{answer:?}: a redirect was followed: {asked:?}");
        // Some more than is read stands in the buffers between.
        assert!(provider.sent() < 48 << 20, "{answer:?}: {} bytes were taken", provider.sent());
        seen = asked.len();
        let told = wait_for(Duration::from_secs(20), || gateway.console().contains("jwks: ").then_some(()));
        assert!(told.is_some(), "{answer:?}: the console does not tell of it");
        // A new process has fetched nothing yet, so it does not wait for the minute to pass.
        gateway.crash();
        gateway.run();
    }
    provider.answer(Answer::Keys);
    let authorization = bearer(&provider.token(&kid, &json!({}), &claims("user")));
    assert_eq!(look(&gateway, &authorization).status, 200, "the same token, once the keys are there");
}

#[test]
fn a_provider_that_stalls_holds_up_its_own_tokens_only() {
    let provider = Provider::start(Answer::Keys);
    let kid = provider.key("only", "RS256", true);
    let settings = Settings::new()
        .unhurried()
        .var("JWKS_URL", &provider.url())
        .var("JWT_ISSUER", "https://issuer.example")
        .var("JWT_AUDIENCE", "gateway");
    let key = settings.key().clone();
    // Each has fetched nothing yet.
    let names = ["well", "silent", "dripping"];
    let fleet = Fleet::start(&names.map(|name| (name, settings.clone())));
    let [well, silent, dripping] = names.map(|name| fleet.member(name));
    let theirs = || bearer(&provider.token(&kid, &json!({}), &claims("user")));
    let own = |worker: Member| {
        let started = Instant::now();
        let authorization = bearer(&key.token(&format!("own-{}", random_word())));
        let reply = worker.post("/v1/analyze", &authorization, &request_body(NO_CV2));
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(worker.look(&authorization).status, 200);
        started.elapsed()
    };
    let reply = well.look(&theirs());
    assert_eq!(reply.status, 200, "{reply:?}");

    for (answer, worker) in [(Answer::Stall, silent), (Answer::Drip, dripping)] {
        provider.answer(answer);
        let asked = provider.asked().len();
        std::thread::scope(|scope| {
            let started = Instant::now();
            let waiting: Vec<_> = (0..3)
                .map(|_| {
                    let authorization = theirs();
                    scope.spawn(move || (worker.look(&authorization), started.elapsed()))
                })
                .collect();
            wait_for(Duration::from_secs(20), || (provider.asked().len() > asked).then_some(()))
                .expect("the provider is asked");
            let slowest = (0..10).map(|_| own(worker)).max().expect("ten of them");
            assert!(slowest < Duration::from_secs(2), "{answer:?}: own tokens took {slowest:?}");
            let still = waiting.iter().filter(|thread| !thread.is_finished()).count();
            assert_eq!(still, 3, "{answer:?}: nobody had to wait, so this shows nothing");
            // Whose keys were fetched before does not notice.
            assert_eq!(well.look(&theirs()).status, 200);
            for thread in waiting {
                let (reply, after) = thread.join().expect("an answer");
                assert_eq!(reply.status, 401, "{answer:?}: {reply:?}");
                assert_stranger(&reply);
                assert!(after < Duration::from_secs(20), "{answer:?}: only after {after:?}");
            }
        });
        assert_eq!(provider.asked().len(), asked + 1, "one fetch for all three");
        // Within the minute nobody waits again.
        let started = Instant::now();
        assert_stranger(&worker.look(&theirs()));
        assert!(started.elapsed() < Duration::from_secs(2), "{answer:?}: {:?}", started.elapsed());
        own(worker);
    }
}
