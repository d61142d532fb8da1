//! The page of a program.

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command};

use super::page::{Page, term};

pub(super) fn tokend(epoch: i64) -> String {
    let command = built(tokend::cli::command());
    let about = "keeps tokens for Aruba Central and GreenLake fresh";
    let mut page = Page::new("tokend", "8", about, epoch);
    page.heading("SYNOPSIS");
    page.usage("tokend [OPTIONS]");
    page.usage("tokend [OPTIONS] check [--start]");
    page.usage("tokend [OPTIONS] init KIND...");
    page.heading("DESCRIPTION");
    page.paragraph(&sentence(&command));
    page.paragraph(
        "It renews each token before it expires, without being asked, and goes on serving what is still good while a \
         provider cannot be reached. Processes take tokens with `tokenctl`(1). Without a command it runs in the foreground \
         until a signal ends it; `tokend.service` runs it so.",
    );
    page.heading("OPTIONS");
    arguments(&mut page, &command);
    commands(&mut page, &command);
    page.heading("FIRST STEPS");
    page.paragraph("As root, after the package was installed:");
    page.example("tokend init central\ntokend check\nsystemctl enable --now tokend.service\ntokenctl status");
    page.paragraph(
        "`init` says where the secrets belong. A user may take tokens once a member of the group tokend-users:",
    );
    page.example("usermod -aG tokend-users netops");
    page.heading("SIGNALS");
    page.tagged(
        term("SIGHUP", None),
        "Reads the configuration again. It is put into force as a whole or, if anything is wrong in it, not at all. \
         `tokenctl reload` does the same and tells what is wrong or different.",
    );
    page.tagged(
        term("SIGTERM, SIGINT", None),
        "Ends. A rotation that is on its way to the provider is waited for, at most 30 s; then peers have 10 s.",
    );
    statuses(&mut page, &command);
    page.heading("ENVIRONMENT");
    for (name, meaning) in [
        ("TOKEND_CONFIG, TOKEND_LOG", "As the options --config and --log, which come before them."),
        ("STATE_DIRECTORY", "Where the state is kept unless the configuration says so. systemd sets it."),
        ("CREDENTIALS_DIRECTORY", "Where systemd put the credentials."),
        ("HTTPS_PROXY, ALL_PROXY, NO_PROXY", "Proxies for requests to providers; never for loopback."),
        ("PATH, HOME, LANG", "All that the commands of secrets are given."),
    ] {
        page.tagged(term(name, None), meaning);
    }
    page.heading("FILES");
    for (name, meaning) in [
        ("/etc/tokend/tokend.toml", "The configuration, `tokend.toml`(5)."),
        ("/run/tokend/tokend.sock", "The socket, for members of the group tokend-users."),
        ("/var/lib/tokend", "Classic chains and the times of their logins; tokend's alone."),
        ("/etc/credstore.encrypted", "Where `init` advises to keep encrypted credentials."),
    ] {
        page.tagged(term(name, None), meaning);
    }
    page.heading("NOTES");
    page.paragraph(
        "A process that may open the socket may read every token, unless the configuration has access rules. Processes of \
         one user are not protected from each other.",
    );
    page.see_also(&[("tokend.toml", "5"), ("tokenctl", "1"), ("systemctl", "1"), ("systemd-creds", "1")]);
    page.text()
}

pub(super) fn tokenctl(epoch: i64) -> String {
    let command = built(tokenctl::command());
    let mut page = Page::new("tokenctl", "1", "takes tokens from tokend, and tells how they are", epoch);
    page.heading("SYNOPSIS");
    page.usage("tokenctl [--socket PATH] COMMAND [OPTIONS] [ARGUMENTS]");
    page.heading("DESCRIPTION");
    page.paragraph(&sentence(&command));
    page.paragraph(
        "A token's name is PROFILE as in `tokend.toml`(5), or PROFILE/TENANT, where TENANT is the id or the name of a \
         tenant's workspace. A SPAN is a number and one of ms, s, m, h, d, such as 90s or 20m. The token goes to standard \
         output and every message to standard error. On a terminal there are tables and colours; in a pipe, lines of fields \
         between tabs. Nothing secret is ever an argument, because arguments can be read by every process.",
    );
    page.heading("OPTIONS");
    arguments(&mut page, &command);
    commands(&mut page, &command);
    statuses(&mut page, &command);
    page.heading("ENVIRONMENT");
    for (name, meaning) in [
        ("TOKEND_SOCKET", "The daemon's socket, unless --socket names it."),
        ("XDG_RUNTIME_DIR", "Where the socket of a user's own tokend is looked for."),
        ("NO_COLOR, TERM", "No colours if NO_COLOR is set and not empty, or TERM is dumb."),
    ] {
        page.tagged(term(name, None), meaning);
    }
    page.heading("EXAMPLES");
    page.paragraph("A request with a token that lives for another minute at least, in no argument and in no file:");
    page.example("tokenctl get campus --min-ttl 60s --output curl | curl -K - \"$URL\"");
    page.paragraph("A program that takes its tokens from its environment, and ends within their life:");
    page.example("tokenctl exec --min-ttl 30m campus=CENTRAL legacy=CLASSIC -- ./report.sh");
    page.paragraph("An API answered 401: a new token is fetched, if this one is still the current one:");
    page.example("printf %s \"$token\" | tokenctl reject campus --token-stdin");
    page.paragraph("Begin a Classic chain with what Download Token in the web UI gave:");
    page.example("tokenctl import legacy token.json");
    page.see_also(&[("tokend", "8"), ("tokend.toml", "5")]);
    page.text()
}

