//! Signed requests under attack: what is changed, moved or left out after signing is noticed.

#![cfg(not(target_arch = "wasm32"))]

#[path = "token_support/requests.rs"]
mod requests;

use pip_aide_gateway::token::Denied;
use pip_aide_gateway::token::digest;
use pip_aide_gateway::token::machine_id::MachineId;
use pip_aide_gateway::token::signed::{self, Message, SignedBy};
use pip_aide_gateway::units::UnixMillis;

use requests::{BODY, COVERED, NOW, Request, ring};

fn parameters() -> String {
    with(&format!(";created={NOW}"))
}

fn with(created: &str) -> String {
    format!(r#"{created};keyid="new:machine-1";alg="hmac-sha256";nonce="n-1""#)
}

fn sealed() -> Request {
    Request::new().seal(COVERED, &parameters())
}

#[test]
fn an_honest_request_is_taken_and_names_its_signer() {
    let expected = SignedBy {
        machine: MachineId::parse("machine-1").unwrap(),
        kid: "new".to_owned(),
        nonce: "n-1".to_owned(),
        created: UnixMillis::from_seconds(NOW),
        fresh_until: UnixMillis::from_seconds(NOW + 300),
    };
    assert_eq!(sealed().verify(), Ok(expected.clone()));
    for covered in [
        r#""content-digest" "@target-uri" "@authority" "@method""#,
        r#""@method" "@authority" "@path" "@query" "content-digest""#,
        r#""@scheme" "@request-target" "content-type" "@method" "@authority" "@path" "@query" "content-digest""#,
    ] {
        assert_eq!(Request::new().seal(covered, &parameters()).verify(), Ok(expected.clone()), "{covered}");
    }
    let old = format!(r#";nonce="n-1";keyid="old:machine-1";created={NOW};tag="pip-aide""#);
    let by = Request::new().seal_as(COVERED, &old, "old", "machine-1").verify();
    assert_eq!(by, Ok(SignedBy { kid: "old".to_owned(), ..expected }));
}

#[test]
fn what_is_changed_after_signing_is_noticed() {
    let base = sealed();
    let digest_of_another = digest::render(b"another");
    for (name, request, cause) in [
        ("method", Request { method: "GET", ..base.clone() }, Denied::BadSignature),
        ("method's case", Request { method: "post", ..base.clone() }, Denied::BadSignature),
        ("scheme", Request { scheme: "http", ..base.clone() }, Denied::BadSignature),
        ("host", Request { authority: "other.example", ..base.clone() }, Denied::BadSignature),
        ("port", Request { authority: "gateway.example:8443", ..base.clone() }, Denied::BadSignature),
        ("path", Request { path: "/v1/analyze/", ..base.clone() }, Denied::BadSignature),
        ("path's case", Request { path: "/v1/Analyze", ..base.clone() }, Denied::BadSignature),
        ("query", Request { query: Some("a=2"), ..base.clone() }, Denied::BadSignature),
        ("query gone", Request { query: None, ..base.clone() }, Denied::BadSignature),
        ("query emptied", Request { query: Some(""), ..base.clone() }, Denied::BadSignature),
        ("body", Request { body: b"another".to_vec(), ..base.clone() }, Denied::DigestMismatch),
        ("body gone", Request { body: Vec::new(), ..base.clone() }, Denied::DigestMismatch),
        (
            "body and digest",
            Request { body: b"another".to_vec(), ..base.clone() }.set("content-digest", &digest_of_another),
            Denied::BadSignature,
        ),
        ("digest gone", base.clone().drop("content-digest"), Denied::MissingComponent),
        (
            "a second digest line",
            base.clone().set("content-digest", &format!("{}, {digest_of_another}", digest::render(BODY))),
            Denied::BadSignature,
        ),
    ] {
        assert_eq!(request.verify(), Err(cause), "{name}");
    }
    let input = base.header("signature-input").unwrap();
    for (from, to) in [
        ("n-1", "n-2"),
        ("machine-1", "machine-2"),
        ("new:", "old:"),
        ("1800000000", "1800000001"),
        (" \"content-digest\"", "  \"content-digest\""),
        (";alg=\"hmac-sha256\"", ""),
        ("sig=(", "sig=( "),
    ] {
        assert!(input.contains(from), "{from}");
        let changed = base.clone().set("signature-input", &input.replace(from, to));
        assert_eq!(changed.verify(), Err(Denied::BadSignature), "{from} to {to}");
    }
}

#[test]
fn what_must_be_covered_is_covered() {
    for covered in [
        "",
        r#""@authority" "@target-uri" "content-digest""#,
        r#""@method" "@target-uri" "content-digest""#,
        r#""@method" "@authority" "content-digest""#,
        r#""@method" "@authority" "@path" "content-digest""#,
        r#""@method" "@authority" "@query" "content-digest""#,
        r#""@method" "@authority" "@request-target" "content-digest""#,
        r#""@method" "@authority" "@target-uri""#,
    ] {
        assert_eq!(
            Request::new().seal(covered, &parameters()).verify(),
            Err(Denied::UncoveredComponent),
            "{covered}"
        );
    }
    // Without a body no digest is asked for, and one that is there is held to nothing at all.
    let bodiless = Request { method: "GET", body: Vec::new(), has_body: false, ..Request::new() };
    let covered = r#""@method" "@authority" "@target-uri""#;
    assert!(bodiless.clone().seal(covered, &parameters()).verify().is_ok());
    let empty = bodiless.clone().set("content-digest", &digest::render(b""));
    assert!(empty.seal(COVERED, &parameters()).verify().is_ok());
    assert_eq!(bodiless.clone().seal(COVERED, &parameters()).verify(), Err(Denied::DigestMismatch));
    // A body that the head did not announce.
    let smuggled = Request { body: BODY.to_vec(), ..bodiless.seal(covered, &parameters()) };
    assert_eq!(smuggled.verify(), Err(Denied::DigestMismatch));
}

#[test]
fn components_are_plain_and_known() {
    for (component, cause) in [
        (r#""content-type";sf"#, Denied::UnsupportedComponent),
        (r#""content-digest";key="sha-256""#, Denied::UnsupportedComponent),
        (r#""content-type";bs"#, Denied::UnsupportedComponent),
        (r#""content-type";req"#, Denied::UnsupportedComponent),
        (r#""content-type";tr"#, Denied::UnsupportedComponent),
        (r#""@query-param";name="a""#, Denied::UnsupportedComponent),
        (r#""@status""#, Denied::UnsupportedComponent),
        (r#""@signature-params""#, Denied::UnsupportedComponent),
        (r#""@unknown""#, Denied::UnsupportedComponent),
        (r#""Content-Type""#, Denied::UnsupportedComponent),
        (r#""@method""#, Denied::UnsupportedComponent),
        (r#""""#, Denied::UnsupportedComponent),
        ("content-type", Denied::UnsupportedComponent),
        ("?1", Denied::UnsupportedComponent),
        (r#""x-absent""#, Denied::MissingComponent),
        (r#""content-type";sf;sf"#, Denied::MalformedSignature),
    ] {
        let request = Request::new().seal(&format!("{COVERED} {component}"), &parameters());
        assert_eq!(request.verify(), Err(cause), "{component}");
    }
    let with_more = |count: usize| {
        let names: Vec<String> = (0..count).map(|i| format!("x-{i}")).collect();
        let request = names.iter().fold(Request::new(), |request, name| request.set(name, "1"));
        let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        request.seal(&format!("{COVERED} {}", quoted.join(" ")), &parameters()).verify()
    };
    assert!(with_more(28).is_ok(), "32 in all");
    assert_eq!(with_more(29).err(), Some(Denied::TooLarge));
    let line = Request::new().set("x-line", "a\n\"@method\": GET");
    let request = line.seal(&format!("{COVERED} \"x-line\""), &parameters());
    assert_eq!(request.verify(), Err(Denied::UnsupportedComponent));
}

#[test]
fn parameters_are_required_typed_and_ours() {
    let created = format!(";created={NOW}");
    let long = format!(r#";created={NOW};keyid="new:machine-1";nonce="{}""#, "n".repeat(129));
    for (parameters, cause) in [
        (String::new(), Denied::BadNonce),
        (format!(r#"{created};keyid="new:machine-1""#), Denied::BadNonce),
        (format!(r#"{created};keyid="new:machine-1";nonce="""#), Denied::BadNonce),
        (long, Denied::BadNonce),
        (format!(r#"{created};keyid="new:machine-1";nonce=n"#), Denied::MalformedSignature),
        (format!(r#"{created};keyid="new:machine-1";nonce=1"#), Denied::MalformedSignature),
        (format!(r#"{created};keyid="new:machine-1";nonce"#), Denied::MalformedSignature),
        (r#";keyid="new:machine-1";nonce="n""#.to_owned(), Denied::StaleSignature),
        (with(&format!(";created=\"{NOW}\"")), Denied::MalformedSignature),
        (with(&format!(";created={NOW}.0")), Denied::MalformedSignature),
        (with(";created=-1"), Denied::MalformedSignature),
        (with(";created"), Denied::MalformedSignature),
        (with(&format!(";created={NOW};expires=\"x\"")), Denied::MalformedSignature),
        (with(&format!(";created={NOW};created={NOW}")), Denied::MalformedSignature),
        (format!(r#"{created};nonce="n""#), Denied::MissingKeyId),
        (format!(r#"{created};keyid="new";nonce="n""#), Denied::MissingKeyId),
        (format!(r#"{created};keyid="new:";nonce="n""#), Denied::BadSubject),
        (format!(r#"{created};keyid="new:a:b";nonce="n""#), Denied::BadSubject),
        (format!(r#"{created};keyid="new:a/b";nonce="n""#), Denied::BadSubject),
        (format!(r#"{created};keyid=":machine-1";nonce="n""#), Denied::UnknownKey),
        // Signed with the ring's signing key, which stands in for an unknown one.
        (format!(r#"{created};keyid="other:machine-1";nonce="n""#), Denied::UnknownKey),
        (format!(r#"{created};keyid="NEW:machine-1";nonce="n""#), Denied::UnknownKey),
        // Another key or machine than the one that signed.
        (format!(r#"{created};keyid="old:machine-1";nonce="n""#), Denied::BadSignature),
        (format!(r#"{created};keyid="new:machine-2";nonce="n""#), Denied::BadSignature),
        (format!(r#"{created};keyid="new:machine-1";nonce="n";alg="hmac-sha512""#), Denied::WrongAlgorithm),
        (format!(r#"{created};keyid="new:machine-1";nonce="n";alg="HMAC-SHA256""#), Denied::WrongAlgorithm),
        (format!(r#"{created};keyid="new:machine-1";nonce="n";alg="none""#), Denied::WrongAlgorithm),
        (format!(r#"{created};keyid="new:machine-1";nonce="n";alg="""#), Denied::WrongAlgorithm),
        (format!(r#"{created};keyid="new:machine-1";nonce="n";alg=hmac-sha256"#), Denied::WrongAlgorithm),
        (
            format!(r#"{created};keyid="new:machine-1";nonce="n";alg="rsa-pss-sha512""#),
            Denied::WrongAlgorithm,
        ),
        (format!(r#"{created};keyid="new:machine-1";nonce="n";x=1"#), Denied::MalformedSignature),
    ] {
        assert_eq!(Request::new().seal(COVERED, &parameters).verify(), Err(cause), "{parameters}");
    }
    let most = format!(r#";created={NOW};keyid="new:machine-1";nonce="{}""#, "n".repeat(128));
    assert!(Request::new().seal(COVERED, &most).verify().is_ok());
}

#[test]
fn a_signature_lives_five_minutes_either_way() {
    for (created, cause) in [
        (NOW - 300, None),
        (NOW - 301, Some(Denied::StaleSignature)),
        (NOW + 300, None),
        (NOW + 301, Some(Denied::StaleSignature)),
        (0, Some(Denied::StaleSignature)),
        (999_999_999_999_999, Some(Denied::StaleSignature)),
    ] {
        let request = Request::new().seal(COVERED, &with(&format!(";created={created}")));
        assert_eq!(request.verify().err(), cause, "{created}");
    }
    for (expires, cause) in [(NOW + 1, None), (NOW, Some(Denied::Expired)), (NOW - 1, Some(Denied::Expired))]
    {
        let request = Request::new().seal(COVERED, &with(&format!(";created={NOW};expires={expires}")));
        assert_eq!(request.verify().err(), cause, "{expires}");
    }
    // Nonces are remembered until the very last moment of the window.
    let until = sealed().verify().unwrap().fresh_until;
    assert!(sealed().verify_at(until).is_ok());
    let after = UnixMillis::from_millis(until.millis() + 1);
    assert_eq!(sealed().verify_at(after), Err(Denied::StaleSignature));
}

#[test]
fn there_is_one_signature_with_one_label() {
    let base = sealed();
    let (input, signature) = (base.header("signature-input").unwrap(), base.header("signature").unwrap());
    for (name, request, cause) in [
        ("no input", base.clone().drop("signature-input"), Denied::MalformedSignature),
        ("no signature", base.clone().drop("signature"), Denied::MalformedSignature),
        ("empty input", base.clone().set("signature-input", ""), Denied::MalformedSignature),
        ("empty signature", base.clone().set("signature", ""), Denied::MalformedSignature),
        (
            "another label",
            base.clone().set("signature", &signature.replace("sig=", "gis=")),
            Denied::MalformedSignature,
        ),
        (
            "two signatures",
            base.clone().set("signature", &format!("{signature}, b={}", &signature[4..])),
            Denied::SeveralCredentials,
        ),
        (
            "two inputs",
            base.clone().set("signature-input", &format!("{input}, b={}", &input[4..])),
            Denied::SeveralCredentials,
        ),
        (
            "one label twice",
            base.clone().set("signature-input", &format!("{input}, {input}")),
            Denied::MalformedSignature,
        ),
        ("no list", base.clone().set("signature-input", "sig=\"@method\""), Denied::MalformedSignature),
        ("no bytes", base.clone().set("signature", "sig=\"x\""), Denied::MalformedSignature),
        (
            "bytes with parameters",
            base.clone().set("signature", &format!("{signature};a")),
            Denied::MalformedSignature,
        ),
        ("a list of bytes", base.clone().set("signature", "sig=(:aGk=:)"), Denied::MalformedSignature),
        ("no MAC", base.clone().set("signature", "sig=::"), Denied::BadSignature),
        ("a short MAC", base.clone().set("signature", "sig=:aGk=:"), Denied::BadSignature),
        (
            "too long an input",
            base.clone().set("signature-input", &format!("{input};x=\"{}\"", "x".repeat(5_000))),
            Denied::MalformedSignature,
        ),
    ] {
        assert_eq!(request.verify(), Err(cause), "{name}");
    }
}

#[test]
fn the_digest_is_one_that_counts() {
    for digest in ["md5=:aGk=:", "sha-256=:aGk=:", "sha-256", "x"] {
        let request = Request::new().set("content-digest", digest).seal(COVERED, &parameters());
        assert_eq!(request.verify(), Err(Denied::MalformedDigest), "{digest}");
    }
}

#[test]
fn what_we_sign_verifies_and_repeats_nothing() {
    let machine = MachineId::parse("machine-1").unwrap();
    for (method, query, body) in [("POST", Some("a=1"), BODY), ("GET", None, &b""[..])] {
        let request =
            Request { method, query, body: body.to_vec(), has_body: !body.is_empty(), ..Request::new() };
        let message = Message {
            method,
            scheme: "https",
            authority: "gateway.example",
            path: "/v1/analyze",
            query,
            header: (),
            has_body: !body.is_empty(),
        };
        let now = UnixMillis::from_seconds(NOW);
        let headers = signed::sign(&message, body, &ring(), &machine, "nonce_-1", now).unwrap();
        let mut request = request.drop("content-digest");
        if let Some(digest) = &headers.content_digest {
            request = request.set("content-digest", digest);
        }
        let request =
            request.set("signature-input", &headers.signature_input).set("signature", &headers.signature);
        let by = request.verify().unwrap();
        assert_eq!((by.machine.as_str(), by.nonce.as_str()), ("machine-1", "nonce_-1"));
        assert!(signed::sign(&message, body, &ring(), &machine, &"n".repeat(128), now).is_ok());
        for nonce in ["", "a b", "a\"b", "a\nb", &"n".repeat(129)] {
            assert_eq!(
                signed::sign(&message, body, &ring(), &machine, nonce, now),
                Err(Denied::BadNonce),
                "{nonce:?}"
            );
        }
    }
}
