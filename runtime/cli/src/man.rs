//! The manual pages of the commands, made from what the command line says of itself.
//!
//! Guarantees: a page bears the date of the build and not that of today; what stands after a
//! command's options in its help stands in sections of its own here.

use std::io;
use std::path::Path;

use clap::Command;
use clap_mangen::Man;

use banger_product::build::Build;

/// The pages that each page refers to, besides that of the command above it.
const OVERVIEW: &str = "banger(7)";

/// What a command's page refers to besides.
const REFERENCES: [(&str, &[&str]); 3] = [
    ("banger", &["banger.toml(5)", "bangerd(8)"]),
    (
        "banger-update",
        &["banger.toml(5)", "banger-rescue.service(8)"],
    ),
    ("banger-system", &["bangerd(8)", "banger-rescue.service(8)"]),
];

/// Writes a page for each command that the help shows.
///
/// # Errors
/// [`io::Error`], when a file in `folder` cannot be written.
pub(super) fn write(command: Command, build: &Build, folder: &Path) -> io::Result<()> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    write_beneath(&command, None, build, folder)
}

fn write_beneath(
    command: &Command,
    above: Option<&str>,
    build: &Build,
    folder: &Path,
) -> io::Result<()> {
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name());
    for below in command.get_subcommands().filter(|one| !one.is_hide_set()) {
        write_beneath(below, Some(name), build, folder)?;
    }
    let text = page(command, name, above, build)?;
    fs_err::write(folder.join(format!("{name}.1")), text)
}

fn page(command: &Command, name: &str, above: Option<&str>, build: &Build) -> io::Result<String> {
    let after = command.get_after_help().map(ToString::to_string);
    let mut rendered = Vec::new();
    let plain = command.clone().after_help(None::<&str>);
    Man::new(plain).render(&mut rendered)?;
    let rendered = String::from_utf8_lossy(&rendered);
    let lines: Vec<&str> = rendered.lines().collect();
    let is_break = |place: usize| lines.get(place).is_some_and(|line| is_paragraph(line));
    let mut text = String::new();
    for (place, line) in lines.iter().enumerate() {
        if line.starts_with(".TH ") {
            // clap_mangen leaves a missing date out, so that the next word stands in its place
            text.push_str(&title(name, build));
        } else if *line != ".br" || !(is_break(place + 1) || place > 0 && is_break(place - 1)) {
            text.push_str(line);
            text.push('\n');
        }
    }
    for block in after.as_deref().unwrap_or_default().split("\n\n") {
        text.push_str(&section(block));
    }
    text.push_str(&see_also(command, name, above));
    Ok(text)
}

/// Whether a line ends a paragraph, so that a `.br` beside it does nothing; mandoc(1) warns of one.
fn is_paragraph(line: &str) -> bool {
    matches!(line, "" | ".sp" | ".PP")
}

fn title(name: &str, build: &Build) -> String {
    let day = build
        .built()
        .map(|time| time.strftime("%Y-%m-%d").to_string());
    format!(
        ".TH \"{}\" \"1\" \"{}\" \"banger {}\" \"banger\"\n",
        escaped(&name.to_uppercase()),
        day.unwrap_or_default(),
        escaped(build.version)
    )
}

/// A block of a help's end. Its first line is the heading where it ends in a colon.
fn section(block: &str) -> String {
    let (heading, body) = match block.split_once(":\n") {
        Some((heading, body)) if !heading.contains('\n') => (heading.to_uppercase(), body),
        _ => ("NOTES".to_owned(), block),
    };
    if body.trim().is_empty() {
        return String::new();
    }
    let mut text = format!(".SH {heading}\n.nf\n");
    for line in body.lines() {
        text.push_str(&escaped(line.strip_prefix("  ").unwrap_or(line)));
        text.push('\n');
    }
    text + ".fi\n"
}

fn see_also(command: &Command, name: &str, above: Option<&str>) -> String {
    let below = command.get_subcommands().filter(|one| !one.is_hide_set());
    let below = below.filter_map(Command::get_display_name);
    let own = REFERENCES.iter().find(|(page, _)| *page == name);
    let others = own.map_or(&[][..], |(_, others)| others).iter();
    let pages: Vec<String> = above
        .into_iter()
        .chain(below)
        .map(|page| format!("{page}(1)"))
        .chain([OVERVIEW.to_owned()])
        .chain(others.map(ToString::to_string))
        .map(|page| format!("\\fB{}", escaped(&page).replace('(', "\\fR(")))
        .collect();
    format!(".SH \"SEE ALSO\"\n{}\n", pages.join(",\n"))
}

/// A text that roff shows as it is: backslashes and hyphens stay themselves, and no line begins a
/// request.
fn escaped(line: &str) -> String {
    let text = line.replace('\\', "\\e").replace('-', "\\-");
    let text = text.replace('\'', "\\(aq").replace('"', "\\(dq");
    if text.starts_with('.') {
        format!("\\&{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_the_date_of_the_build_and_sections_for_the_end_of_the_help() {
        let mut command = Command::new("banger")
            .about("about")
            .after_help("Examples:\n  banger -x\n\nA note.\n.not a request 'x'");
        command.build();
        let build = Build {
            version: "1.2.3",
            release_url: None,
            trusted_keys: "",
            root_keys: "",
            root_threshold: "",
            built: "1790000000",
        };
        let text = page(&command, "banger-x", Some("banger"), &build).unwrap();
        for line in [
            ".TH \"BANGER\\-X\" \"1\" \"2026-09-21\" \"banger 1.2.3\" \"banger\"",
            ".SH EXAMPLES",
            "banger \\-x",
            ".SH NOTES",
            "\\&.not a request \\(aqx\\(aq",
            "\\fBbanger\\fR(7)",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "no {line} in {text}"
            );
        }
    }
}
