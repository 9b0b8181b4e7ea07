//! The block device below a mount point: hung, spoiled, mounted read-only.

use super::DiskError;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long a command may take.
const COMMAND_MAX: Duration = Duration::from_secs(30);
/// Where the kernel lists what is mounted.
const MOUNTS: &str = "/proc/self/mounts";

/// A block device, and where it is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Device {
    mount: PathBuf,
    device: PathBuf,
}

impl Device {
    /// What is mounted at `mount`.
    pub(in super::super) fn mounted_at(mount: &Path) -> Result<Self, DiskError> {
        let mounts =
            std::fs::read_to_string(MOUNTS).map_err(DiskError::file("read", Path::new(MOUNTS)))?;
        let device = device_of(&mounts, mount)
            .ok_or_else(|| DiskError::NotMounted(mount.display().to_string()))?;
        Ok(Self {
            mount: mount.to_owned(),
            device,
        })
    }

    /// Its name in the kernel's lists, like `loop0`.
    fn name(&self) -> String {
        let name = self.device.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Its number, `major:minor`.
    pub(in super::super) fn number(&self) -> Result<String, DiskError> {
        let path = Path::new("/sys/class/block").join(self.name()).join("dev");
        let text = std::fs::read_to_string(&path).map_err(DiskError::file("read", &path))?;
        Ok(text.trim().to_owned())
    }

    /// Lets the file system meet an error of its own, after which it takes no writes, as after a bad sector. A remount
    /// would not do: the kernel refuses it as long as the server has files open for writing.
    pub(in super::super) fn spoil(&self) -> Result<(), DiskError> {
        let switch = Path::new("/sys/fs/ext4")
            .join(self.name())
            .join("trigger_fs_error");
        std::fs::write(&switch, "1").map_err(DiskError::file("write to", &switch))
    }

    /// Repairs the file system, as a machine does when it starts, and mounts it read-only.
    pub(in super::super) async fn mount_read_only(&self) -> Result<(), DiskError> {
        let (mount, device) = (
            &*self.mount.to_string_lossy(),
            &*self.device.to_string_lossy(),
        );
        run(&["umount", mount], &[0]).await?;
        // 1 says that there was something to repair.
        run(&["e2fsck", "-p", device], &[0, 1]).await?;
        run(
            &["mount", "-o", "ro,errors=remount-ro", device, mount],
            &[0],
        )
        .await
    }

    /// Lets it be written again, by a remount.
    pub(in super::super) async fn remount_writable(&self) -> Result<(), DiskError> {
        let mount = self.mount.to_string_lossy();
        run(&["mount", "-o", "remount,rw", &mount], &[0]).await
    }

    /// Lets every write hang until the guard goes.
    pub(in super::super) async fn freeze(&self) -> Result<Frozen, DiskError> {
        let mount = self.mount.to_string_lossy();
        // Made before: a freeze that is interrupted half-way is undone too.
        let frozen = Frozen(self.mount.clone());
        run(&["fsfreeze", "-f", &mount], &[0]).await?;
        Ok(frozen)
    }
}

/// A frozen file system. Dropped, it goes on.
#[derive(Debug)]
pub(in super::super) struct Frozen(PathBuf);

impl Drop for Frozen {
    fn drop(&mut self) {
        // It fails only on a file system that is not frozen.
        let _ = Command::new("fsfreeze")
            .arg("-u")
            .arg(&self.0)
            .stderr(Stdio::null())
            .status();
    }
}

/// The device that was mounted last at `mount`, if it is a block device.
fn device_of(mounts: &str, mount: &Path) -> Option<PathBuf> {
    let of_line = |line: &str| {
        let mut words = line.split(' ');
        let (device, at) = (words.next()?, words.next()?);
        (Path::new(at) == mount && device.starts_with("/dev/")).then(|| PathBuf::from(device))
    };
    mounts.lines().rev().find_map(of_line)
}

async fn run(words: &[&str], good: &[i32]) -> Result<(), DiskError> {
    let failed = |said: String| DiskError::Command {
        command: words.join(" "),
        said,
    };
    let [program, arguments @ ..] = words else {
        return Err(failed("nothing to run".into()));
    };
    let output = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let done = tokio::time::timeout(COMMAND_MAX, output)
        .await
        .map_err(|_| failed("it does not end".into()))?
        .map_err(|error| failed(error.to_string()))?;
    if done.status.code().is_some_and(|code| good.contains(&code)) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(failed(format!("{}: {}", done.status, said.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = "\
proc /proc proc rw 0 0
/dev/loop3 /mnt/small ext4 rw,relatime 0 0
tmpfs /mnt/quick tmpfs rw 0 0
";

    #[test]
    fn the_device_below_a_mount_point_is_found() {
        let found = |at| device_of(LISTED, Path::new(at));
        assert_eq!(found("/mnt/small"), Some(PathBuf::from("/dev/loop3")));
        assert_eq!(found("/mnt/quick"), None);
        assert_eq!(found("/mnt"), None);
    }

    #[tokio::test]
    async fn a_command_that_fails_is_named_with_what_it_said() {
        let failed = run(&["sh", "-c", "echo broken >&2; exit 4"], &[0]).await;
        let said = failed.err().map(|error| error.to_string());
        let said = said.unwrap_or_default();
        assert!(said.contains("broken") && said.contains('4'), "{said}");
        assert!(run(&["sh", "-c", "exit 1"], &[0, 1]).await.is_ok());
    }
}
