//! The alarm, and what is done when no message asks for it.

use super::*;
use crate::ledger::wire::ended::Reason;

/// A change of a shard that has nothing to do.
type Change = fn(&mut Shard);

fn record(shard: &mut Shard) {
    shard.logbook.add("m".to_owned(), "{}".to_owned(), NOON);
}

/// A record that storage has already.
fn stored_record(shard: &mut Shard) {
    record(shard);
    let _ = shard.logbook.store();
}

fn lease(shard: &mut Shard) {
    shard.funds.insert(SERVICE.to_owned(), fund(TODAY, 7, 8));
}

#[test]
fn it_is_set_where_something_waits_for_it() {
    let cases: [(&str, u32, Change, bool); 9] = [
        ("nothing", 2, |_| (), false),
        ("a request", 1, |shard| open(shard, "r", after(1)), true),
        ("a record", 1, record, true),
        ("more is stored than is gone", 1, |shard| shard.is_ahead = true, true),
        ("a lease of which another shard may have need", 2, lease, true),
        ("a lease without other shards", 1, lease, false),
        (
            "a lease that is spent",
            2,
            |shard| shard.funds.extend([(SERVICE.to_owned(), fund(TODAY, 8, 8))]),
            false,
        ),
        ("rows of another day", 1, |shard| (shard.has_spilled, shard.swept) = (true, YESTERDAY), true),
        ("rows of today", 1, |shard| (shard.has_spilled, shard.swept) = (true, TODAY), false),
    ];
    for (what, shards, change, is_set) in cases {
        let mut shard = shard(shards);
        change(&mut shard);
        assert_eq!(shard.arm(NOON), is_set.then(|| after(60_000)), "{what}");
    }
}

#[test]
fn what_kv_refused_is_tried_again_after_five_seconds_though_the_ledgers_clock_stands_still() {
    // A clock that was set back does not say how long ago that was.
    for (moment, is_tried) in [(NOON, false), (after(4_999), false), (after(5_000), true), (before(1), true)]
    {
        let mut shard = Shard { clock: after(120_000), ..shard(1) };
        shard.logbook.add("m".to_owned(), "{}".to_owned(), NOON);
        let batch = shard.tidy(NOON).unwrap().and_then(|step| step.batch).expect("one leaves");
        shard.batch_ended(batch.last, false, NOON);
        let again = shard.tidy(moment).unwrap().and_then(|step| step.batch);
        assert_eq!(again.is_some(), is_tried, "{moment:?}");
    }
}

#[test]
fn rows_of_another_day_are_swept_where_there_may_be_any() {
    for (has_spilled, swept, before) in
        [(true, YESTERDAY, Some(TODAY)), (true, TODAY, None), (false, YESTERDAY, None)]
    {
        let mut shard = Shard { has_spilled, swept, ..shard(1) };
        assert_eq!(shard.stale().map(|stale| stale.before), before, "{has_spilled} {swept:?}");
        let times = shard.stale().map(|stale| (stale.at_rest_since, stale.now));
        assert!(times.is_none_or(|times| times == (super::before(660_000), NOON)), "{times:?}");
        shard.has_swept(TODAY);
        assert!(shard.stale().is_none() && shard.is_dirty);
    }
}

#[test]
fn one_that_is_set_is_left_alone_until_it_rings() {
    for (alarm, is_set) in [(after(1), false), (NOON, true), (before(1), true)] {
        let mut shard = Shard { alarm, is_ahead: true, ..shard(1) };
        assert_eq!(shard.arm(NOON).is_some(), is_set);
    }
}

#[test]
fn it_rings_half_as_often_each_time_that_it_was_in_vain() {
    for (shards, most) in [(1, 6 * 3_600), (2, 900)] {
        let (mut shard, mut now) = (Shard { is_ahead: true, ..shard(shards) }, NOON);
        let waits: [u64; 12] = std::array::from_fn(|_| {
            let alarm = shard.arm(now).unwrap();
            alarm.since(std::mem::replace(&mut now, alarm)).as_secs()
        });
        assert_eq!((&waits[..4], waits[11]), (&[60, 120, 240, 480][..], most), "{shards}");
    }
}

#[test]
fn once_needed_it_begins_anew() {
    let mut shard = Shard { alarm: NOON, alarm_after: Duration::from_secs(960), ..shard(1) };
    open(&mut shard, "r", NOON);
    assert_eq!(shard.tick(&limits(1), NOON).unwrap().alarm, Some(after(60_000)));
}

