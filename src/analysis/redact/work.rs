//! Counts the bytes that the passes look at, in tests: whether the work grows with the text or with
//! its square is told by counting, not by the clock.

#[cfg(test)]
thread_local! {
    static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// So many bytes were looked at.
#[cfg(test)]
pub(super) fn count(bytes: usize) {
    LOOKED_AT.with(|sum| sum.set(sum.get().saturating_add(bytes)));
}

/// Outside tests there is nothing to count.
#[cfg(not(test))]
pub(super) const fn count(_bytes: usize) {}

/// How many bytes `task` looked at.
#[cfg(test)]
pub(super) fn of(task: impl FnOnce()) -> usize {
    let before = LOOKED_AT.with(std::cell::Cell::get);
    task();
    LOOKED_AT.with(std::cell::Cell::get) - before
}
