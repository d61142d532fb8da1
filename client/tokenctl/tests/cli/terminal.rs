//! What a person sees: stdout is a terminal.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use tokend_proto::{Reply, Tenant, TenantsPage};

use crate::harness::Test;
use crate::peer::Peer;

/// What `tokenctl tenants msp` writes to a terminal in this environment.
fn tenants(env: &[(&str, &str)]) -> String {
    let test = Test::new("tenants msp");
    let tenant = |id: &str, name: &str| Tenant { id: id.into(), workspace_name: name.into() };
    let tenants = vec![tenant("00", "Acme\x1b]0;"), tenant("01", "Beta")];
    let page = Reply::Tenants(TenantsPage { tenants, more: false });
    let _peer = Peer::start(&test.socket(), Arc::new(move |_| page.clone().into()));
    let pty = nix::pty::openpty(None, None).unwrap();
    let status = test.command().envs(env.iter().copied()).stdout(pty.slave).status().unwrap();
    assert!(status.success());
    let mut text = Vec::new();
    // A terminal whose other side is closed reads as EIO once it is empty (Linux).
    let end = File::from(pty.master).read_to_end(&mut text);
    assert!(end.is_err());
    String::from_utf8(text).unwrap().replace("\r\n", "\n")
}

const PLAIN: &str = "ID  WORKSPACE\n00  Acme\\u{1b}]0;\n01  Beta\n";

#[test]
fn a_terminal_gets_a_table_with_a_coloured_header_and_harmless_words() {
    let bold = "\u{1b}[1mID\u{1b}[0m  \u{1b}[1mWORKSPACE\u{1b}[0m";
    assert_eq!(tenants(&[("TERM", "xterm")]), PLAIN.replace("ID  WORKSPACE", bold));
}

#[test]
fn no_color_and_a_dumb_terminal_get_the_table_without_colour() {
    assert_eq!(tenants(&[("TERM", "xterm"), ("NO_COLOR", "1")]), PLAIN);
    assert_eq!(tenants(&[("TERM", "dumb")]), PLAIN);
    assert_eq!(tenants(&[]), PLAIN);
}
