//! A disk that nobody else uses, and what can be done to it while a server writes on it. Everything is undone when its
//! guard is dropped, so that a drill which is stopped half-way leaves no disk hanging.

mod ballast;
mod device;
mod throttle;

pub(super) use ballast::Ballast;
pub(super) use device::Device;
pub(super) use throttle::Throttle;

/// Why nothing could be done to the disk.
#[derive(Debug, thiserror::Error)]
pub(super) enum DiskError {
    /// A file that is a switch of the system, or the ballast.
    #[error("cannot {what} {path}")]
    File {
        what: &'static str,
        path: String,
        source: std::io::Error,
    },
    /// A program that is needed did not start or did not end well.
    #[error("`{command}` failed: {said}")]
    Command { command: String, said: String },
    /// The path is no place where a block device is mounted.
    #[error("{0} is not where a disk is mounted")]
    NotMounted(String),
}

impl DiskError {
    fn file<'a>(
        what: &'static str,
        path: &'a std::path::Path,
    ) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |source| Self::File {
            what,
            path: path.display().to_string(),
            source,
        }
    }
}
