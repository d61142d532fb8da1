//! The systemd unit that a process runs in, as its control groups tell it, and which units a rule is for.
//!
//! A process can choose what its cgroup is called only below the unit that it was put in: a user that is delegated a
//! part of the tree (a user's manager, a service with `Delegate=`, a container) names what is inside it. So the
//! unit is the first component from the root that is not a slice, and what follows is never looked at.
//!
//! Not here: reading /proc, and whether the process is still the one that connected (`crate::socket`).

use std::fmt;
use std::str::FromStr;

/// The unit of a process, and where the system's manager has put it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerUnit {
    /// Its name, such as `aruba-exporter.service`.
    pub name: String,
    /// The slices around it, the outermost first: `user.slice`, `user-1000.slice`. Without the root slice.
    pub slices: Vec<String>,
}

/// Why the unit of a peer is not known. Rules by units do not match such a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoUnit {
    /// The kernel has no SO_PEERPIDFD: it is older than Linux 6.5.
    NoPeerPidfd,
    /// The process that connected has ended.
    Ended,
    /// The process cannot be seen in /proc.
    Hidden,
    /// The process is in another pid or cgroup namespace, from which no path leads to here.
    OtherNamespace,
    /// Its cgroup is none of systemd's units.
    NotInOne,
    /// The two hierarchies name different units.
    Ambiguous,
    /// The system failed; the daemon's log says how.
    Failed,
}

impl fmt::Display for NoUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPeerPidfd => "the kernel cannot tell (it has no SO_PEERPIDFD; Linux 6.5 does)",
            Self::Ended => "the process that connected has ended",
            Self::Hidden => "the daemon cannot see the process in /proc (hidepid, or ProtectProc= in tokend.service)",
            Self::OtherNamespace => "the process is in another namespace",
            Self::NotInOne => "the process runs in no systemd unit",
            Self::Ambiguous => "the process is in one unit by cgroup v1 and in another one by cgroup v2",
            Self::Failed => "the system did not tell; the daemon's log says why",
        })
    }
}

impl std::error::Error for NoUnit {}

impl PeerUnit {
    /// From what /proc/PID/cgroup holds (cgroups(7)). systemd keeps its units in cgroup v2, in the v1 hierarchy
    /// `name=systemd`, or in both; one that it does not use says `/`.
    ///
    /// A hierarchy can be made, and a component outside a delegated part of it, by root alone: what one of them
    /// says needs no other to confirm it, but two that contradict each other are not believed.
    ///
    /// # Errors
    /// When that is no unit.
    pub fn from_cgroups(text: &str) -> Result<Self, NoUnit> {
        // `5:cpu,cpuacct:/path`: the path may hold a colon, but no line end (cgroup_mkdir refuses it).
        let path_of = |wanted: fn(&str, &str) -> bool| {
            let mut lines = text.lines().filter_map(|line| {
                let mut parts = line.splitn(3, ':');
                Some((parts.next()?, parts.next()?, parts.next()?))
            });
            lines.find(|(number, controllers, _)| wanted(number, controllers)).map(|(_, _, path)| Self::from_path(path))
        };
        let v2 = path_of(|number, controllers| number == "0" && controllers.is_empty());
        let v1 = path_of(|_, controllers| controllers == "name=systemd");
        match (v2, v1) {
            (Some(Ok(v2)), Some(Ok(v1))) if v1 != v2 => Err(NoUnit::Ambiguous),
            (Some(Ok(unit)), _) | (_, Some(Ok(unit))) => Ok(unit),
            // Of two reasons the one that says more.
            (Some(Err(NoUnit::NotInOne)) | None, Some(Err(why))) | (Some(Err(why)), _) => Err(why),
            (None, None) => Err(NoUnit::NotInOne),
        }
    }

    fn from_path(path: &str) -> Result<Self, NoUnit> {
        // The kernel marks a cgroup that was removed; nothing that lives can be in it.
        if path.ends_with(" (deleted)") {
            return Err(NoUnit::Ended);
        }
        let mut slices = Vec::new();
        for component in path.strip_prefix('/').unwrap_or_default().split('/') {
            // Seen from a cgroup namespace that the process is outside of (cgroup_namespaces(7)).
            if component == ".." {
                return Err(NoUnit::OtherNamespace);
            }
            // systemd puts a `_` before what the kernel could take for a file of its own, such as `cpu.service`.
            let name = component.strip_prefix('_').unwrap_or(component);
            match UnitName::parse(name) {
                Some(UnitName { kind: "slice", instance: None, .. }) => slices.push(name.to_owned()),
                Some(unit) if unit.has_processes() => return Ok(Self { name: name.to_owned(), slices }),
                _ => return Err(NoUnit::NotInOne),
            }
        }
        Err(NoUnit::NotInOne)
    }
}

/// Units that a rule is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitRule {
    /// `exporter.service`, `exporter@campus.service`: this one.
    Unit(String),
    /// `exporter@.service`: all instances of the template.
    Instances {
        /// Up to and with the `@`.
        prefix: String,
        /// With its dot.
        suffix: String,
    },
    /// `automation.slice`: all units in it and in the slices below it.
    Slice(String),
}

