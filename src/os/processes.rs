//! The processes that hold sockets, as far as this user may know (`proc_pid_fd(5)`): root knows all,
//! other users their own.
#![allow(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, OsStr};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::os::files::read_optional;

/// The most descriptors that are read of one process, and of all.
const MAX_OF_PROCESS: usize = 65_536;
const MAX_OF_ALL: usize = 262_144;
/// The most processes whose descriptors are read.
const MAX_PROCESSES: usize = 32_768;

/// A process that holds a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketHolder {
    /// The process.
    pub pid: u32,
    /// The name, at most 15 bytes of any value (`comm`).
    pub name: Vec<u8>,
    /// The content of its file `cgroup` (cgroups(7)).
    pub cgroups: Vec<u8>,
}

/// The first process that holds each of these sockets, by their inodes; none for a socket whose
/// processes are hidden. `proc` is /proc.
///
/// The descriptors of all processes of a machine are thousands of links, so the `likely` processes
/// are read first, and the others only for sockets that none of them holds.
pub fn socket_owners(
    proc: &Path,
    mut inodes: BTreeSet<u64>,
    likely: &BTreeSet<u32>,
) -> BTreeMap<u64, SocketHolder> {
    let mut owners = BTreeMap::new();
    let mut left = MAX_OF_ALL;
    let others = || pids(proc).into_iter().filter(|pid| !likely.contains(pid));
    // Not evaluated before the likely ones were read.
    let others = std::iter::once_with(others).flatten();
    for pid in likely.iter().copied().chain(others) {
        if inodes.is_empty() || left == 0 {
            break;
        }
        let directory = proc.join(pid.to_string());
        let found = held_sockets(&directory, &inodes, &mut left);
        if found.is_empty() {
            continue;
        }
        let owner = SocketHolder {
            pid,
            name: read_optional(&directory.join("comm"), 64).bytes,
            cgroups: read_optional(&directory.join("cgroup"), 16_384).bytes,
        };
        for inode in found {
            inodes.remove(&inode);
            owners.insert(inode, owner.clone());
        }
    }
    owners
}

/// The processes, oldest numbers first: the master of a service before its workers.
fn pids(proc: &Path) -> Vec<u32> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut pids: Vec<u32> = names.take(MAX_PROCESSES).collect();
    pids.sort_unstable();
    pids
}

/// Which of these sockets a process holds. `left` is how many descriptors may still be read.
fn held_sockets(process: &Path, inodes: &BTreeSet<u64>, left: &mut usize) -> Vec<u64> {
    // The directory of another user's process cannot be opened.
    let path = process.join("fd");
    let Ok(entries) = fs::read_dir(&path) else {
        return Vec::new();
    };
    let (mut directory, mut found) = (None, Vec::new());
    for entry in entries.flatten().take(MAX_OF_PROCESS.min(*left)) {
        *left -= 1;
        // Kernel threads have no descriptors, so their directory need not be opened again.
        let Some(directory) = directory.get_or_insert_with(|| File::open(&path).ok()) else {
            break;
        };
        let inode = linked_inode(directory, &entry.file_name());
        found.extend(inode.filter(|inode| inodes.contains(inode)));
        if found.len() == inodes.len() {
            break;
        }
    }
    found
}

/// The inode of a socket to which this link in a directory leads. Relative to the directory, a link
/// is read in half the time.
fn linked_inode(directory: &File, name: &OsStr) -> Option<u64> {
    // `socket:[NUMBER]` has at most 29 bytes; a longer link is cut off and does not end with `]`.
    let (mut path, mut link) = ([0_u8; 16], [0_u8; 40]);
    path.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
    let path = CStr::from_bytes_until_nul(&path).ok()?;
    // SAFETY: the name is NUL-terminated, and the kernel writes at most the length of the buffer.
    let length = unsafe {
        libc::readlinkat(
            directory.as_raw_fd(),
            path.as_ptr(),
            link.as_mut_ptr().cast(),
            link.len(),
        )
    };
    socket_inode(link.get(..usize::try_from(length).ok()?)?)
}

/// The inode of a link such as `socket:[4711]`.
fn socket_inode(link: &[u8]) -> Option<u64> {
    let digits = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::symlink;

    use super::*;

    fn process(proc: &Path, pid: u32, links: &[&str]) {
        let fd = proc.join(pid.to_string()).join("fd");
        fs::create_dir_all(&fd).unwrap();
        fs::write(proc.join(format!("{pid}/comm")), format!("p{pid}\n")).unwrap();
        for (number, link) in links.iter().enumerate() {
            symlink(link, fd.join(number.to_string())).unwrap();
        }
    }

    #[test]
    fn this_process_holds_its_own_socket() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let link = fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
        let inode = socket_inode(link.as_os_str().as_bytes()).unwrap();
        let owners = socket_owners(Path::new("/proc"), [inode].into(), &BTreeSet::new());
        assert_eq!(owners[&inode].pid, std::process::id());
        assert!(!owners[&inode].name.is_empty());
    }

    #[test]
    fn the_lowest_number_owns_a_shared_socket() {
        let proc = tempfile::tempdir().unwrap();
        process(proc.path(), 10, &["/dev/null", "socket:[5]"]);
        process(proc.path(), 9, &["socket:[5]", "socket:[x]", "pipe:[6]"]);
        process(proc.path(), 8, &["socket:[7]"]);
        fs::create_dir(proc.path().join("sys")).unwrap();
        let owners = socket_owners(proc.path(), [5, 6, 99].into(), &BTreeSet::new());
        assert_eq!(owners.len(), 1);
        assert_eq!((owners[&5].pid, &*owners[&5].name), (9, &b"p9\n"[..]));
        // A likely one is preferred, and others are found, too.
        let owners = socket_owners(proc.path(), [5, 7].into(), &[10, 4711].into());
        assert_eq!((owners[&5].pid, owners[&7].pid), (10, 8));
    }

    #[test]
    fn without_proc_there_are_no_owners() {
        assert!(socket_owners(Path::new("/nonexistent"), [5].into(), &[1].into()).is_empty());
    }
}
