//! What can befall a server in a stampede, and how often each of it does.

use std::fmt;
use std::str::FromStr;

/// One kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// SIGKILL.
    Kill,
    /// SIGSTOP, and SIGCONT later: the process stands still, its clocks do not.
    Stop,
    /// No byte is left on the disk, and later there is room again.
    Full,
    /// The file system turns read-only under the running server; a start on it must fail with a reason.
    ReadOnly,
    /// The file system hangs: every write waits until it goes on.
    Freeze,
    /// The disk takes a few writes a second only.
    Slow,
}

impl Fault {
    /// Every kind, in the order in which they are counted.
    pub const ALL: [Self; 6] = [
        Self::Kill,
        Self::Stop,
        Self::Full,
        Self::ReadOnly,
        Self::Freeze,
        Self::Slow,
    ];

    /// Its word on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Full => "full",
            Self::ReadOnly => "read-only",
            Self::Freeze => "freeze",
            Self::Slow => "slow",
        }
    }

    /// Whether it befalls the disk, so that it needs a file system which nobody else uses.
    #[must_use]
    pub const fn is_of_the_disk(self) -> bool {
        !matches!(self, Self::Kill | Self::Stop)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no fault of a storm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no fault of a storm; there are stop, full, read-only, freeze and slow")]
pub struct UnknownFault(String);

impl FromStr for Fault {
    type Err = UnknownFault;

    /// Reads the name of any fault but `kill`: kills are counted by a setting of their own.
    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let storm = Self::ALL.into_iter().filter(|fault| *fault != Self::Kill);
        let mut named = storm.filter(|fault| fault.name() == text);
        named.next().ok_or_else(|| UnknownFault(text.to_owned()))
    }
}

/// How often each fault befalls the server in one stampede.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Storm([u32; Fault::ALL.len()]);

impl Storm {
    /// How often this one does.
    #[must_use]
    pub const fn count(&self, fault: Fault) -> u32 {
        self.0[fault as usize]
    }

    /// How often any does.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Whether any of them befalls the disk.
    #[must_use]
    pub fn needs_disk(&self) -> bool {
        self.each().any(Fault::is_of_the_disk)
    }

    /// Every fault, as often as it comes.
    pub(super) fn each(&self) -> impl Iterator<Item = Fault> + use<> {
        let counts = self.0;
        Fault::ALL
            .into_iter()
            .flat_map(move |fault| std::iter::repeat_n(fault, counts[fault as usize] as usize))
    }
}

impl FromIterator<Fault> for Storm {
    fn from_iter<T: IntoIterator<Item = Fault>>(faults: T) -> Self {
        let mut storm = Self::default();
        for fault in faults {
            let count = &mut storm.0[fault as usize];
            *count = count.saturating_add(1);
        }
        storm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_but_a_kill_is_read_by_its_name() {
        for fault in Fault::ALL {
            let read = fault.name().parse::<Fault>().ok();
            assert_eq!(read, (fault != Fault::Kill).then_some(fault));
        }
        assert!("flood".parse::<Fault>().is_err());
    }

    #[test]
    fn a_fault_named_twice_comes_twice() {
        let storm: Storm = [Fault::Slow, Fault::Stop, Fault::Slow]
            .into_iter()
            .collect();
        assert_eq!((storm.count(Fault::Slow), storm.total()), (2, 3));
        let each: Vec<Fault> = storm.each().collect();
        assert_eq!(each, [Fault::Stop, Fault::Slow, Fault::Slow]);
        assert!(storm.needs_disk());
    }
}
