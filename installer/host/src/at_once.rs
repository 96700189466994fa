//! Work that does not wait for other work.
//!
//! Guarantees: every result is there when a call returns, and no thread outlives it. A host that has
//! no thread to spare does the same work one after the other.

use std::panic::resume_unwind;
use std::thread::{Builder, scope};

/// Does `work` for a few things at the same time, a thread each, and gives the results in their
/// order.
pub fn each_at_once<T: Sync, R: Send>(things: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let Some((first, rest)) = things.split_first() else {
        return Vec::new();
    };
    let work = &work;
    scope(|scope| {
        let begun: Vec<_> = rest
            .iter()
            .map(|thing| {
                let thread = Builder::new().spawn_scoped(scope, move || work(thing));
                (thing, thread)
            })
            .collect();
        let mut results = vec![work(first)];
        results.extend(begun.into_iter().map(|(thing, thread)| match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(_) => work(thing),
        }));
        results
    })
}

/// Does something else while `work` is under way, and gives what both gave.
pub fn meanwhile<A: Send, B>(
    work: impl Fn() -> A + Send + Sync,
    meanwhile: impl FnOnce() -> B,
) -> (A, B) {
    let work = &work;
    scope(|scope| match Builder::new().spawn_scoped(scope, work) {
        Ok(thread) => {
            let other = meanwhile();
            let result = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            (result, other)
        }
        Err(_) => (work(), meanwhile()),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn nothing_waits_for_anything_else_and_the_order_is_kept() {
        let together = Barrier::new(3);
        let results = each_at_once(&[3, 1, 2], |number| {
            together.wait();
            number * 10
        });
        assert_eq!(results, [30, 10, 20]);
        assert!(each_at_once(&[], |number: &u32| *number).is_empty());

        let together = Barrier::new(2);
        let both = meanwhile(
            || u32::from(together.wait().is_leader()),
            || u32::from(together.wait().is_leader()),
        );
        assert_eq!(both.0 + both.1, 1);
    }
}
