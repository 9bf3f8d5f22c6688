//! The systemd unit and the container of a control group (cgroups(7)).

use crate::listeners::label::clean;

/// How many digits of a container's id are shown, as `docker ps` does.
const SHORT_ID: usize = 12;
/// The shortest name that is taken for the hexadecimal id of a container.
const MIN_ID: usize = 32;

/// Where a process runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Placement {
    /// The innermost systemd unit, such as `nginx.service`.
    pub unit: Option<String>,
    /// The container: the first 12 digits of its id, or its name.
    pub container: Option<String>,
}

impl Placement {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// From the path of a control group.
    pub fn of_path(path: &[u8]) -> Self {
        let text = String::from_utf8_lossy(path);
        let parts = || text.split('/').filter(|part| !part.is_empty());
        let container = parts().rev().find_map(container);
        let unit = parts().rev().find(|part| is_unit(part));
        Self {
            // The scope of a container only repeats its id.
            unit: unit
                .filter(|unit| self::container(unit).is_none())
                .map(clean),
            container: container.map(|name| clean(&name)),
        }
    }

    /// From the file `cgroup` of a process: lines `NUMBER:CONTROLLERS:PATH`.
    pub fn of_process(file: &[u8]) -> Self {
        let path = |prefix: &[u8]| {
            let mut lines = file.split(|byte| *byte == b'\n');
            lines.find_map(|line| {
                let rest = line.splitn(2, |byte| *byte == b':').nth(1)?;
                rest.strip_prefix(prefix)
            })
        };
        // Version 2, or the hierarchy of systemd in version 1.
        let found = [&b":"[..], b"name=systemd:"].map(|prefix| path(prefix).map(Self::of_path));
        let mut found = found.into_iter().flatten();
        found.find(|found| !found.is_empty()).unwrap_or_default()
    }
}

/// Whether a part of a path is a unit with processes of its own. `init.scope` is systemd itself,
/// which opens sockets for others.
fn is_unit(part: &str) -> bool {
    let has_suffix = |suffix: &str| {
        part.strip_suffix(suffix)
            .is_some_and(|name| !name.is_empty())
    };
    part != "init.scope"
        && [".service", ".scope", ".socket"]
            .into_iter()
            .any(has_suffix)
}

/// The container that a part of a path stands for.
fn container(part: &str) -> Option<String> {
    let name = part
        .strip_suffix(".scope")
        .or(part.strip_suffix(".service"))
        .unwrap_or(part);
    // Docker, Podman, CRI-O and containerd: `docker-ID.scope`, `crio-ID`, or the id alone.
    let last = name.rsplit(['-', ':']).next().unwrap_or(name);
    if last.len() >= MIN_ID && last.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return last.get(..SHORT_ID).map(str::to_owned);
    }
    let scope = part.strip_suffix(".scope");
    let named = scope.and_then(|name| name.strip_prefix("machine-"));
    let named = named.or_else(|| name.strip_prefix("lxc.payload."));
    named.filter(|name| !name.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[track_caller]
    fn is(path: &str, unit: Option<&str>, container: Option<&str>) {
        let found = Placement::of_path(path.replace("ID", ID).as_bytes());
        let found = (found.unit.as_deref(), found.container.as_deref());
        assert_eq!(found, (unit, container), "{path}");
    }

    #[test]
    fn units_are_the_innermost() {
        is("/", None, None);
        is("/init.scope", None, None);
        is("/system.slice", None, None);
        is("/system.slice/nginx.service", Some("nginx.service"), None);
        is(
            "/system.slice/nginx.service/worker",
            Some("nginx.service"),
            None,
        );
        let user = "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service";
        is(user, Some("web.service"), None);
        is(
            "/user.slice/user-1000.slice/session-3.scope",
            Some("session-3.scope"),
            None,
        );
        is(
            r"/system.slice/a\x2db.service",
            Some(r"a\x2db.service"),
            None,
        );
    }

    #[test]
    fn containers_are_recognized() {
        let id = Some("0123456789ab");
        is("/system.slice/docker-ID.scope", None, id);
        is("/docker/ID", None, id);
        is("/machine.slice/libpod-ID.scope/container", None, id);
        is(
            "/kubepods.slice/kubepods-pod1.slice/cri-containerd-ID.scope",
            None,
            id,
        );
        is("/kubepods/burstable/pod5c/ID", None, id);
        is(
            "/system.slice/containerd.service/kubepods:cri-containerd:ID",
            Some("containerd.service"),
            id,
        );
        is(
            "/docker/ID/system.slice/ssh.service",
            Some("ssh.service"),
            id,
        );
        is(
            "/lxc.payload.web/system.slice/ssh.service",
            Some("ssh.service"),
            Some("web"),
        );
        is("/machine.slice/machine-web.scope", None, Some("web"));
    }

    #[test]
    fn processes_have_the_path_of_either_version() {
        let unit = |file: &str| Placement::of_process(file.as_bytes()).unit;
        let ssh = Some("ssh.service".to_owned());
        assert_eq!(unit("0::/system.slice/ssh.service\n"), ssh);
        assert_eq!(
            unit("9:name=systemd:/system.slice/ssh.service\n0::/\n"),
            ssh
        );
        assert_eq!(unit("8:pids:/system.slice/ssh.service\n"), None);
        assert_eq!(unit(""), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Placement::of_path(&bytes);
            let found = Placement::of_process(&bytes);
            let text = [found.unit, found.container].into_iter().flatten().collect::<String>();
            prop_assert!(!text.contains(char::is_control));
        }
    }
}
