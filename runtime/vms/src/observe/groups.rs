//! Which control groups are banger's own: pure.

/// The slice that VMs' scopes lie in.
const SLICE: &str = "banger.slice";
/// What the name of a VM's scope begins with.
const SCOPE_PREFIX: &str = "banger-vm-";
/// Services in whose groups a guest may live: the helper's, and that of a release before the helper
/// was a service of its own.
const SERVICES: [&str; 2] = ["bangerd-root.service", "bangerd.service"];

/// The scope of the VM that a control group belongs to, when it is one of `banger.slice` in the tree
/// of the system's systemd, whose root is `root`.
///
/// A path counts from the root on: a user's own systemd, or a container's, may name its groups as it
/// likes, but all below a service or scope of the system.
pub(super) fn scope_of<'path>(root: &str, control_group: &'path str) -> Option<&'path str> {
    let (slice, unit) = unit_of(root, control_group)?;
    let is_scope = unit.starts_with(SCOPE_PREFIX) && unit.ends_with(".scope");
    (slice == Some(SLICE) && is_scope).then_some(unit)
}

/// The control group is one where banger's guests live: a VM's scope, or the group of a service of
/// banger.
pub(super) fn is_ours(root: &str, control_group: &str) -> bool {
    let of_service =
        || unit_of(root, control_group).is_some_and(|(_, unit)| SERVICES.contains(&unit));
    scope_of(root, control_group).is_some() || of_service()
}

/// The first part that is no slice, which is a unit's group, and the slice that it lies in.
fn unit_of<'path>(
    root: &str,
    control_group: &'path str,
) -> Option<(Option<&'path str>, &'path str)> {
    let mut slice = None;
    for part in control_group
        .strip_prefix(root)?
        .strip_prefix('/')?
        .split('/')
    {
        if !part.ends_with(".slice") {
            return Some((slice, part));
        }
        slice = Some(part);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_control_groups() {
        for (group, ours) in [
            ("/banger.slice/banger-vm-00112233445566aa.scope", true),
            ("/banger.slice/banger-vm-00112233445566aa.scope/x", true),
            ("/system.slice/bangerd-root.service", true),
            ("/system.slice/bangerd-root.service/guest", true),
            ("/my.slice/my-own.slice/bangerd-root.service", true),
            ("/system.slice/bangerd.service", true),
            ("/", false),
            ("", false),
            ("/banger.slice", false),
            ("/banger.slice/other.service", false),
            ("/system.slice/banger-vm-00112233445566aa.scope", false),
            ("/system.slice/bangerd-root.service-not", false),
            ("/machine.slice/systemd-nspawn@c.service/payload", false),
            (
                "/machine.slice/c.service/payload/banger.slice/banger-vm-x.scope",
                false,
            ),
            (
                "/user.slice/user-1000.slice/user@1000.service/banger.slice/banger-vm-x.scope",
                false,
            ),
            ("/docker/banger.slice/banger-vm-x.scope", false),
        ] {
            assert_eq!(is_ours("", group), ours, "{group}");
        }
    }

    #[test]
    fn groups_count_from_the_root_of_systemds_tree() {
        let group = "/lxc/box/banger.slice/banger-vm-00112233445566aa.scope";
        assert!(!is_ours("", group));
        let scope = scope_of("/lxc/box", group);
        assert_eq!(scope, Some("banger-vm-00112233445566aa.scope"));
        assert!(!is_ours("/lxc/other", group));
    }
}
