//! `status --watch`: shows the status again whenever it changes.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use tokend_client::{ChainStatus, Client, NameStatus, Stamp, Status};

use super::status::StatusArgs;
use super::status::{self, Json};
use crate::clock;
use crate::exit::{Failure, with_sources};
use crate::output::{Report, print_note, write_stdout};
use crate::style::{Cell, Style, table};
use crate::text::{Format, escaped, json_line};

/// The pause between two requests: short enough to see each renewal, long enough to cost the daemon nothing.
const INTERVAL: Duration = Duration::from_secs(1);

/// ECMA-48: moves the cursor to the top left and erases the screen.
const REDRAW: &str = "\x1b[H\x1b[2J";

/// A terminal is redrawn. A pipe gets a line for each name that has changed, or with `--output json` each whole status
/// that has changed.
pub(crate) async fn run(client: &Client, args: &StatusArgs, style: Style) -> Result<Report, Failure> {
    let name = args.name.as_ref().map(ToString::to_string);
    let format = args.output.format;
    let mut shown: Option<Status> = None;
    let mut interrupted = false;
    loop {
        match client.status(name.as_deref()).await {
            Ok(status) => {
                interrupted = false;
                let is_new = |shown: &Status| essence(shown, clock::boot_ms()) != essence(&status, clock::boot_ms());
                if shown.as_ref().is_none_or(is_new) {
                    let text = text(&status, shown.as_ref(), format, style);
                    if shown.as_ref().is_none_or(|shown| shown.notes != status.notes) && !style.redraws(format) {
                        status.notes.iter().for_each(|note| print_note(note, format));
                    }
                    match write_stdout(&text) {
                        Ok(()) => shown = Some(status),
                        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                            return Ok(Report::new(String::new()));
                        }
                        Err(error) => return Err(Failure::output(&error)),
                    }
                }
            }
            // The daemon restarts. A daemon that was never there is not waited for.
            Err(error) if shown.is_some() && error.is_retryable() => {
                if !std::mem::replace(&mut interrupted, true) {
                    print_note(&format!("{}; trying again", with_sources(&error)), format);
                }
            }
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// The status without what differs at each request: the offset of the wall clock, to the millisecond, and due times
/// that are already past.
fn essence(status: &Status, boot_ms: u64) -> Status {
    let mut status = status.clone();
    for name in &mut status.names {
        *name = essence_of(name, boot_ms);
    }
    status
}

fn essence_of(name: &NameStatus, boot_ms: u64) -> NameStatus {
    let moment = |stamp: Option<Stamp>| stamp.map(|stamp| Stamp { unix_ms: 0, ..stamp });
    let chain = name.chain.as_ref().map(|chain| ChainStatus { rotated_at: None, ends_at: None, ..chain.clone() });
    let next_at = moment(name.next_at).filter(|next| next.boot_ms > boot_ms);
    NameStatus { expires_at: moment(name.expires_at), next_at, chain, ..name.clone() }
}

fn text(status: &Status, before: Option<&Status>, format: Format, style: Style) -> String {
    match format {
        Format::Json => json_line(&Json::from(status)) + "\n",
        Format::Text if style.redraws(format) => {
            let notes: String = status.notes.iter().map(|note| format!("\n{}\n", escaped(note))).collect();
            format!("{REDRAW}{}{notes}", status::words(status, style))
        }
        Format::Text => {
            let known: BTreeMap<&str, &NameStatus> =
                before.iter().flat_map(|it| &it.names).map(|it| (it.name.as_str(), it)).collect();
            let now = clock::boot_ms();
            let differs = |known: &&NameStatus, it: &NameStatus| essence_of(known, now) != essence_of(it, now);
            let is_new = |it: &&NameStatus| known.get(it.name.as_str()).is_none_or(|known| differs(known, it));
            let mut rows: Vec<Vec<Cell>> =
                status.names.iter().filter(is_new).map(|it| status::row(it, style)).collect();
            let gone = |name: &&&str| !status.names.iter().any(|it| it.name == ***name);
            for name in known.keys().filter(gone) {
                let mut row: Vec<Cell> = vec![(*name).into(), "-".into(), "gone".into()];
                row.resize(status::FIELDS, Cell::optional(None));
                rows.push(row);
            }
            table(style, &[], &rows)
        }
    }
}

#[cfg(test)]
mod tests {
    use tokend_client::Health;

    use super::*;
    use crate::name_status::name_status as name;

    fn status(names: Vec<NameStatus>) -> Status {
        Status { version: "1".into(), notes: vec!["a note".into()], names }
    }

    #[test]
    fn in_a_pipe_only_what_has_changed_is_a_line() {
        let before = status(vec![name("a", Health::Good), name("b", Health::Good), name("c", Health::Good)]);
        let now = status(vec![name("a", Health::Good), name("b", Health::Failing), name("d", Health::Good)]);
        let pipe = Style { table: false, colour: false, moves: false };
        assert_eq!(text(&before, None, Format::Text, pipe).lines().count(), 3);
        let expected = "b\tcentral\tfailing\t-\t-\t-\t-\t-\t-\nd\tcentral\tgood\t-\t-\t-\t-\t-\t-\n\
                        c\t-\tgone\t-\t-\t-\t-\t-\t-\n";
        assert_eq!(text(&now, Some(&before), Format::Text, pipe), expected);
        let json = text(&now, Some(&before), Format::Json, pipe);
        assert!(json.starts_with("{\"version\":") && json.lines().count() == 1, "{json}");
    }

    #[test]
    fn on_a_terminal_the_whole_is_drawn_again() {
        let terminal = Style { table: true, colour: false, moves: true };
        let shown = text(&status(vec![name("a", Health::Good)]), None, Format::Text, terminal);
        assert!(shown.starts_with("\x1b[H\x1b[2JNAME") && shown.ends_with("\na note\n"), "{shown:?}");
        let dumb = Style { moves: false, ..terminal };
        assert!(!text(&status(vec![name("a", Health::Good)]), None, Format::Text, dumb).contains('\x1b'));
    }

    #[test]
    fn the_present_is_nothing_new() {
        let at = |boot_ms, unix_ms| Some(Stamp { boot_ms, unix_ms });
        let one = NameStatus { expires_at: at(9_000, 1_000), next_at: at(500, 0), ..name("a", Health::Good) };
        let later = NameStatus { expires_at: at(9_000, 1_001), next_at: at(700, 1), ..one.clone() };
        assert_eq!(essence_of(&one, 1_000), essence_of(&later, 1_000));
        let renewed = NameStatus { expires_at: at(9_001, 1_001), ..one.clone() };
        assert_ne!(essence_of(&one, 1_000), essence_of(&renewed, 1_000));
    }
}
