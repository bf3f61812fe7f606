//! What is hardly HTTP, or more of it than a server takes. Most of this the server before the gateway refuses in
//! words of its own (on Cloudflare the edge does): what matters here is that nothing of it gets anywhere,
//! and that whoever comes next is served.

use std::io::Write as _;
use std::time::Duration;

use super::arena::{Arena, Counts, counted};
use super::attacks::Besides;
use super::bombs::colliding;
use super::flood::Flood;
use super::requests::{head, request, token};
use super::slow::{Framing, Slow};
use crate::support::door::Door as _;
use crate::support::raw::{self, Then, exchange};

/// A whole analysis as it stands in `framing` and `body`, by nobody.
fn posted(framing: &str, body: &str) -> Vec<u8> {
    format!("{}{framing}\r\n\r\n{body}", head("POST", "/v1/analyze", &[])).into_bytes()
}

/// Requests that two readers could take for two different ones, or that no server should take.
fn forms() -> Vec<(&'static str, Vec<u8>)> {
    let body = r#"{"error_context":"x"}"#;
    let chunked = format!("15\r\n{body}\r\n0\r\n\r\n");
    let hidden = "0\r\n\r\nGET /v1/me HTTP/1.1\r\nHost: gateway.example\r\n\r\n";
    let chunks = |name: &str| posted(name, &chunked);
    vec![
        ("both lengths", posted("Content-Length: 60\r\nTransfer-Encoding: chunked", hidden)),
        ("both lengths, the other way", posted("Transfer-Encoding: chunked\r\nContent-Length: 4", &chunked)),
        ("two lengths", posted("Content-Length: 21\r\nContent-Length: 0", body)),
        ("a list of lengths", posted("Content-Length: 21, 21", body)),
        ("a signed length", posted("Content-Length: +21", body)),
        ("a hexadecimal length", posted("Content-Length: 0x15", body)),
        ("another coding", chunks("Transfer-Encoding: xchunked")),
        ("two codings", chunks("Transfer-Encoding: gzip, chunked")),
        ("a coding twice", chunks("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity")),
        ("a blank before the colon", chunks("Transfer-Encoding : chunked")),
        ("a folded line", posted("X-A: a\r\n b\r\nContent-Length: 21", body)),
        ("a zero byte", posted("X-A: a\0b\r\nContent-Length: 21", body)),
        ("a bare return", posted("X-A: a\rb\r\nContent-Length: 21", body)),
        (
            "an extension of a chunk",
            posted("Transfer-Encoding: chunked", &format!("15;a=b\r\n{body}\r\n0\r\n\r\n")),
        ),
        ("a chunk below nothing", posted("Transfer-Encoding: chunked", "-1\r\nx\r\n0\r\n\r\n")),
        ("a chunk beyond all", posted("Transfer-Encoding: chunked", "fffffffffffffffff\r\nx\r\n0\r\n\r\n")),
        (
            "a credential after the body",
            posted("Transfer-Encoding: chunked", &format!("15\r\n{body}\r\n0\r\nAuthorization: x\r\n\r\n")),
        ),
        ("names of an object's own", posted("__proto__: x\r\nconstructor: y\r\nContent-Length: 21", body)),
        ("two hosts", posted("Host: other.example\r\nContent-Length: 21", body)),
        (
            "an address of elsewhere",
            b"GET http://other.example/v1/me HTTP/1.1\r\nHost: gateway.example\r\n\r\n".to_vec(),
        ),
        ("a tunnel", b"CONNECT other.example:443 HTTP/1.1\r\nHost: gateway.example\r\n\r\n".to_vec()),
        ("another protocol", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("a socket", request("GET", "/v1/me", &[("Connection", "Upgrade"), ("Upgrade", "websocket")], b"")),
        ("an expectation", posted("Expect: 100-continue\r\nContent-Length: 21", body)),
        ("a head of 200 KB", request("GET", "/v1/me", &[("X-Long", &"y".repeat(200_000))], b"")),
        ("a query of 200 KB", request("GET", &format!("/v1/me?{}", "y".repeat(200_000)), &[], b"")),
        (
            "a query of 3,000 names",
            request(
                "GET",
                &format!("/v1/me?{}", (0..3_000).map(colliding).collect::<Vec<_>>().join("&")),
                &[],
                b"",
            ),
        ),
    ]
}

#[test]
fn what_is_hardly_http_gets_nowhere_and_the_next_is_served() {
    let arena = Arena::start(Some("counting.mjs"), Besides::Nobody);
    let worker = arena.worker();
    for (name, bytes) in forms() {
        // Nobody may be left to answer, or only the server: the gateway's own answers have an id.
        let reply = exchange(worker.port(), &bytes, Then::Close);
        let status = reply.as_ref().map(|reply| reply.status);
        println!("{name}: {status:?}");
        if let Some(reply) = reply.filter(|reply| reply.header("x-request-id").is_some()) {
            reply.assert_problem(401, "unauthenticated");
        } else {
            assert!(status.is_none_or(|status| status >= 400), "{name}: {status:?}");
        }
        assert_eq!(worker.send("GET", "/healthz", &[], None).status, 200, "after {name}");
    }
    assert_eq!(counted(worker), Counts::new(), "nothing of it is paid for");
    // A hundred requests at once on one connection: each is answered, by nothing but its own head.
    let mut stream = raw::connect(worker.port());
    let all = request("GET", "/v1/me", &[], b"").repeat(100);
    stream.write_all(&all).expect("the server takes them");
    let first = raw::read(&stream).expect("an answer");
    first.assert_problem(401, "unauthenticated");
    drop(stream);
    arena.machines(1);
}

#[test]
fn a_body_that_takes_too_long_is_given_up_whoever_sends_it() {
    let arena = Arena::start(None, Besides::Nobody);
    let port = arena.worker().port();
    // The more may come, the longer it may take: enrolment's bodies are small, and end after ten seconds.
    let time = Duration::from_secs(16);
    let run = |framing| {
        let head = head("POST", "/v1/enroll/challenge", &[("CF-Connecting-IP", "10.1.2.3")]);
        Slow { connections: 20, time }.run(port, &head, framing)
    };
    let (length, chunks) = std::thread::scope(|scope| {
        let length = scope.spawn(|| run(Framing::Length));
        (length.join(), run(Framing::Chunks))
    });
    for taken in [length.expect("it ends"), chunks] {
        println!("{taken}");
        let given_up = taken.answers.get("400 malformed-request").copied().unwrap_or(0);
        assert!(given_up >= 20, "{taken}");
        assert!(
            taken.answers.keys().all(|answer| ["400 malformed-request", "held open", "413 body-too-large"]
                .contains(&answer.as_str())),
            "{taken}"
        );
    }
    arena.machines(1);
}

#[test]
fn of_bodies_that_never_end_few_of_a_stranger_are_waited_for() {
    let arena = Arena::start(None, Besides::Nobody);
    let port = arena.worker().port();
    let head = |network: &str| head("POST", "/v1/enroll/challenge", &[("CF-Connecting-IP", network)]);
    let other = request("POST", "/v1/enroll/challenge", &[("CF-Connecting-IP", "10.9.9.9")], b"{}");
    let slow = Slow { connections: 300, time: Duration::from_secs(6) };
    let (taken, others) = std::thread::scope(|scope| {
        let slow = scope.spawn(|| slow.run(port, &head("10.1.2.3"), Framing::Length));
        std::thread::sleep(Duration::from_secs(3));
        let flood = Flood { rate: 10, time: Duration::from_secs(1), connections: 2 };
        let others = flood.run(port, |_| other.clone());
        (slow.join().expect("it ends"), others)
    });
    println!("{taken}; {others}");
    // At most 128 are waited for. The others are turned away, come again, and are turned away again.
    let refused = taken.answers.get("429 rate-limited").copied().unwrap_or(0);
    assert!(refused >= 300 - 128, "{taken}");
    assert_eq!(others.answers.keys().map(String::as_str).collect::<Vec<_>>(), ["200"], "{others}");
}

#[test]
fn a_machine_beyond_its_rate_costs_the_ledger_one_request_a_wait_whatever_it_sends() {
    let arena = Arena::start(Some("counting.mjs"), Besides::Nobody);
    let worker = arena.worker();
    let headers = token(&arena.key, "beyond", None);
    let question = super::requests::analysis(&[("Authorization", &headers)], crate::front_door::NO_CV2);
    let flood = |rate, time| Flood { rate, time, connections: 8 }.run(worker.port(), |_| question.clone());
    // The shipped burst of three is used up, and the refusal is known.
    let first = flood(20, Duration::from_millis(500));
    assert_eq!(first.answers.get("200 rules"), Some(&3), "{first}");
    crate::support::wait_for(Duration::from_secs(90), || {
        std::thread::sleep(Duration::from_secs(1));
        counted(worker).is_empty().then_some(())
    })
    .expect("the Worker comes to rest");
    let taken = flood(200, Duration::from_secs(1));
    let exchanges = counted(worker).get("ledger.exchange").copied().unwrap_or(0);
    println!("{} sent: {taken}; {exchanges} ledger requests", taken.sent);
    assert!(taken.sent > 50, "{taken}");
    // One token comes back every ten seconds, at most a few of them on a slow machine.
    assert!(exchanges <= 8, "{exchanges} ledger requests for {}", taken.sent);
    let admitted = taken.answers.get("200 rules").copied().unwrap_or(0);
    assert_eq!(taken.answers.get("429 rate-limited").copied().unwrap_or(0) + admitted, taken.sent, "{taken}");
}
