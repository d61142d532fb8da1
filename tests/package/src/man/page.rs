//! A manual page, as man(7) has it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use roff::{Inline, Roff, bold, italic, roman};

/// One page under construction.
pub(super) struct Page {
    roff: Roff,
    /// Nothing stands under the heading yet: a paragraph has begun.
    at_heading: bool,
    said: Vec<String>,
}

impl Page {
    /// `about` goes on from the name: `name \- about`.
    pub(super) fn new(name: &str, section: &str, about: &str, epoch: i64) -> Self {
        let day = Timestamp::from_second(epoch).unwrap_or_default().to_zoned(TimeZone::UTC).strftime("%Y-%m-%d");
        let source = format!("tokend {}", env!("CARGO_PKG_VERSION"));
        let mut roff = Roff::new();
        let title = name.to_uppercase();
        roff.control("TH", [title.as_str(), section, &day.to_string(), &source, "tokend"]);
        let mut page = Self { roff, at_heading: false, said: Vec::new() };
        page.heading("NAME");
        page.roff.text([roman(format!("{name} - {about}"))]);
        page
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.begin("SH", text);
    }

    pub(super) fn subheading(&mut self, text: &str) {
        self.begin("SS", text);
    }

    fn begin(&mut self, control: &str, text: &str) {
        // The text on a line of its own: there may be quotation marks in it.
        self.roff.control(control, []).text([roman(text)]);
        // Left-aligned, without hyphens: keys and options are to be found by searching. Headings undo it.
        self.roff.control("nh", []).control("ad", ["l"]);
        self.at_heading = true;
    }

    /// `code` between backticks is bold.
    pub(super) fn paragraph(&mut self, text: &str) {
        self.separate();
        self.roff.text(inlines(text));
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.at_heading) {
            self.roff.control("PP", []);
        }
    }

    /// A term and what it means.
    pub(super) fn tagged(&mut self, tag: Vec<Inline>, text: &str) {
        self.at_heading = false;
        self.roff.control("TP", []);
        self.roff.text(tag);
        self.roff.text(inlines(text));
    }

    /// A further paragraph under the last term.
    pub(super) fn and(&mut self, text: &str) {
        self.roff.control("IP", []);
        self.roff.text(inlines(text));
    }

    /// Terms under the last term.
    pub(super) fn nested<'t>(&mut self, items: impl Iterator<Item = (&'t str, String)>) {
        self.roff.control("RS", []);
        for (tag, text) in items {
            self.tagged(vec![bold(tag)], &text);
        }
        self.roff.control("RE", []);
    }

    /// A command line: the program in bold.
    pub(super) fn usage(&mut self, line: &str) {
        self.separate();
        let (program, rest) = line.split_once(' ').unwrap_or((line, ""));
        self.roff.text([bold(program), roman(format!(" {rest}"))]);
    }

    /// Lines as they are typed.
    pub(super) fn example(&mut self, lines: &str) {
        self.roff.control("PP", []).control("RS", ["4"]).control("EX", []);
        for line in lines.lines() {
            self.roff.text([roman(line)]);
        }
        self.roff.control("EE", []).control("RE", []);
    }

    /// Whether this was asked before: what was said once need not be said again.
    pub(super) fn said_before(&mut self, what: String) -> bool {
        let said = self.said.contains(&what);
        self.said.push(what);
        said
    }

    pub(super) fn see_also(&mut self, pages: &[(&str, &str)]) {
        self.heading("SEE ALSO");
        let mut line = Vec::new();
        for (index, (name, section)) in pages.iter().enumerate() {
            let after = if index + 1 < pages.len() { ", " } else { "" };
            line.extend([bold(*name), roman(format!("({section}){after}"))]);
        }
        self.roff.text(line);
    }

    pub(super) fn text(&self) -> String {
        self.roff.render()
    }
}

/// An option or a key and what it takes.
pub(super) fn term(name: &str, takes: Option<&str>) -> Vec<Inline> {
    let mut term = vec![bold(name)];
    if let Some(takes) = takes {
        term.extend([roman(" "), italic(takes.replace('`', ""))]);
    }
    term
}

fn inlines(text: &str) -> Vec<Inline> {
    let text = text.replace('\n', " ");
    let parts = text.split('`').enumerate().filter(|(_, part)| !part.is_empty());
    parts.map(|(index, part)| if index % 2 == 1 { bold(part) } else { roman(part) }).collect()
}
