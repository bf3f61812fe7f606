//! Bodies whose length is not what their head tells, in chunks besides, or packed; and many that are nearly there. None
//! of them may fill the memory.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::requests::{head, token};
use crate::front_door::NO_CV2;
use crate::support::client::Reply;
use crate::support::door::Door as _;
use crate::support::fleet::Fleet;
use crate::support::gateway::{Settings, request_body};
use crate::support::{raw, wait_for};

const MIB: usize = 1 << 20;
/// What is sent, or unpacked.
const MUCH: usize = 192 * MIB;
/// By how much the most memory that workerd ever had may grow meanwhile: less than a third of it.
const GROWTH: u64 = 64 << 20;

fn worker(model: u16) -> (Fleet, Settings) {
    let settings = Settings::new().model_on(model).var("RULES", "first");
    let fleet = Fleet::start(&[("worker", settings.clone())]);
    // What the first requests need is not what is looked for.
    for _ in 0..20 {
        let authorization = token(settings.key(), "first", None);
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
        let door = fleet.member("worker");
        assert!(door.send("POST", "/v1/analyze", &headers, Some(&request_body(NO_CV2))).status < 600);
    }
    (fleet, settings)
}

/// The growth of the most that it ever had, where the system tells.
fn assert_grows_by(most: u64, fleet: &Fleet, what: &str, deed: impl FnOnce()) {
    let before = fleet.peak_memory();
    deed();
    if let (Some(before), Some(after)) = (before, fleet.peak_memory()) {
        let growth = after.saturating_sub(before);
        assert!(growth < most, "{what}: {} MiB more", growth >> 20);
    }
}

/// Sends chunks until nobody takes them; how many bytes were taken.
fn send_chunks(port: u16, head: &str) -> usize {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_write_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let begun = format!("{head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n");
    stream.write_all(begun.as_bytes()).expect("the head is taken");
    let chunk = [format!("{MIB:x}\r\n").as_bytes(), &vec![b' '; MIB], b"\r\n"].concat();
    (0..MUCH / MIB).take_while(|_| stream.write_all(&chunk).is_ok()).count() * MIB
}

#[test]
fn a_length_beside_chunks_is_not_believed() {
    let (fleet, settings) = worker(crate::support::process::free_port());
    let port = fleet.member("worker").port();
    let authorization = token(settings.key(), "sender", None);
    for (path, headers) in [
        ("/v1/enroll/challenge", vec![("CF-Connecting-IP", "10.1.2.3")]),
        ("/v1/analyze", vec![("Authorization", authorization.as_str())]),
    ] {
        assert_grows_by(GROWTH, &fleet, path, || {
            let taken = send_chunks(port, &head("POST", path, &headers));
            assert!(taken < 32 * MIB, "{path}: {taken} bytes were taken");
        });
    }
    assert_eq!(
        Reply::of("GET", &fleet.member("worker").url("/healthz"), &[], None).map(|r| r.status),
        Some(200)
    );
}

#[test]
fn a_model_that_packs_much_into_little_fails() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    let some = vec![b' '; MIB];
    (0..MUCH / MIB).for_each(|_| packed.write_all(&some).expect("memory takes all"));
    let packed = packed.finish().expect("memory takes all");
    assert!(packed.len() < MIB, "its length alone would be allowed: {}", packed.len());

    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback has a free port");
    let port = listener.local_addr().expect("a bound socket has an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 65_536]);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n",
                packed.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&packed));
        }
    });
    let (fleet, settings) = worker(port);
    let authorization = token(settings.key(), "asks", None);
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
    assert_grows_by(GROWTH, &fleet, "gzip", || {
        let question = request_body("ERROR: nobody knows this");
        let reply = fleet.member("worker").send("POST", "/v1/analyze", &headers, Some(&question));
        reply.assert_problem(502, "upstream-failed");
    });
}

/// Sends all but the end of a large body, where nobody says before that it is not taken; the answer, if one comes.
fn send_most(port: u16, head: &str) -> Option<Reply> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_write_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let begun = format!("{head}Content-Length: {MIB}\r\n\r\n");
    stream.write_all(begun.as_bytes()).expect("the head is taken");
    stream.set_read_timeout(Some(Duration::from_secs(8))).expect("a timeout");
    if let Some(reply) = raw::read(&stream) {
        return Some(reply);
    }
    let _ = stream.write_all(&vec![b' '; MIB - 500]);
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    raw::read(&stream)
}

#[test]
fn one_machine_holds_few_large_bodies_and_others_do_not_notice() {
    let (fleet, settings) = worker(crate::support::process::free_port());
    let worker = fleet.member("worker");
    let authorization = token(settings.key(), "holder", None);
    let head = head("POST", "/v1/analyze", &[("Authorization", authorization.as_str())]);
    let large = {
        let mut body = request_body(NO_CV2);
        body.resize(MIB - 500, b' ');
        body
    };
    let ask = |machine: &str, body: &[u8]| {
        let authorization = token(settings.key(), machine, None);
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
        worker.send("POST", "/v1/analyze", &headers, Some(body))
    };
    // Held they would be twice as much.
    assert_grows_by(2 * GROWTH, &fleet, "bodies that are held", || {
        std::thread::scope(|scope| {
            let held: Vec<_> = (0..200).map(|_| scope.spawn(|| send_most(worker.port(), &head))).collect();
            std::thread::sleep(Duration::from_secs(12));
            assert_eq!(ask("another", &large).status, 200);
            assert_eq!(ask("holder", &request_body(NO_CV2)).status, 200, "small ones are not concerned");
            let refused = ask("holder", &large);
            refused.assert_problem(429, "rate-limited");
            assert_eq!(refused.header("retry-after"), Some("5"), "{refused:?}");
            let answers: Vec<Reply> =
                held.into_iter().filter_map(|sender| sender.join().expect("a sender ends")).collect();
            // Four are held. An answer that comes when its sender has begun to send may be lost.
            assert!((160..=196).contains(&answers.len()), "{} were answered", answers.len());
            for reply in &answers {
                reply.assert_problem(429, "rate-limited");
            }
        });
    });
    // Their senders have hung up.
    let served = wait_for(Duration::from_secs(60), || {
        std::thread::sleep(Duration::from_secs(1));
        (ask("holder", &large).status == 200).then_some(())
    });
    assert!(served.is_some(), "it is not served any more");
}
