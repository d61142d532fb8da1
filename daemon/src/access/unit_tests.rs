//! Paths of control groups and names in rules, as tables.

use super::*;

fn of(path: &str) -> Result<PeerUnit, NoUnit> {
    PeerUnit::from_cgroups(&format!("0::{path}\n"))
}

fn unit(name: &str, slices: &[&str]) -> PeerUnit {
    PeerUnit { name: name.to_owned(), slices: slices.iter().map(|&slice| slice.to_owned()).collect() }
}

fn rule(text: &str) -> UnitRule {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn the_unit_is_the_first_component_that_is_not_a_slice() {
    let table: &[(&str, &str, &[&str])] = &[
        ("/system.slice/aruba-exporter.service", "aruba-exporter.service", &["system.slice"]),
        ("/init.scope", "init.scope", &[]),
        ("/x.service", "x.service", &[]),
        (
            "/system.slice/system-exporter.slice/exporter@a.service",
            "exporter@a.service",
            &["system.slice", "system-exporter.slice"],
        ),
        (
            "/automation.slice/automation-web.slice/x.service",
            "x.service",
            &["automation.slice", "automation-web.slice"],
        ),
        // Delegated to a service: what it makes below itself is still that service.
        ("/system.slice/x.service/aruba-exporter.service", "x.service", &["system.slice"]),
        ("/system.slice/x.service/system.slice/aruba-exporter.service", "x.service", &["system.slice"]),
        ("/system.slice/x.service/a b:c\\/é", "x.service", &["system.slice"]),
        ("/system.slice/x.service/../..", "x.service", &["system.slice"]),
        // A user's manager, and all that it runs.
        (
            "/user.slice/user-1001.slice/user@1001.service/app.slice/aruba-exporter.service",
            "user@1001.service",
            &["user.slice", "user-1001.slice"],
        ),
        (
            "/user.slice/user-1001.slice/user@1001.service/init.scope",
            "user@1001.service",
            &["user.slice", "user-1001.slice"],
        ),
        (
            "/user.slice/user-1001.slice/user@1001.service/automation.slice/x.service",
            "user@1001.service",
            &["user.slice", "user-1001.slice"],
        ),
        ("/user.slice/user-1001.slice/session-3.scope", "session-3.scope", &["user.slice", "user-1001.slice"]),
        // Containers, with a systemd inside or without.
        ("/system.slice/docker-0123abcd.scope", "docker-0123abcd.scope", &["system.slice"]),
        (
            "/machine.slice/libpod-01.scope/container/system.slice/aruba-exporter.service",
            "libpod-01.scope",
            &["machine.slice"],
        ),
        (
            "/machine.slice/systemd-nspawn@web.service/payload/system.slice/aruba-exporter.service",
            "systemd-nspawn@web.service",
            &["machine.slice"],
        ),
        (
            "/kubepods.slice/kubepods-burstable.slice/cri-containerd-01.scope",
            "cri-containerd-01.scope",
            &["kubepods.slice", "kubepods-burstable.slice"],
        ),
        // Names as systemd escapes them: its own way in names, and one `_` where a cgroup needs it.
        ("/system.slice/exporter@campus\\x2dnorth.service", "exporter@campus\\x2dnorth.service", &["system.slice"]),
        ("/system.slice/exporter@a@b.service", "exporter@a@b.service", &["system.slice"]),
        ("/system.slice/_cpu.service", "cpu.service", &["system.slice"]),
        ("/system.slice/__x.service", "_x.service", &["system.slice"]),
        ("/_cpu.slice/x.service", "x.service", &["cpu.slice"]),
        // Other kinds in which something runs.
        ("/system.slice/tokend.socket", "tokend.socket", &["system.slice"]),
        ("/system.slice/var-lib.mount", "var-lib.mount", &["system.slice"]),
        ("/system.slice/a.b:c_d-e.service", "a.b:c_d-e.service", &["system.slice"]),
    ];
    for (path, name, slices) in table {
        assert_eq!(of(path), Ok(unit(name, slices)), "{path}");
    }
}

#[test]
fn what_is_no_unit_of_the_system_is_none() {
    let long = format!("/{}.service", "x".repeat(248));
    let table = [
        ("/", NoUnit::NotInOne),
        ("", NoUnit::NotInOne),
        ("system.slice/x.service", NoUnit::NotInOne),
        ("//x.service", NoUnit::NotInOne),
        ("/system.slice", NoUnit::NotInOne),
        ("/system.slice/", NoUnit::NotInOne),
        ("/system.slice/./x.service", NoUnit::NotInOne),
        // Not made by systemd: what is below may be anybody's.
        ("/docker/0123abcd/system.slice/aruba-exporter.service", NoUnit::NotInOne),
        ("/lxc.payload.web/system.slice/aruba-exporter.service", NoUnit::NotInOne),
        ("/kubepods/burstable/pod1/aruba-exporter.service", NoUnit::NotInOne),
        ("/kubepods.slice/0123abcd/aruba-exporter.service", NoUnit::NotInOne),
        // Look like units, and are none.
        ("/system.slice/exporter@.service", NoUnit::NotInOne),
        ("/system.slice/@a.service", NoUnit::NotInOne),
        ("/system.slice/.service", NoUnit::NotInOne),
        ("/system.slice/x.service.d", NoUnit::NotInOne),
        ("/system.slice/x y.service", NoUnit::NotInOne),
        ("/system.slice/é.service", NoUnit::NotInOne),
        ("/system.slice/x.timer", NoUnit::NotInOne),
        ("/system.slice/x.SERVICE", NoUnit::NotInOne),
        ("/a@b.slice/x.service", NoUnit::NotInOne),
        (long.as_str(), NoUnit::NotInOne),
        // From inside a cgroup namespace.
        ("/..", NoUnit::OtherNamespace),
        ("/../..", NoUnit::OtherNamespace),
        ("/../system.slice/aruba-exporter.service", NoUnit::OtherNamespace),
        ("/../../aruba-exporter.service", NoUnit::OtherNamespace),
        // Removed.
        ("/system.slice/x.service (deleted)", NoUnit::Ended),
        ("/system.slice/x.service/sub (deleted)", NoUnit::Ended),
    ];
    for (path, why) in table {
        assert_eq!(of(path), Err(why), "{path}");
    }
}

#[test]
fn either_hierarchy_tells_and_both_have_to_agree() {
    let x = || Ok(unit("x.service", &["system.slice"]));
    let table = [
        // cgroup v2 alone, with v1 beside it that systemd does not use, and mirrored in v1.
        ("0::/system.slice/x.service\n", x()),
        ("9:name=systemd:/\n4:memory:/y.service\n0::/system.slice/x.service\n", x()),
        ("1:name=systemd:/system.slice/x.service\n0::/system.slice/x.service\n", x()),
        // cgroup v1: the kernel has a line for v2 or not.
        ("11:cpu,cpuacct:/\n1:name=systemd:/system.slice/x.service\n0::/\n", x()),
        ("1:name=systemd:/system.slice/x.service\n", x()),
        // Deeper in one of them is the same unit.
        ("1:name=systemd:/system.slice/x.service\n0::/system.slice/x.service/sub\n", x()),
        ("1:name=systemd:/system.slice/y.service\n0::/system.slice/x.service\n", Err(NoUnit::Ambiguous)),
        ("1:name=systemd:/x.service\n0::/system.slice/x.service\n", Err(NoUnit::Ambiguous)),
        // Others than these two do not count.
        ("3:cpu:/system.slice/x.service\n2:name=other:/system.slice/x.service\n0::/\n", Err(NoUnit::NotInOne)),
        ("1:name=systemd:/..\n0::/\n", Err(NoUnit::OtherNamespace)),
        ("1:name=systemd:/\n0::/..\n", Err(NoUnit::OtherNamespace)),
        ("", Err(NoUnit::NotInOne)),
        ("nonsense\n0:\n::\n", Err(NoUnit::NotInOne)),
        // A path with colons, and the first of two lines.
        ("0::/system.slice/x.service/a:b\n", x()),
        ("0::/system.slice/x.service\n0::/system.slice/y.service\n", x()),
    ];
    for (text, expected) in table {
        assert_eq!(PeerUnit::from_cgroups(text), expected, "{text:?}");
    }
}

#[test]
fn a_rule_is_for_a_unit_for_the_instances_of_a_template_or_for_a_slice() {
    let plain = unit("exporter.service", &["system.slice"]);
    let instance = unit("exporter@campus.service", &["system.slice", "system-exporter.slice"]);
    let other_kind = unit("exporter@campus.socket", &["system.slice"]);
    let in_slice = unit("web.service", &["automation.slice", "automation-web.slice"]);
    let nested = of("/user.slice/user-1001.slice/user@1001.service/automation.slice/exporter.service").unwrap();
    let all = [&plain, &instance, &other_kind, &in_slice, &nested];
    let table: &[(&str, &[&PeerUnit])] = &[
        ("exporter.service", &[&plain]),
        ("exporter@campus.service", &[&instance]),
        ("exporter@.service", &[&instance]),
        ("exporter@north.service", &[]),
        ("export@.service", &[]),
        ("automation.slice", &[&in_slice]),
        ("automation-web.slice", &[&in_slice]),
        ("system.slice", &[&plain, &instance, &other_kind]),
        ("web.slice", &[]),
        ("app.slice", &[]),
        ("user@1001.service", &[&nested]),
        ("user@.service", &[&nested]),
        ("user.slice", &[&nested]),
    ];
    for (text, expected) in table {
        let matched: Vec<&PeerUnit> = all.into_iter().filter(|unit| rule(text).matches(unit)).collect();
        assert_eq!(matched, *expected, "{text}");
    }
}

#[test]
fn names_in_rules_are_those_of_units_in_which_something_runs() {
    let suffix = |meant: &str| UnitRuleError::NoSuffix(Some(meant.to_owned()));
    let long = format!("{}.service", "x".repeat(248));
    let table = [
        ("", UnitRuleError::NoSuffix(None)),
        ("aruba-exporter", suffix("aruba-exporter.service")),
        ("exporter@", suffix("exporter@.service")),
        ("aruba.exporter", suffix("aruba.exporter.service")),
        ("x.timer", UnitRuleError::NoProcesses("timer".to_owned())),
        ("multi-user.target", UnitRuleError::NoProcesses("target".to_owned())),
        ("x*.service", UnitRuleError::Pattern),
        ("exporter@?.service", UnitRuleError::Pattern),
        ("/system.slice/x.service", UnitRuleError::Path),
        ("system.slice/x.service", UnitRuleError::Path),
        ("-.slice", UnitRuleError::RootSlice),
        (".service", UnitRuleError::Name),
        ("@a.service", UnitRuleError::Name),
        ("x y.service", UnitRuleError::Name),
        ("x y", UnitRuleError::Name),
        ("é.service", UnitRuleError::Name),
        ("a@b.slice", UnitRuleError::Name),
        ("a@.slice", UnitRuleError::Name),
        (long.as_str(), UnitRuleError::Name),
    ];
    for (text, error) in table {
        assert_eq!(text.parse::<UnitRule>(), Err(error), "{text:?}");
    }
}
