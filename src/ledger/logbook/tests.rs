use super::*;

fn at(seconds: u64) -> UnixMillis {
    UnixMillis::from_seconds(1_000_000 + seconds)
}

fn add(book: &mut Logbook, number: u64, bytes: usize) {
    book.add(format!("m:{number}"), format!("{number:0>bytes$}"), at(0));
}

/// Adds a record of so many bytes.
fn fill(book: &mut Logbook, bytes: usize) {
    book.add("m".to_owned(), "x".repeat(bytes), at(0));
}

/// A book whose allowance of writes is used up.
fn without_allowance() -> Logbook {
    let mut book = Logbook::default();
    for number in 0..90 {
        fill(&mut book, 1);
        assert!(book.is_due(false, at(0), at(0)), "{number}");
        let batch = book.take_batch(at(0)).unwrap();
        book.written(batch.last, at(0));
    }
    book
}

#[test]
fn a_record_leaves_once() {
    let mut book = Logbook::default();
    add(&mut book, 0, 5);
    assert!(
        book.is_due(false, at(0), at(0))
            && !book.is_due(true, at(0), at(0))
            && book.is_due(true, at(2), at(2))
    );
    let batch = book.take_batch(at(0)).unwrap();
    let stored = book.store().0;
    add(&mut book, 1, 5);
    assert_eq!((batch.key.as_str(), batch.value.as_str(), batch.last), ("m:0", "00000", 0));
    assert!(!book.is_due(false, at(9), at(9)), "one write at a time");
    // A crash before the row knows of the write: the same key, the same record.
    let mut again = Logbook::restored(stored);
    assert_eq!(again.unsure(), Some(batch.clone()));
    assert!(!again.is_due(false, at(9), at(9)), "first it is looked for");
    again.refused(0, at(9));
    assert_eq!(again.take_batch(at(14)), Some(batch.clone()), "KV does not have it");
    book.written(batch.last, at(1));
    assert_eq!(book.counts(), (1, 0));
}

#[test]
fn a_days_writes_stay_within_the_allowance() {
    let mut book = Logbook::default();
    let mut writes = 0;
    for second in 0..86_400 {
        book.add(format!("m:{second}"), "{}".to_owned(), at(second));
        if book.is_due(false, at(second), at(second)) {
            let batch = book.take_batch(at(second)).unwrap();
            book.written(batch.last, at(second));
            writes += 1;
        }
    }
    assert!((900..=1_000).contains(&writes), "{writes}");
}

#[test]
fn records_beyond_the_main_row_have_rows_of_their_own_which_are_used_again() {
    let mut book = Logbook::default();
    let mut rows = std::collections::BTreeMap::new();
    let mut stored = Stored::default();
    for number in 0..30 {
        add(&mut book, number, 10_000);
        let (row, own) = book.store();
        stored = row;
        rows.extend(own);
    }
    assert_eq!(stored.chunks.len(), 6);
    let mut again = Logbook::restored(stored);
    for slot in again.slots() {
        again.take_in(rows[&slot].clone());
    }
    assert!(again.unsure().is_none());
    let batch = again.take_batch(at(0)).unwrap();
    assert_eq!((batch.key.as_str(), batch.last, batch.value.lines().count()), ("m:0", 29, 30));
    again.written(29, at(1));
    assert_eq!((again.slots(), again.counts()), (vec![], (0, 0)));
    for number in 30..35 {
        add(&mut again, number, 10_000);
    }
    assert_eq!(again.store().1[0].0, 0, "the first slot is used again");
    // A chunk of which some records have left is read whole, and gives back the others only.
    add(&mut again, 35, 10_000);
    let last = again.take_batch(at(2)).unwrap().last;
    let rest = 36..42;
    rest.clone().for_each(|number| add(&mut again, number, 10_000));
    let (_, own) = again.store();
    again.written(last, at(2));
    let mut third = Logbook::restored(again.store().0);
    own.into_iter().for_each(|(_, entries)| third.take_in(entries));
    let numbers: Vec<u64> = third.entries.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, rest.collect::<Vec<u64>>());
}