fn built(mut command: Command) -> Command {
    command.build();
    command
}

fn commands(page: &mut Page, command: &Command) {
    page.heading("COMMANDS");
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let usage = sub.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").trim_start_matches(command.get_name()).trim();
        page.subheading(usage);
        page.paragraph(&sentence(sub));
        arguments(page, sub);
    }
}

/// Positional arguments first, then options in the order in which they are defined. What all commands share is said
/// once.
fn arguments(page: &mut Page, command: &Command) {
    let is_root = command.has_subcommands();
    let shown = |arg: &&Arg| !arg.is_hide_set() && (is_root || !(arg.is_global_set() || is_about(arg)));
    let (positional, options): (Vec<&Arg>, Vec<&Arg>) =
        command.get_arguments().filter(shown).partition(|arg| arg.is_positional());
    for arg in positional.into_iter().chain(options) {
        argument(page, arg);
    }
}

fn is_about(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version)
}

fn argument(page: &mut Page, arg: &Arg) {
    let value = arg.get_value_names().map(|names| names.join(" ")).unwrap_or_default();
    let takes = arg.get_num_args().is_some_and(|count| count.takes_values());
    let tag = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => term(&format!("-{short}, --{long}"), takes.then_some(value.as_str())),
        (None, Some(long)) => term(&format!("--{long}"), takes.then_some(value.as_str())),
        _ => term(&value, None),
    };
    let help = arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut text = ended(&help);
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if takes && !defaults.is_empty() && !arg.is_hide_default_value_set() {
        text = format!("{text} The default is `{}`.", defaults.join(" "));
    }
    if let Some(variable) = arg.get_env() {
        text = format!("{text} Also ${}.", variable.to_string_lossy());
    }
    page.tagged(tag, &text);
    let values = if takes { arg.get_possible_values() } else { Vec::new() };
    let explained = values.iter().filter(|value| !value.is_hide_set()).map(|value| {
        let help = value.get_help().map(|help| ended(&help.to_string())).unwrap_or_default();
        (value.get_name(), help)
    });
    let said = value_set(&values);
    if values.iter().any(|value| value.get_help().is_some()) && !page.said_before(said) {
        page.nested(explained);
    } else if !values.is_empty() {
        let names: Vec<_> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
        page.and(&format!("One of {}.", names.join(", ")));
    }
}

/// What tells one set of values from another.
fn value_set(values: &[PossibleValue]) -> String {
    values.iter().map(PossibleValue::get_name).collect::<Vec<_>>().join(" ")
}

/// The table of statuses that the program prints under its help.
fn statuses(page: &mut Page, command: &Command) {
    page.heading("EXIT STATUS");
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    for line in text.lines().skip(1) {
        match line.trim().split_once("  ") {
            Some((status, meaning)) => page.tagged(term(status, None), &ended(&capitalized(meaning.trim()))),
            None => page.paragraph(&ended(&format!("`{}`", line.trim()).replacen(": ", "`: ", 1).replace(".`", "."))),
        }
    }
}

fn sentence(command: &Command) -> String {
    let text = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string);
    let paragraphs: Vec<String> = text.unwrap_or_default().split("\n\n").map(ended).collect();
    paragraphs.join(" ")
}

fn ended(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', ':', '…', ']']) { text.to_owned() } else { format!("{text}.") }
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}
