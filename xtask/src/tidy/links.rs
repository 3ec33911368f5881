//! Relative links of Markdown documents lead to files that exist, and their fragments
//! to a heading there. Addresses on the web are not asked: they fail for other reasons.

use std::path::{Path, PathBuf};

use super::run::{files, short, text};

pub(super) fn problems(root: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    for document in files(root, ".md") {
        for (line, target) in links(&text(&document)) {
            if let Some(why) = broken(root, &document, &target) {
                problems.push(format!(
                    "{}:{line}: `{target}` {why}",
                    short(root, &document)
                ));
            }
        }
    }
    problems
}

fn broken(root: &Path, document: &Path, target: &str) -> Option<&'static str> {
    let scheme = target.split_once(':').map(|(scheme, _)| scheme);
    if scheme.is_some_and(|s| s.chars().all(|c| c.is_ascii_alphanumeric())) {
        return None;
    }
    let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
    let file: PathBuf = match path {
        "" => document.to_owned(),
        _ if path.starts_with('/') => root.join(path.trim_start_matches('/')),
        _ => document.parent().unwrap_or(root).join(path),
    };
    if !file.exists() {
        return Some("does not exist");
    }
    let is_document = file.extension().is_some_and(|ending| ending == "md");
    if !fragment.is_empty() && is_document && !anchors(&text(&file)).any(|a| a == fragment) {
        return Some("has no such heading");
    }
    None
}

/// Lines outside of fenced code, numbered from 1.
fn prose(markdown: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(markdown.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The targets of `[text](target)` and `![text](target)`, each with its line.
fn links(markdown: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(markdown) {
        // What stands in backquotes is code: every second piece.
        let line: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
        for rest in line.split("](").skip(1) {
            if let Some((target, _)) = rest.split_once(')') {
                // A title may follow the address.
                let target = target.split_whitespace().next().unwrap_or_default();
                found.push((number, target.to_owned()));
            }
        }
    }
    found
}

/// The fragments by which a reader reaches the headings, as code hosts form them.
fn anchors(markdown: &str) -> impl Iterator<Item = String> {
    prose(markdown)
        .filter(|(_, line)| line.starts_with('#'))
        .map(|(_, line)| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
}

#[cfg(test)]
mod tests {
    use super::{anchors, links};

    #[test]
    fn links_are_found_outside_of_code() {
        let check = |markdown: &str, expected: &[(usize, &str)]| {
            let found = links(markdown);
            let found: Vec<_> = found.iter().map(|(n, t)| (*n, t.as_str())).collect();
            assert_eq!(found, expected, "{markdown}");
        };
        check(
            "see [a](b.md) and ![c](d.png \"title\")",
            &[(1, "b.md"), (1, "d.png")],
        );
        check("`[a](b.md)` [x](y)", &[(1, "y")]);
        check("```\n[a](b.md)\n```\n[c](#d)", &[(4, "#d")]);
        check("[`code`](../e.md#f)", &[(1, "../e.md#f")]);
    }

    #[test]
    fn headings_become_fragments() {
        let found: Vec<_> = anchors("# One, two\n## `POST /orders` `{id}`\n").collect();
        assert_eq!(found, ["one-two", "post-orders-id"]);
    }
}
