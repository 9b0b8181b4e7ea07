//! Panics inside a life are collected, not printed: the judges read them, with the place where they happened.

use std::cell::{Cell, RefCell};
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

thread_local! {
    static LIVES: Cell<u32> = const { Cell::new(0) };
    static WHERE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// While it lives, a panic of this thread is not printed.
#[derive(Debug)]
pub struct Hush(());

impl Hush {
    /// From now on, on this thread.
    #[must_use]
    pub fn begin() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let loud = panic::take_hook();
            panic::set_hook(Box::new(move |info| hear(info, &*loud)));
        });
        LIVES.set(LIVES.get() + 1);
        Self(())
    }
}

impl Drop for Hush {
    fn drop(&mut self) {
        LIVES.set(LIVES.get().saturating_sub(1));
    }
}

fn hear(info: &PanicHookInfo<'_>, loud: &dyn Fn(&PanicHookInfo<'_>)) {
    if LIVES.get() == 0 {
        return loud(info);
    }
    WHERE.set(info.location().map(ToString::to_string));
}

/// Where the last panic of this thread happened; told once.
#[must_use]
pub fn place() -> Option<String> {
    WHERE.take()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_inside_a_life_is_heard_with_its_place() {
        let hush = Hush::begin();
        let fell = panic::catch_unwind(|| panic!("a cup falls"));
        assert!(fell.is_err());
        assert!(place().is_some_and(|place| place.contains("hush.rs")));
        assert_eq!(place(), None);
        drop(hush);
    }
}
