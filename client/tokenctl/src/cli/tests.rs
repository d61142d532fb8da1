//! The short parser of frequent commands must agree with the whole definition.

use std::os::unix::ffi::OsStringExt;

use super::*;

/// Arguments of `get` and `exec`, and words that resemble them.
const WORDS: [&str; 34] = [
    "campus",
    "msp/Acme Corp",
    "a=A",
    "get",
    "exec",
    "help",
    "",
    "-",
    "--",
    "-h",
    "--help",
    "-V",
    "--version",
    "--socket",
    "--socket=/s",
    "/s",
    "--output",
    "--output=json",
    "json",
    "raw",
    "--out",
    "--min-ttl",
    "--min-ttl=90s",
    "90s",
    "90",
    "--wait=2m",
    "--wait",
    "--accept-short",
    "--accept-short=1",
    "--var",
    "--var=T",
    "T",
    "-x",
    "--nonsense",
];

fn arguments<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<OsString> {
    std::iter::once("tokenctl").chain(words).map(Into::into).collect()
}

/// Whether the short parser answers. If it does, it has to agree with the whole definition.
fn agrees(arguments: &[OsString]) -> bool {
    let Some(short) = parse_frequent(arguments) else { return false };
    match Cli::try_parse_from(arguments) {
        Ok(whole) => assert_eq!(format!("{short:?}"), format!("{whole:?}"), "{arguments:?}"),
        Err(error) => panic!("{arguments:?} is {short:?} and should be: {error}"),
    }
    true
}

#[test]
fn a_frequent_command_is_read_as_the_whole_definition_reads_it() {
    let lines = [
        "get campus",
        "get --socket /s msp/x --min-ttl 90s --wait 2m --accept-short --output env --var T",
        "exec --socket=/s a b=B --wait 1s --output json -- sh -c x --socket /t",
    ];
    assert!(lines.iter().all(|line| agrees(&arguments(line.split(' ')))));
    for line in
        ["ping", "get", "get --help", "get -h", "get -", "get a b", "--socket /s get campus", "exec a", "help get"]
    {
        assert!(parse_frequent(&arguments(line.split(' '))).is_none(), "{line}");
    }
    assert!(parse_frequent(&[]).is_none() && parse_frequent(&arguments([])).is_none());
}

#[test]
fn whatever_the_short_way_answers_the_whole_definition_does_too() {
    let mut answered = 0;
    for command in ["get", "exec"] {
        for one in WORDS {
            answered += u32::from(agrees(&arguments([command, one])));
            for two in WORDS {
                answered += u32::from(agrees(&arguments([command, one, two])));
            }
        }
        // Random longer ones.
        let mut next = xorshift();
        for _ in 0..3_000 {
            let length = 3 + next() % 5;
            let words = (0..length).map(|_| WORDS[next() % WORDS.len()]);
            answered += u32::from(agrees(&arguments(std::iter::once(command).chain(words))));
        }
    }
    assert!(answered > 100, "only {answered} were answered at all");
}

#[test]
fn what_is_no_text_is_left_to_the_whole_definition_or_read_as_it_reads_it() {
    let odd = || OsString::from_vec(b"\xff/x".to_vec());
    let with = |before: &str, after: &str| {
        let mut all = arguments(before.split_whitespace());
        all.push(odd());
        all.extend(after.split_whitespace().map(OsString::from));
        all
    };
    for before in ["", "get", "get campus", "get campus --output", "get --wait", "exec", "exec a --wait"] {
        assert!(!agrees(&with(before, "campus")), "{before}");
        assert!(parse_frequent(&with(before, "")).is_none(), "{before}");
    }
    // Paths and commands may be any bytes.
    assert!(agrees(&with("get --socket", "campus")));
    assert!(agrees(&with("exec campus --", "x")));
}

/// Marsaglia 2003; the same numbers on each run.
fn xorshift() -> impl FnMut() -> usize {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as usize
    }
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}
