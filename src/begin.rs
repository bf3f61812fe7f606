//! What can be done at once is: a refusal that waits for nothing leaves neither a promise nor a task behind.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

/// Runs a future until it has to wait; then what is left of it, which wakes whoever polls it.
#[must_use]
pub fn begin(future: impl Future<Output = ()> + 'static) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
    let mut future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(future);
    let relay = Arc::new(Relay::default());
    let waker = Waker::from(Arc::clone(&relay));
    if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
        return None;
    }
    Some(Box::pin(poll_fn(move |context| {
        relay.wakes(context.waker());
        future.as_mut().poll(&mut Context::from_waker(&waker))
    })))
}

/// Wakes the task that the future has become: some futures keep the waker that they saw first, as one that waits for
/// a timer of the platform does. Before there is one nobody has to be woken, as it begins with a look.
#[derive(Default)]
struct Relay(Mutex<Option<Waker>>);

impl Relay {
    fn wakes(&self, waker: &Waker) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            *kept = Some(waker.clone());
        }
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waker) = kept {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Poll;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_is_done_at_once_leaves_nothing() {
        let done = Rc::new(Cell::new(false));
        let seen = Rc::clone(&done);
        assert!(begin(async move { seen.set(true) }).is_none());
        assert!(done.get());
    }

    #[test]
    fn a_future_that_keeps_its_first_waker_wakes_whoever_polls_last() {
        let (first, is_over) = (Rc::new(RefCell::new(None::<Waker>)), Rc::new(Cell::new(false)));
        let (kept, over) = (Rc::clone(&first), Rc::clone(&is_over));
        let rest = begin(poll_fn(move |context| {
            kept.borrow_mut().get_or_insert_with(|| context.waker().clone());
            if over.get() { Poll::Ready(()) } else { Poll::Pending }
        }));
        let mut rest = rest.expect("it waits");
        let wake = || first.borrow().as_ref().expect("kept").wake_by_ref();
        wake();
        for _ in 0..2 {
            let woken = Arc::new(Woken::default());
            let waker = Waker::from(Arc::clone(&woken));
            let mut poll = || rest.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            assert!(!poll() && !poll());
            wake();
            assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        }
        is_over.set(true);
        assert!(rest.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }
}
