//! What a service may do: `probe WORK`, run in its place, tries what a daemon that was taken over would try.
//!
//! For each thing it prints a line `NAME allowed` or `NAME denied WHY`. WORK is a folder that it may write to. Nothing
//! that it does lasts; where it could, it asks for what the kernel refuses for another reason than the service's
//! limits.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use memmap2::MmapMut;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::personality::{self, Persona};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_settime};
use nix::unistd::{Gid, Uid, chown, sethostname};

fn main() {
    let work = std::env::args().nth(1).expect("usage: probe WORK");
    let work = Path::new(&work);
    say("write-its-own-folder", fs::write(work.join("probe"), "x"));
    for (name, path) in [
        ("write-etc", "/etc/probe"),
        ("write-usr", "/usr/probe"),
        ("write-var", "/var/probe"),
        ("write-run", "/run/probe"),
        ("write-the-sockets-folder", "/run/tokend/probe"),
        ("write-other-state", "/var/lib/probe"),
    ] {
        say(name, fs::write(path, "x").and_then(|()| fs::remove_file(path)));
    }
    for (name, path) in [
        ("read-home", "/home/marker"),
        ("read-root", "/root/marker"),
        ("read-tmp", "/tmp/marker"),
        ("read-var-tmp", "/var/tmp/marker"),
        ("read-dev", "/dev/marker"),
    ] {
        say(name, File::open(path));
    }
    say("write-cgroups", fs::create_dir("/sys/fs/cgroup/probe").and_then(|()| fs::remove_dir("/sys/fs/cgroup/probe")));

    say("write-then-execute-memory", MmapMut::map_anon(4096).and_then(MmapMut::make_exec));
    for (name, family) in [
        ("socket-unix", AddressFamily::Unix),
        ("socket-inet", AddressFamily::Inet),
        ("socket-inet6", AddressFamily::Inet6),
        ("socket-netlink", AddressFamily::Netlink),
        ("socket-packet", AddressFamily::Packet),
    ] {
        say(name, socket(family, SockType::Datagram, SockFlag::empty(), None));
    }
    for (name, flag) in [
        ("namespace-mount", CloneFlags::CLONE_NEWNS),
        ("namespace-net", CloneFlags::CLONE_NEWNET),
        ("namespace-pid", CloneFlags::CLONE_NEWPID),
        ("namespace-ipc", CloneFlags::CLONE_NEWIPC),
        ("namespace-uts", CloneFlags::CLONE_NEWUTS),
        ("namespace-cgroup", CloneFlags::CLONE_NEWCGROUP),
    ] {
        // On a thread, whose namespaces are its own.
        say(name, std::thread::spawn(move || unshare(flag)).join().expect("it does not panic"));
    }
    // A process with several threads may not.
    say("namespace-user", runs(Command::new("unshare").args(["--user", "true"])));
    let suid = work.join("suid");
    let made = fs::write(&suid, "x").and_then(|()| fs::set_permissions(&suid, fs::Permissions::from_mode(0o4755)));
    say("make-suid-file", made);
    say("change-owner", chown(&suid, Some(Uid::from_raw(12345)), Some(Gid::from_raw(12345))));
    say("realtime", runs(Command::new("chrt").args(["--fifo", "1", "true"])));
    say("raise-priority", runs(Command::new("renice").args(["-n", "-5", "--pid", &std::process::id().to_string()])));
    say("personality", personality::set(Persona::ADDR_NO_RANDOMIZE));
    // A nonsensical time: to a process that may set the clock the kernel says that it is invalid.
    say("set-clock", either(clock_settime(ClockId::CLOCK_REALTIME, TimeSpec::new(-1, 0)), Errno::EINVAL));
    say("set-hostname", nix::unistd::gethostname().map_err(io::Error::from).and_then(|name| Ok(sethostname(name)?)));
    say("read-kernel-log", runs(&mut Command::new("dmesg")));
    say("mount", runs(Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(work)));
    // perl(1) calls the kernel by number; ours would need unsafe code.
    say("keyring", calls(nix::libc::SYS_keyctl, "0, -3, 1"));
    say("io-uring", calls(nix::libc::SYS_io_uring_setup, "2, $zeros"));
    say("kernel-programs", calls(nix::libc::SYS_bpf, "0, $zeros, 0"));
    say("watch-performance", calls(nix::libc::SYS_perf_event_open, "$zeros, 0, -1, -1, 0"));
    say("load-module", calls(nix::libc::SYS_delete_module, "$zeros, 0"));
    say("foreign-architecture", foreign(work));
    say("new-privileges", unless(prctl::get_no_new_privs().unwrap_or(true), "no_new_privs"));
    say("set-user-id-program", becomes_root());
    let core = getrlimit(Resource::RLIMIT_CORE).map_or(0, |(_, hard)| hard);
    say("dump-core", unless(core == 0, "the limit is 0"));
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bounding = status.lines().find_map(|line| line.strip_prefix("CapBnd:")).unwrap_or_default();
    say("capabilities", unless(bounding.trim().trim_matches('0').is_empty(), "there are none"));
    say("see-other-processes-cgroups", fs::read_to_string("/proc/1/cgroup"));
    say("see-the-boot-id", fs::read_to_string("/proc/sys/kernel/random/boot_id"));
    say("listen-on-loopback", TcpListener::bind("127.0.0.1:0"));
}

