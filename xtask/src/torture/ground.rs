//! Where a life takes place: a small ext4 in a file, mounted over a loop device, and what this machine lets us do to it.
//! What it does not let us do is named with the reason. Everything is undone at the end, however that comes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::command::{output, succeed};

/// Small enough to be filled in a moment, large enough for the data of one life.
const DISK_BYTES: u64 = 64 * 1024 * 1024;
/// The throttle of the kernel that `slow` needs.
const THROTTLE: &str = "/sys/fs/cgroup/blkio/blkio.throttle.write_iops_device";

/// The ground of all lives of a run.
pub(super) struct Ground {
    /// Faults that can be brought about here, besides kills.
    pub(super) faults: Vec<&'static str>,
    /// Faults that cannot, with the reason.
    pub(super) left_out: Vec<(&'static str, String)>,
    disk: Option<SmallDisk>,
    kept: PathBuf,
}

impl Ground {
    /// Makes the disk, and finds out what can be done to it.
    pub(super) fn prepare(root: &Path) -> Result<Self> {
        let dir = root.join("target").join("torture");
        std::fs::create_dir_all(&dir)?;
        let mut ground = Self {
            faults: vec!["stop"],
            left_out: Vec::new(),
            disk: None,
            kept: dir.clone(),
        };
        if output(Command::new("id").arg("-u"))?.trim() != "0" {
            ground.leave_out_disk("it needs root");
            return Ok(ground);
        }
        match SmallDisk::make(&dir) {
            Ok(disk) => {
                ground.offer("full", Ok(()));
                ground.offer("read-only", disk.can_be_spoiled());
                ground.offer("freeze", has_program("fsfreeze"));
                ground.offer("slow", exists(Path::new(THROTTLE)));
                ground.disk = Some(disk);
            }
            Err(error) => ground.leave_out_disk(&format!("no small disk: {error:#}")),
        }
        Ok(ground)
    }

    fn offer(&mut self, fault: &'static str, can: std::result::Result<(), String>) {
        match can {
            Ok(()) => self.faults.push(fault),
            Err(why) => self.left_out.push((fault, why)),
        }
    }

    fn leave_out_disk(&mut self, why: &str) {
        for fault in ["full", "read-only", "freeze", "slow"] {
            self.offer(fault, Err(why.to_owned()));
        }
    }

    /// The mount point, if there is a disk.
    pub(super) fn disk(&self) -> Option<&Path> {
        self.disk.as_ref().map(|disk| &*disk.mount)
    }

    /// Copies the data of a failed life away before the disk goes. Says where to.
    pub(super) fn keep(&self, seed: u64) -> String {
        let Some(disk) = &self.disk else {
            return String::new();
        };
        let to = self.kept.join(format!("failed-{seed}"));
        let _ = std::fs::remove_dir_all(&to);
        let from = disk.mount.join(format!("life-{seed}"));
        match succeed(Command::new("cp").arg("-a").arg(from).arg(&to)) {
            Ok(()) => format!("its data is kept in {}\n", to.display()),
            Err(error) => format!("its data cannot be kept: {error:#}\n"),
        }
    }
}

/// A file system in a file. Dropped, it is gone.
struct SmallDisk {
    image: PathBuf,
    mount: PathBuf,
    device: Option<String>,
}

impl SmallDisk {
    fn make(dir: &Path) -> Result<Self> {
        let mut disk = Self {
            image: dir.join("disk.img"),
            mount: dir.join("disk"),
            device: None,
        };
        // A run that was killed could not clean up.
        disk.clear();
        std::fs::create_dir_all(&disk.mount)?;
        File::create(&disk.image)?.set_len(DISK_BYTES)?;
        // Nothing is set aside for root, who is the one to be left without room.
        let mut mkfs = Command::new("mkfs.ext4");
        succeed(mkfs.args(["-q", "-F", "-m", "0"]).arg(&disk.image))?;
        let mut losetup = Command::new("losetup");
        let device = output(losetup.args(["--find", "--show"]).arg(&disk.image))?;
        let device = device.trim().to_owned();
        disk.device = Some(device.clone());
        let mut mount = Command::new("mount");
        mount.args(["-o", "errors=remount-ro", &device]);
        succeed(mount.arg(&disk.mount)).context("a loop device cannot be mounted")?;
        Ok(disk)
    }

    fn can_be_spoiled(&self) -> std::result::Result<(), String> {
        has_program("e2fsck")?;
        let name = self.device.as_deref().unwrap_or_default();
        let name = name.trim_start_matches("/dev/");
        exists(
            &Path::new("/sys/fs/ext4")
                .join(name)
                .join("trigger_fs_error"),
        )
    }

    fn clear(&mut self) {
        quietly(Command::new("fsfreeze").arg("-u").arg(&self.mount));
        // A process that holds on to it does not keep it in the tree.
        let mut umount = Command::new("umount");
        if !quietly(umount.arg(&self.mount)) {
            quietly(Command::new("umount").arg("--lazy").arg(&self.mount));
        }
        let devices = Command::new("losetup")
            .args(["--noheadings", "--output", "NAME", "--associated"])
            .arg(&self.image)
            .output();
        let devices = devices.map_or_else(|_| Vec::new(), |devices| devices.stdout);
        for device in String::from_utf8_lossy(&devices).split_whitespace() {
            quietly(Command::new("losetup").arg("--detach").arg(device));
        }
        self.device = None;
        // Neither exists before the first run.
        let _ = std::fs::remove_file(&self.image);
        let _ = std::fs::remove_dir(&self.mount);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Whether the command succeeded; what it says about it does not matter.
fn quietly(command: &mut Command) -> bool {
    let silent = command.stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

fn has_program(name: &str) -> std::result::Result<(), String> {
    let found = quietly(Command::new("sh").args(["-c", &format!("command -v {name}")]));
    found
        .then_some(())
        .ok_or_else(|| format!("there is no program {name}"))
}

fn exists(path: &Path) -> std::result::Result<(), String> {
    path.exists()
        .then_some(())
        .ok_or_else(|| format!("there is no {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_done_is_named_with_its_reason() {
        let mut ground = Ground {
            faults: vec!["stop"],
            left_out: Vec::new(),
            disk: None,
            kept: PathBuf::new(),
        };
        ground.offer("full", Ok(()));
        ground.offer("slow", exists(Path::new("/nowhere")));
        assert_eq!(ground.faults, ["stop", "full"]);
        assert_eq!(
            ground.left_out,
            [("slow", "there is no /nowhere".to_owned())]
        );
        assert!(has_program("sh").is_ok());
        assert!(has_program("no-such-program").is_err());
    }
}
