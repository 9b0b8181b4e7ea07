//! Makes one process's writes to one device slow, by the kernel's own throttle (cgroup v1, blkio).

use super::DiskError;
use rustix::process::Pid;
use std::path::{Path, PathBuf};

/// Where groups of that controller are.
const GROUPS: &str = "/sys/fs/cgroup/blkio";
/// The limit of writes in a second.
const LIMIT: &str = "blkio.throttle.write_iops_device";
/// How many writes the group has done.
const DONE: &str = "blkio.throttle.io_serviced";

/// A throttled process. Dropped, it is let go.
#[derive(Debug)]
pub(in super::super) struct Throttle {
    group: PathBuf,
    device: String,
    pid: String,
}

impl Throttle {
    /// Lets `pid` write at most `a_second` times a second to the device with this number.
    pub(in super::super) fn new(
        pid: Pid,
        device: String,
        a_second: u32,
    ) -> Result<Self, DiskError> {
        let pid = pid.as_raw_nonzero().to_string();
        let group = Path::new(GROUPS).join(format!("tidegate-drill-{pid}"));
        std::fs::create_dir(&group).map_err(DiskError::file("make", &group))?;
        let throttle = Self { group, device, pid };
        let limit = format!("{} {a_second}", throttle.device);
        write(&throttle.group.join(LIMIT), &limit)?;
        write(&throttle.group.join("cgroup.procs"), &throttle.pid)?;
        Ok(throttle)
    }

    /// Writes that have gone through the throttle.
    pub(in super::super) fn writes(&self) -> Result<u64, DiskError> {
        let path = self.group.join(DONE);
        let text = std::fs::read_to_string(&path).map_err(DiskError::file("read", &path))?;
        Ok(writes_of(&text, &self.device))
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        // A limit of zero is none. The group goes when the process is out of it, or has ended.
        let _ = write(&self.group.join(LIMIT), &format!("{} 0", self.device));
        let _ = write(&Path::new(GROUPS).join("cgroup.procs"), &self.pid);
        let _ = std::fs::remove_dir(&self.group);
    }
}

fn write(path: &Path, text: &str) -> Result<(), DiskError> {
    std::fs::write(path, text).map_err(DiskError::file("write to", path))
}

/// The count in the line of this device, like `7:0 Write 12`.
fn writes_of(text: &str, device: &str) -> u64 {
    let count = |line: &str| {
        let rest = line.strip_prefix(device)?.strip_prefix(" Write ")?;
        rest.trim().parse().ok()
    };
    text.lines().find_map(count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::writes_of;

    #[test]
    fn writes_are_counted_of_one_device() {
        let text = "7:0 Read 3\n7:0 Write 12\n254:0 Write 99\nTotal 114\n";
        assert_eq!(writes_of(text, "7:0"), 12);
        assert_eq!(writes_of(text, "7:1"), 0);
    }
}
