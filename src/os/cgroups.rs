//! The paths of control groups (version 2) by their ids, which are the inode numbers of their
//! directories (cgroups(7)).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::Path;

/// The most directories that are read.
const MAX_DIRECTORIES: usize = 4096;

/// The paths below the first of these mount points that has control groups of version 2, each with
/// a leading slash. An id that is not found there has none.
pub fn paths(mounts: &[&Path], mut ids: BTreeSet<u64>) -> BTreeMap<u64, Vec<u8>> {
    let mut found = BTreeMap::new();
    let is_version_2 = |mount: &&&Path| mount.join("cgroup.controllers").exists();
    let Some(mount) = mounts.iter().find(is_version_2) else {
        return found;
    };
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
        let missing = Path::new("/nonexistent");
        assert!(paths(&[missing, mount.path()], [root, id].into()).is_empty());
        fs::write(mount.path().join("cgroup.controllers"), "").unwrap();
        let found = paths(&[missing, mount.path()], [root, id, u64::MAX].into());
        assert_eq!(found.len(), 2);
        assert_eq!(found[&root], b"/");
        assert_eq!(found[&id], b"/system.slice/nginx.service");
    }
}
