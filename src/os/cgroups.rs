//! The paths of control groups (version 2) by their ids, which are the inode numbers of their
//! directories (cgroups(7)), and the processes in them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::Path;

use crate::os::files::read_optional;

/// The most directories that are read.
const MAX_DIRECTORIES: usize = 4096;
/// The most bytes that are read of a list of processes.
const MAX_FILE: u64 = 65_536;

/// The first of these mount points that has control groups of version 2.
pub fn mount<'a>(mounts: &[&'a Path]) -> Option<&'a Path> {
    let is_version_2 = |mount: &&&Path| mount.join("cgroup.controllers").exists();
    mounts.iter().find(is_version_2).copied()
}

/// The processes in these control groups. Those of the root are not counted: it may have all.
pub fn members<'a>(mount: &Path, paths: impl Iterator<Item = &'a Vec<u8>>) -> BTreeSet<u32> {
    let relative = |path: &'a Vec<u8>| path.strip_prefix(b"/").filter(|rest| !rest.is_empty());
    let paths: BTreeSet<_> = paths.filter_map(relative).collect();
    let mut found = BTreeSet::new();
    for path in paths {
        let file = mount.join(OsStr::from_bytes(path)).join("cgroup.procs");
        let content = read_optional(&file, MAX_FILE).bytes;
        let lines = content.split(|byte| *byte == b'\n');
        let pids = lines.filter_map(|line| std::str::from_utf8(line).ok()?.parse::<u32>().ok());
        // A process outside of this PID namespace has the number 0.
        found.extend(pids.filter(|pid| *pid != 0));
    }
    found
}

/// The paths below a mount point, each with a leading slash. An id that is not found there has
/// none.
pub fn paths(mount: &Path, mut ids: BTreeSet<u64>) -> BTreeMap<u64, Vec<u8>> {
    let mut found = BTreeMap::new();
    // The root of the mount, which in a container is the group of the container.
    if let Ok(root) = fs::metadata(mount) {
        if ids.remove(&root.ino()) {
            found.insert(root.ino(), b"/".to_vec());
        }
    }
    // Services and containers are near the root.
    let mut queue = VecDeque::from([mount.to_path_buf()]);
    for _ in 0..MAX_DIRECTORIES {
        let Some(directory) = queue.pop_front().filter(|_| !ids.is_empty()) else {
            break;
        };
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            let path = entry.path();
            if ids.remove(&entry.ino()) {
                found.insert(entry.ino(), below(mount, &path));
            }
            queue.push_back(path);
        }
    }
    found
}

/// The path below a mount point.
fn below(mount: &Path, path: &Path) -> Vec<u8> {
    let rest = path.strip_prefix(mount).unwrap_or(path);
    [b"/", rest.as_os_str().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_inodes_of_directories() {
        let mount = tempfile::tempdir().unwrap();
        let service = mount.path().join("system.slice/nginx.service");
        fs::create_dir_all(&service).unwrap();
        let (root, id) = (
            fs::metadata(mount.path()).unwrap().ino(),
            fs::metadata(&service).unwrap().ino(),
        );
        let mounts = [Path::new("/nonexistent"), mount.path()];
        assert_eq!(super::mount(&mounts), None);
        fs::write(mount.path().join("cgroup.controllers"), "").unwrap();
        assert_eq!(super::mount(&mounts), Some(mount.path()));
        let found = paths(mount.path(), [root, id, u64::MAX].into());
        assert_eq!(found.len(), 2);
        assert_eq!(found[&root], b"/");
        assert_eq!(found[&id], b"/system.slice/nginx.service");
    }

    #[test]
    fn members_are_those_of_groups_below_the_root() {
        let mount = tempfile::tempdir().unwrap();
        fs::write(mount.path().join("cgroup.procs"), "1\n2\n").unwrap();
        fs::create_dir(mount.path().join("web")).unwrap();
        fs::write(mount.path().join("web/cgroup.procs"), "30\n0\nx\n4\n").unwrap();
        let paths = ["/", "/web", "/web", "/gone"].map(|path| path.as_bytes().to_vec());
        assert_eq!(members(mount.path(), paths.iter()), [4, 30].into());
    }
}