impl UnitRule {
    /// Whether it is for this unit.
    #[must_use]
    pub fn matches(&self, unit: &PeerUnit) -> bool {
        match self {
            Self::Unit(name) => *name == unit.name,
            Self::Instances { prefix, suffix } => {
                let instance =
                    unit.name.strip_prefix(prefix.as_str()).and_then(|rest| rest.strip_suffix(suffix.as_str()));
                instance.is_some_and(|instance| !instance.is_empty())
            }
            Self::Slice(name) => unit.slices.contains(name),
        }
    }
}

/// Why text names no units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitRuleError {
    /// It ends in no kind of unit. Holds what may be meant.
    NoSuffix(Option<String>),
    /// No process runs in units of this kind.
    NoProcesses(String),
    /// It holds `*`, `?` or `[`.
    Pattern,
    /// It holds a `/`.
    Path,
    /// `-.slice`, in which everything runs.
    RootSlice,
    /// No unit can have this name.
    Name,
}

impl fmt::Display for UnitRuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuffix(Some(meant)) => write!(f, "is not a unit's whole name; expected {meant:?}"),
            Self::NoSuffix(None) => {
                f.write_str("is not a unit's whole name; expected one such as \"aruba-exporter.service\"")
            }
            Self::NoProcesses(kind) => {
                write!(
                    f,
                    "is a {kind}, in which no process runs; expected the service that runs, such as \"aruba-exporter.service\""
                )
            }
            Self::Pattern => f.write_str(
                "is a pattern; expected a unit's whole name, a template such as \"exporter@.service\" for all its \
                 instances, or a slice such as \"automation.slice\" for all units in it",
            ),
            Self::Path => {
                f.write_str("is a path; expected the name of the unit alone, such as \"aruba-exporter.service\"")
            }
            Self::RootSlice => f.write_str(
                "is the slice in which everything runs; expected a slice such as \"automation.slice\", or a rule for \
                 users or groups",
            ),
            Self::Name => f.write_str(
                "cannot be a unit's name (systemd.unit(5)); expected a name as `systemctl` prints it, such as \
                 \"aruba-exporter.service\"",
            ),
        }
    }
}

impl std::error::Error for UnitRuleError {}

impl FromStr for UnitRule {
    type Err = UnitRuleError;

    fn from_str(text: &str) -> Result<Self, UnitRuleError> {
        if text.contains(['*', '?', '[']) {
            return Err(UnitRuleError::Pattern);
        }
        if text.contains('/') {
            return Err(UnitRuleError::Path);
        }
        if text == "-.slice" {
            return Err(UnitRuleError::RootSlice);
        }
        let Some(unit) = UnitName::parse(text) else {
            let service = format!("{text}.service");
            return Err(match text.rsplit_once('.') {
                Some((_, kind)) if KINDS.contains(&kind) => UnitRuleError::Name,
                _ if text.is_empty() => UnitRuleError::NoSuffix(None),
                _ if UnitName::parse(&service).is_some() => UnitRuleError::NoSuffix(Some(service)),
                _ => UnitRuleError::Name,
            });
        };
        match unit {
            UnitName { kind: "slice", instance: None, .. } => Ok(Self::Slice(text.to_owned())),
            UnitName { kind: "slice", .. } => Err(UnitRuleError::Name),
            _ if !PROCESS_KINDS.contains(&unit.kind) => Err(UnitRuleError::NoProcesses(unit.kind.to_owned())),
            UnitName { prefix, instance: Some(""), kind } => {
                Ok(Self::Instances { prefix: format!("{prefix}@"), suffix: format!(".{kind}") })
            }
            _ => Ok(Self::Unit(text.to_owned())),
        }
    }
}

/// Kinds of units in which processes run.
const PROCESS_KINDS: [&str; 5] = ["service", "scope", "socket", "mount", "swap"];

/// All kinds of units (systemd.unit(5)).
const KINDS: [&str; 11] =
    ["service", "scope", "socket", "mount", "swap", "slice", "timer", "path", "target", "automount", "device"];

/// Longest name of a unit in bytes: systemd's UNIT_NAME_MAX without the final zero byte.
const MAX_NAME: usize = 255;

/// A unit's name in its parts: `prefix@instance.kind`.
struct UnitName<'a> {
    prefix: &'a str,
    /// Empty in a template.
    instance: Option<&'a str>,
    kind: &'a str,
}

impl<'a> UnitName<'a> {
    /// As systemd's `unit_name_is_valid`.
    fn parse(name: &'a str) -> Option<Self> {
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '\\' | '@');
        let (stem, kind) = name.rsplit_once('.')?;
        let (prefix, instance) = match stem.split_once('@') {
            Some((prefix, instance)) => (prefix, Some(instance)),
            None => (stem, None),
        };
        let is_name = name.len() <= MAX_NAME && KINDS.contains(&kind) && !prefix.is_empty() && name.chars().all(valid);
        is_name.then_some(Self { prefix, instance, kind })
    }

    /// Whether a cgroup of this name holds processes: it is of such a kind, and no template.
    fn has_processes(&self) -> bool {
        PROCESS_KINDS.contains(&self.kind) && self.instance != Some("")
    }
}

#[cfg(test)]
#[path = "unit_tests.rs"]
mod tests;
