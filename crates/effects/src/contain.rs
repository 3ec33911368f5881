//! A consumer's mistake stays with it: a panic ends its piece of work and nothing else.
//!
//! What always holds: a panic anywhere else ends the process, as an assertion about stock must
//! (once [`abort_on_panic`] was called). What is contained says where it happened and not what
//! it said: that may quote an address.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();
static ABORTS: AtomicBool = AtomicBool::new(false);

/// Where a piece of work panicked: `file:line`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub place: String,
}

/// From now on a panic that is not contained ends the process.
pub fn abort_on_panic() {
    ABORTS.store(true, Ordering::SeqCst);
    hook();
}

/// Does a piece of work whose panic is its own.
///
/// # Errors
/// When it panicked. Whatever it was changing may be half changed: the caller throws it away.
pub fn contain<T>(work: impl FnOnce() -> T) -> Result<T, Mistake> {
    hook();
    let before = CONTAINED.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(before);
    done.map_err(|_| Mistake {
        place: PLACE
            .take()
            .unwrap_or_else(|| "an unknown place".to_owned()),
    })
}

fn hook() {
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if CONTAINED.get() {
                PLACE.set(
                    panic
                        .location()
                        .map(|at| format!("{}:{}", at.file(), at.line())),
                );
                return;
            }
            before(panic);
            if ABORTS.load(Ordering::SeqCst) {
                std::process::abort();
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_says_where_and_not_what() {
        let mistake = contain(|| panic!("a@example.com")).unwrap_err();
        assert!(mistake.place.contains("contain.rs:"), "{mistake:?}");
        assert_eq!(contain(|| 3), Ok(3));
    }

    #[test]
    fn what_is_nested_is_contained_to_the_end() {
        let outer = contain(|| {
            contain(|| panic!("inside")).unwrap_err();
            panic!("outside")
        });
        assert!(outer.is_err());
    }
}
