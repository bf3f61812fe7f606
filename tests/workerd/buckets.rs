//! The token bucket, admission by admission, by the ledger's own clock: the times of the log records.
//! Clients ask without a pause, so that whatever may be admitted is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::front_door::NO_CV2;
use crate::support::credentials::bearer;
use crate::support::gateway::{Gateway, Settings, request_body};
use crate::support::load::Line;
use crate::support::logs::records;
use crate::support::{random_word, wait_for};

/// How many clients of one machine ask at a time.
const AT_ONCE: [usize; 3] = [1, 8, 32];

const DAY_MS: u64 = 86_400_000;

/// The defaults of plan `standard`.
#[test]
fn six_a_minute_and_three_at_once_are_nine_in_the_first_minute() {
    let (burst, count, interval_ms) = (3, 6, 10_000);
    let gateway = gateway("6/minute", burst);
    for (at_once, times) in ask_of_each(&gateway, burst + count) {
        let what = format!("{at_once} at once: {times:?}");
        assert_bucket(burst, interval_ms, &times, &what);
        // Three at the start, then one each ten seconds, the last when the minute is over.
        let within = |ms: u64| times.iter().filter(|time| **time < ms).count();
        assert_eq!(within(60_000), burst + count - 1, "{what}");
        assert_eq!(within(60_000 + interval_ms), burst + count, "{what}");
        let last = *times.last().expect("some were admitted");
        assert_eq!(times.len() as u64, burst as u64 + last / interval_ms, "{what}");
    }
}

#[test]
fn ten_a_second_and_thirty_at_once_are_that_and_no_less() {
    let (burst, interval_ms) = (30, 100);
    let gateway = gateway("10/second", burst);
    for (at_once, times) in ask_of_each(&gateway, burst + 60) {
        assert_bucket(burst, interval_ms, &times, &format!("{at_once} at once: {times:?}"));
    }
}

fn gateway(rate: &str, burst: usize) -> Gateway {
    let settings = Settings::new()
        .var("MACHINE_RATE", rate)
        .var("MACHINE_BURST", &burst.to_string())
        .var("MACHINE_CONCURRENCY", "1000");
    Gateway::start(settings)
}

/// Checks admissions against a bucket of tokens, counted in milliseconds: none without a token, and no
/// token left when the last request was refused.
#[track_caller]
fn assert_bucket(burst: usize, interval_ms: u64, times: &[u64], what: &str) {
    let depth = burst as u64 * interval_ms;
    let (mut level, mut before) = (depth, 0);
    for time in times {
        level = (level + time - before).min(depth);
        before = *time;
        assert!(level >= interval_ms, "no token at {time}: {what}");
        level -= interval_ms;
    }
    assert!(level < interval_ms, "{level} ms of tokens are refused: {what}");
}

/// Lets a machine for each of [`AT_ONCE`] ask until so many are admitted, and then until one is
/// refused. Gives when each was admitted, in milliseconds after its first.
fn ask_of_each(gateway: &Gateway, admissions: usize) -> Vec<(usize, Vec<u64>)> {
    let machines = AT_ONCE.map(|at_once| (at_once, format!("bucket-{at_once}-{}", random_word())));
    std::thread::scope(|scope| {
        let asking: Vec<_> = machines
            .iter()
            .map(|(at_once, machine)| scope.spawn(move || ask(gateway, machine, *at_once, admissions)))
            .collect();
        let admitted: Vec<usize> =
            asking.into_iter().map(|thread| thread.join().expect("it asked to the end")).collect();
        machines
            .iter()
            .zip(admitted)
            .map(|((at_once, machine), admitted)| (*at_once, times(gateway, machine, admitted)))
            .collect()
    })
}

/// How many were admitted.
fn ask(gateway: &Gateway, machine: &str, at_once: usize, admissions: usize) -> usize {
    let authorization = bearer(&gateway.key().token(machine));
    let admitted = AtomicUsize::new(0);
    let body = request_body(NO_CV2);
    let once = |line: &mut Line| {
        let reply = wait_for(Duration::from_secs(20), || {
            let reply = line.post("/v1/analyze", &authorization, &body)?;
            // Wrangler's proxy loses one now and then, before the Worker sees it.
            (reply.status != 503).then_some(reply)
        })
        .expect("an answer");
        if reply.status == 200 {
            admitted.fetch_add(1, Ordering::SeqCst);
        } else {
            reply.assert_problem(429, "rate-limited");
        }
        reply.status == 200
    };
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                let mut line = Line::to(gateway.port());
                while admitted.load(Ordering::SeqCst) < admissions {
                    once(&mut line);
                    std::thread::sleep(Duration::from_millis(20 * at_once as u64));
                }
            });
        }
    });
    let mut line = Line::to(gateway.port());
    while once(&mut line) {}
    admitted.load(Ordering::SeqCst)
}

/// When the machine's requests were admitted, by the ledger's clock.
fn times(gateway: &Gateway, machine: &str, admitted: usize) -> Vec<u64> {
    let found = wait_for(Duration::from_secs(120), || {
        // Another machine's request brings the log up to date.
        gateway.analyze("/v1/analyze", &random_word(), NO_CV2);
        let records = records(gateway);
        let of_machine = records.iter().filter(|record| record.text("machine_id") == machine);
        let mut times: Vec<String> = of_machine.map(|record| record.text("timestamp").to_owned()).collect();
        // Each stands where its request ended.
        times.sort_unstable();
        (times.len() >= admitted).then_some(times)
    })
    .unwrap_or_else(|| panic!("not every admission of {machine} is in the log"));
    assert_eq!(found.len(), admitted, "{machine}");
    // The day may end in between.
    let first = of_day(&found[0]);
    found.iter().map(|time| (of_day(time) + DAY_MS - first) % DAY_MS).collect()
}

/// Milliseconds since midnight of `2026-01-02T03:04:05.678Z`.
fn of_day(timestamp: &str) -> u64 {
    let time = timestamp.split_once('T').and_then(|(_, time)| time.strip_suffix('Z')).expect("RFC 3339");
    let number = |part: &str| part.parse::<u64>().unwrap_or_else(|_| panic!("no time: {timestamp}"));
    let [hours, minutes, seconds] = time.splitn(3, ':').collect::<Vec<_>>()[..] else {
        panic!("no time: {timestamp}")
    };
    let (seconds, millis) = seconds.split_once('.').unwrap_or_else(|| panic!("no milliseconds: {timestamp}"));
    ((number(hours) * 60 + number(minutes)) * 60 + number(seconds)) * 1_000 + number(millis)
}
