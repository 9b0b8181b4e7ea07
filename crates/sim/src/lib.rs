//! The simulated world: whole lives of a shop, from one seed.
//!
//! Why it exists: nobody finds the wrong interleaving by thinking, and no test that runs on real clocks finds it twice.

pub mod chance;
pub mod client;
pub mod clock;
pub mod crowd;
pub mod desk;
pub mod disk;
pub mod hush;
pub mod life;
pub mod marks;
pub mod network;
pub mod oracle;
pub mod plan;
pub mod record;
pub mod scheduler;
pub mod search;
pub mod shrink;
pub mod stage;
pub mod story;
pub mod trim;
pub mod witness;
