//! Manual pages and completions.

use std::process::Command;

use package::man;
use tokend::config::keys::TABLES;

/// The text of a page, without the marks of its fonts and of characters.
fn plain(name: &str) -> String {
    let (_, text) = man::pages(0).into_iter().find(|(page, _)| *page == name).expect("it is a page");
    text.replace("\\fB", "").replace("\\fI", "").replace("\\fR", "").replace("\\-", "-").replace("\\.", ".")
}

fn has_line(text: &str, line: &str) -> bool {
    text.lines().any(|found| found.trim_end() == line || found.starts_with(&format!("{line} ")))
}

#[test]
fn every_command_option_and_status_has_its_place_on_its_page() {
    for (page, mut command) in [("tokend.8", tokend::cli::command()), ("tokenctl.1", tokenctl::command())] {
        let text = plain(page);
        command.build();
        let subcommands = command.get_subcommands().filter(|sub| sub.get_name() != "help");
        let mut options: Vec<_> = command.get_arguments().collect();
        for sub in subcommands {
            assert!(has_line(&text, sub.get_name()), "{page}: {}", sub.get_name());
            options.extend(sub.get_arguments());
        }
        for option in options.iter().filter_map(|argument| argument.get_long()) {
            let long = format!("--{option}");
            assert!(text.lines().any(|line| line.split([' ', ',']).any(|word| word == long)), "{page}: {long}");
        }
        let statuses = command.get_after_help().expect("it ends with the statuses").to_string();
        let numbers: Vec<_> = statuses.lines().filter_map(|line| line.trim().split_once("  ")).collect();
        assert!(numbers.len() >= 3);
        for (number, _) in numbers {
            assert!(has_line(&text, number), "{page}: status {number}");
        }
    }
}

#[test]
fn every_key_is_explained_in_its_section() {
    let text = plain("tokend.toml.5");
    let mut rest = text.as_str();
    for table in TABLES {
        let at = rest.find(&format!(".SS\n{}\n", table.header)).unwrap_or_else(|| panic!("{}", table.header));
        rest = &rest[at + 4..];
        let section = &rest[..rest.find(".S").unwrap_or(rest.len())];
        for key in table.keys {
            assert!(section.contains(&format!("\n{} = ", key.name)), "{} of {}", key.name, table.header);
        }
    }
}

#[test]
fn the_pages_are_without_fault() {
    for (name, text) in man::pages(0) {
        assert!(text.contains(".SH\nSEE ALSO"), "{name}");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, &text).expect("written");
        match Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).arg(&path).output() {
            Ok(output) => assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout)),
            Err(_) => return skipped::because("in part: there is no mandoc here"),
        }
    }
}
