//! Names of users and groups, for messages.
//!
//! Reads only `/etc/passwd` and `/etc/group`: the packaged program is linked statically, and the C library's own
//! look-up loads shared libraries of the exact version that it was built with. A user or group from another source is
//! shown by its number.

use std::fs;

pub(crate) fn user(uid: u32) -> Option<String> {
    name_in(&text("/etc/passwd"), uid)
}

pub(crate) fn group(gid: u32) -> Option<String> {
    name_in(&text("/etc/group"), gid)
}

fn text(file: &str) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned()
}

/// Both files have the name in the first field of a line and the number in the third (passwd(5), group(5)).
fn name_in(text: &str, id: u32) -> Option<String> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(id) && !name.is_empty()).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_its_number() {
        let text = "root:x:0:0:root:/root:/bin/sh\n# none\nbroken\n:x:7:\nnetops:x:1001:\n";
        assert_eq!(name_in(text, 0).as_deref(), Some("root"));
        assert_eq!(name_in(text, 1001).as_deref(), Some("netops"));
        assert_eq!(name_in(text, 7), None);
        assert_eq!(name_in(text, 100), None);
    }

    #[test]
    fn the_files_of_this_machine_can_be_read() {
        assert_eq!((user(0).as_deref(), group(0).as_deref()), (Some("root"), Some("root")));
        assert_eq!(group(4_000_000_000), None);
    }
}