#[test]
fn what_kv_refuses_is_kept_within_a_bound_and_the_rest_is_counted() {
    let mut book = Logbook::default();
    for number in 0..500 {
        add(&mut book, number, 10_000);
    }
    let _ = book.store();
    assert_eq!(book.counts(), (419, 81));
    for (second, wait) in [(0, 5), (5, 10), (15, 20)] {
        // The ledger's clock stands still: it was ahead.
        let is_due = |platform| book.is_due(true, at(0), at(platform));
        assert!(is_due(second), "{second}");
        let last = book.take_batch(at(second)).unwrap().last;
        book.refused(last, at(second));
        for early in [second, second + wait - 1] {
            assert!(!book.is_due(true, at(999), at(early)), "{early}");
        }
    }
    assert!(book.is_due(true, at(0), at(14)), "the platform's clock was set back");
    let batch = book.take_batch(at(35)).unwrap();
    assert_eq!(batch.key, "m:81");
    book.written(batch.last, at(35));
    assert!(book.is_empty());
    add(&mut book, 500, 1);
    assert!(book.is_due(false, at(35), at(20)), "what KV took makes up for what it refused");
}

#[test]
fn what_kv_may_have_is_sent_again_as_it_was() {
    let mut book = Logbook::default();
    add(&mut book, 0, 100);
    let first = book.take_batch(at(0)).unwrap();
    add(&mut book, 1, 100);
    book.refused(first.last, at(0));
    // Also after a crash: storage knows that KV may have it.
    let mut again = Logbook::restored(book.store().0);
    assert_eq!(again.unsure(), Some(first.clone()));
    again.refused(first.last, at(1));
    for book in [&mut book, &mut again] {
        assert_eq!(book.take_batch(at(60)), Some(first.clone()));
        book.written(first.last, at(60));
        let rest = book.take_batch(at(61)).unwrap();
        assert_eq!((rest.key.as_str(), rest.last), ("m:1", 1));
    }
}

#[test]
fn after_ninety_writes_one_comes_each_96_seconds_or_with_three_megabytes() {
    let mut book = without_allowance();
    fill(&mut book, 1);
    assert_eq!(book.next_allowed(), at(96));
    assert!(!book.is_due(false, at(95), at(95)) && book.is_due(false, at(96), at(96)));
    fill(&mut book, 3 * 1_048_576 - 2);
    assert!(!book.is_due(true, at(1), at(1)));
    fill(&mut book, 1);
    assert!(book.is_due(true, at(1), at(1)), "nor do they wait for company");
}

#[test]
fn what_is_stored_comes_back() {
    let mut book = without_allowance();
    assert!(book.is_empty() && book.is_dirty());
    (0..50).for_each(|_| fill(&mut book, 100_000));
    let (stored, own) = book.store();
    assert!(!book.is_dirty() && !book.is_empty());
    let mut again = Logbook::restored(stored.clone());
    own.into_iter().for_each(|(_, entries)| again.take_in(entries));
    assert_eq!((again.counts(), again.next_allowed()), ((41, 9), at(96)));
    assert!(!again.is_dirty());
    assert_eq!(again.store(), (stored, Vec::new()));
}

#[test]
fn what_has_just_room_is_in_the_main_row_in_one_of_its_own_and_in_memory() {
    let mut book = Logbook::default();
    fill(&mut book, 48 * 1_024);
    assert_eq!((book.store().0.entries.len(), book.store().1.len()), (1, 0));
    fill(&mut book, 1);
    let (main, own) = book.store();
    assert_eq!((main.entries.len(), own.first().map(|(_, row)| row.len())), (0, Some(2)));

    let mut book = Logbook::default();
    (0..5).for_each(|_| fill(&mut book, 128 * 1_024));
    assert_eq!(book.store().1.iter().map(|(_, row)| row.len()).collect::<Vec<_>>(), [4, 1]);

    let mut book = Logbook::default();
    (0..4).for_each(|_| fill(&mut book, 1_048_576));
    assert_eq!(book.counts(), (4, 0));
    fill(&mut book, 1);
    assert_eq!(book.counts(), (4, 1));
}

#[test]
fn a_row_is_kept_until_its_last_record_has_left() {
    let mut book = Logbook::default();
    (0..3).for_each(|_| fill(&mut book, 1));
    let batch = book.take_batch(at(0)).unwrap();
    fill(&mut book, 100_000);
    assert_eq!(book.store().1.len(), 1);
    book.written(batch.last, at(0));
    assert_eq!(book.slots(), [0]);
    let batch = book.take_batch(at(0)).unwrap();
    book.written(batch.last, at(0));
    assert!(book.slots().is_empty());
}