/// `T` is not shown: it may be a file's content.
fn say<T, E: Into<io::Error>>(name: &str, result: Result<T, E>) {
    match result.map_err(Into::into) {
        Ok(_) => println!("{name} allowed"),
        Err(error) => println!("{name} denied {error}"),
    }
}

fn unless(denied: bool, why: &str) -> io::Result<()> {
    if denied { Err(io::Error::other(why)) } else { Ok(()) }
}

/// Success is this very failure.
fn either(result: nix::Result<()>, failure: Errno) -> io::Result<()> {
    match result {
        Err(errno) if errno == failure => Ok(()),
        other => Ok(other?),
    }
}

fn runs(command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    unless(!output.status.success(), &format!("{} {}", output.status, said.trim().replace('\n', "; ")))
}

/// A system call by its number. Only EPERM, the filter's answer, is a refusal; the arguments are nonsense.
fn calls(number: nix::libc::c_long, arguments: &str) -> io::Result<()> {
    let script = format!("$zeros = chr(0) x 256; exit(syscall({number}, {arguments}) < 0 && $!{{EPERM}} ? 1 : 0)");
    runs(Command::new("perl").args(["-e", &script]))
}

/// A copy of id(1) that belongs to root and has the set-user-ID bit.
fn becomes_root() -> io::Result<()> {
    let output = Command::new("/usr/local/libexec/set-user-id").arg("-u").output()?;
    unless(output.stdout != b"0\n", "the program runs as the user who started it")
}

/// A system call of 32-bit x86: exit(0) by it, else exit(1) by a native one.
fn foreign(work: &Path) -> io::Result<()> {
    const HEADER: [u64; 15] = [
        0x0001_0102_464c_457f, // ELF, 64 bits, little-endian
        0,
        0x0000_0001_003e_0002, // a program for x86-64
        0x40_0078,             // begins here
        0x40,                  // program headers begin here
        0,
        0x0038_0040_0000_0000, // size of the header and of a program header
        0x0000_0000_0000_0001, // one of these
        0x0000_0005_0000_0001, // to be loaded, readable and executable
        0,
        0x40_0000,
        0x40_0000,
        0x90, // bytes in the file
        0x90, // and in memory
        0x1000,
    ];
    const CODE: [u8; 24] = [
        0xb8, 1, 0, 0, 0, 0xbb, 0, 0, 0, 0, 0xcd, 0x80, // exit(0) as 32-bit x86 has it
        0xb8, 60, 0, 0, 0, 0xbf, 1, 0, 0, 0, 0x0f, 0x05, // exit(1)
    ];
    let mut program: Vec<u8> = HEADER.iter().flat_map(|word| word.to_le_bytes()).collect();
    program.extend(CODE);
    let path = work.join("foreign");
    fs::write(&path, program)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    runs(&mut Command::new(&path))
}
