//! `cargo xtask openapi`: docs/openapi.json is what a started server answers, laid out
//! one member a line so that a change of the contract is a readable diff.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::server::{self, Server};
use crate::{root, usage_error};

pub(crate) fn main(args: &[String]) -> ExitCode {
    let result = match args {
        [] => server::build(false).and_then(|binary| write(&binary)),
        [flag] if flag == "--check" => server::build(false).and_then(|binary| check(&binary)),
        _ => return usage_error("openapi takes no arguments but --check"),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Fails when the written contract is not the one that the server answers.
pub(crate) fn check(binary: &Path) -> Result<(), String> {
    let served = served(binary)?;
    let written = fs::read_to_string(file()).unwrap_or_default();
    if served == written {
        println!("docs/openapi.json is what the server answers");
        return Ok(());
    }
    let line = served
        .lines()
        .zip(written.lines())
        .position(|(a, b)| a != b)
        .unwrap_or_else(|| served.lines().count().min(written.lines().count()));
    Err(format!(
        "docs/openapi.json differs from what the server answers, from line {}; \
         `cargo xtask openapi` writes it anew",
        line + 1
    ))
}

fn write(binary: &Path) -> Result<(), String> {
    let served = served(binary)?;
    fs::write(file(), served).map_err(|e| format!("{}: {e}", file().display()))?;
    println!("wrote docs/openapi.json");
    Ok(())
}

fn served(binary: &Path) -> Result<String, String> {
    Server::start(binary)?
        .get("/openapi.json")
        .map(|json| indent(&json))
}

fn file() -> PathBuf {
    root().join("docs/openapi.json")
}

/// Lays out JSON that is known to be valid: white space outside of strings is replaced.
fn indent(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut chars = json.chars().filter_outside_strings().peekable();
    let newline = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some((c, quoted)) = chars.next() {
        match c {
            _ if quoted => out.push(c),
            '{' | '[' => {
                out.push(c);
                if matches!(chars.peek(), Some(('}' | ']', false))) {
                    out.extend(chars.next().map(|(close, _)| close));
                } else {
                    depth += 1;
                    newline(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                newline(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                newline(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => out.push(c),
        }
    }
    out.push('\n');
    out
}

/// Characters of JSON with the white space between tokens removed, each with whether it
/// belongs to a string.
trait Outside: Iterator<Item = char> + Sized {
    fn filter_outside_strings(self) -> impl Iterator<Item = (char, bool)> {
        let (mut quoted, mut escaped) = (false, false);
        self.filter_map(move |c| {
            let was_quoted = quoted;
            if escaped {
                escaped = false;
            } else if quoted && c == '\\' {
                escaped = true;
            } else if c == '"' {
                quoted = !quoted;
            }
            let in_string = was_quoted || quoted;
            (in_string || !c.is_ascii_whitespace()).then_some((c, in_string))
        })
    }
}

impl<I: Iterator<Item = char>> Outside for I {}

#[cfg(test)]
mod tests {
    use super::indent;

    #[test]
    fn json_is_laid_out_and_strings_are_left_alone() {
        let check = |input: &str, expected: &str| assert_eq!(indent(input), expected);
        check("{}", "{}\n");
        check("{ \"a\" : [ ] }", "{\n  \"a\": []\n}\n");
        check(
            r#"{"a:b, {":[1,"x\" ,}"],"c":{"d":null}}"#,
            "{\n  \"a:b, {\": [\n    1,\n    \"x\\\" ,}\"\n  ],\n  \"c\": {\n    \"d\": null\n  }\n}\n",
        );
        // What is laid out already stays as it is.
        let once = indent(r#"{"a":[1,2]}"#);
        check(&once, &once);
    }
}