#[test]
fn it_writes_what_has_expired_and_what_an_idle_shard_has() {
    /// Whether the main row is written, a batch leaves, and leases are given back.
    type Done = (bool, bool, bool);
    const WORKS: Done = (true, true, false);
    const NOTHING: Done = (false, false, false);
    let cases: [(&str, u64, Change, Done); 10] = [
        ("nothing", 75_000, |_| (), NOTHING),
        ("a request that has expired", 0, |shard| open(shard, "r", NOON), WORKS),
        ("a request in flight", 75_000, |shard| open(shard, "r", after(1)), NOTHING),
        ("a record", 75_000, stored_record, WORKS),
        ("a record of a shard that works", 74_999, stored_record, NOTHING),
        (
            "a record, and a request in flight",
            75_000,
            |shard| {
                stored_record(shard);
                open(shard, "r", after(1));
            },
            NOTHING,
        ),
        ("more is stored than is gone", 75_000, |shard| shard.is_ahead = true, (true, false, false)),
        (
            "more is stored than is gone, of a shard that works",
            74_999,
            |shard| shard.is_ahead = true,
            NOTHING,
        ),
        ("a lease", 75_000, lease, (true, false, true)),
        ("a lease of a shard that works", 74_999, lease, NOTHING),
    ];
    for (what, idle_ms, change, expected) in cases {
        let mut shard = Shard { active_at: before(idle_ms), ..shard(2) };
        change(&mut shard);
        let step = shard.tick(&limits(2), NOON).unwrap();
        assert_eq!((!step.rows.is_empty(), step.batch.is_some(), step.ask.is_some()), expected, "{what}");
    }
}

#[test]
fn after_dense_traffic_what_lacks_is_written_and_refusals_wait_for_each_other() {
    let refuse: Change = |shard| shard.tallies.refuse(Reason::Revoked);
    let cases: [(&str, u64, Change, Option<bool>); 7] = [
        ("nothing", 30_000, |_| (), Some(false)),
        ("more is stored than is gone", 0, |shard| shard.is_ahead = true, Some(true)),
        ("a change", 0, |shard| shard.is_dirty = true, Some(true)),
        ("a batch", 0, stored_record, Some(true)),
        ("a refusal", 29_999, refuse, None),
        ("a refusal of half a minute", 30_000, refuse, Some(true)),
        (
            "a refusal and a change",
            0,
            |shard| {
                shard.tallies.refuse(Reason::Revoked);
                shard.is_dirty = true;
            },
            Some(true),
        ),
    ];
    for (what, written_ms, change, writes) in cases {
        let mut shard = Shard { written_at: before(written_ms), ..shard(1) };
        change(&mut shard);
        let step = shard.tidy(NOON).unwrap();
        assert_eq!(step.map(|step| !step.rows.is_empty()), writes, "{what}");
    }
    let mut dense = dense();
    dense.is_dirty = true;
    assert_eq!(dense.tidy(NOON), Ok(None), "it goes on");
}

#[test]
fn the_next_batch_leaves_where_there_is_one() {
    let mut shard = shard(1);
    assert_eq!(shard.next_batch(NOON), Ok(None));
    record(&mut shard);
    assert!(shard.next_batch(NOON).unwrap().is_some_and(|step| step.batch.is_some()));
    assert_eq!(shard.next_batch(NOON), Ok(None), "it is under way");
}

#[test]
fn calls_and_rows_are_counted_on_their_day() {
    let mut shard = shard(1);
    shard.note_call(NOON);
    shard.note_kv_read();
    shard.note_rows((3, 4), NOON);
    let asked = shard.tallies.asked;
    assert_eq!((asked.requests, asked.kv_reads, asked.rows_read, asked.rows_written), (1, 1, 3, 4));
    shard.note_call(after(86_400_000));
    assert_eq!((shard.tallies.asked.requests, shard.tallies.asked.rows_read), (1, 0));
}

#[test]
fn kvs_allowance_goes_by_the_ledgers_clock_also_where_that_is_ahead() {
    let mut shard = shard(1);
    for _ in 0..90 {
        record(&mut shard);
        let last = shard.logbook.take_batch(NOON).unwrap().last;
        shard.logbook.written(last, NOON);
    }
    record(&mut shard);
    assert_eq!(shard.next_batch(NOON), Ok(None), "one in 96 seconds");
    shard.clock = after(96_000);
    assert!(shard.next_batch(NOON).unwrap().is_some_and(|step| step.batch.is_some()));
}
