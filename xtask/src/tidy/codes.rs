//! Every error code that a client can get has a page, docs/ERRORS/<code>.md, named in
//! the list of docs/ERRORS/README.md; and no page outlives its code. Codes are the
//! lower-case strings in the function that names them, in the server and in the factory.

use std::collections::BTreeSet;
use std::path::Path;

use super::run::{files, text};

/// A file, and the function in it whose strings are the codes.
const SOURCES: [(&str, &str); 2] = [
    ("crates/wire/src/code.rs", "fn as_str("),
    ("crates/factory/src/problem.rs", "fn parts("),
];

pub(super) fn problems(root: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    let mut codes = BTreeSet::new();
    for (source, function) in SOURCES {
        if !root.join(source).is_file() {
            println!("tidy: codes: skipped, there is no {source}");
            return Vec::new();
        }
        let found = codes_in(&text(&root.join(source)), function);
        if found.is_empty() {
            problems.push(format!("{source}: no codes in `{function}`"));
        }
        codes.extend(found);
    }
    let pages: BTreeSet<String> = files(&root.join("docs/ERRORS"), ".md")
        .iter()
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .filter(|name| name != "README")
        .collect();
    let list = text(&root.join("docs/ERRORS/README.md"));
    for code in &codes {
        if !pages.contains(code) {
            problems.push(format!(
                "docs/ERRORS/{code}.md: missing for the code `{code}`"
            ));
        } else if !list.contains(&format!("({code}.md)")) {
            problems.push(format!("docs/ERRORS/README.md: no link to {code}.md"));
        }
    }
    for page in pages.difference(&codes) {
        problems.push(format!("docs/ERRORS/{page}.md: there is no such code"));
    }
    problems
}

/// The lower-case strings in a function, which ends where its indentation closes.
fn codes_in(source: &str, function: &str) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    let mut end: Option<String> = None;
    for line in source.lines() {
        if line.contains(function) {
            let indentation = line.len() - line.trim_start().len();
            end = Some(format!("{}}}", " ".repeat(indentation)));
        } else if end.as_deref() == Some(line.trim_end()) {
            end = None;
        } else if end.is_some() {
            // Every second piece between quotes is a string.
            codes.extend(
                line.split('"')
                    .skip(1)
                    .step_by(2)
                    .filter(|word| !word.is_empty())
                    .filter(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
                    .map(str::to_owned),
            );
        }
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::codes_in;

    #[test]
    fn only_the_lower_case_strings_of_the_function_are_codes() {
        let source = r#"
impl Code {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SoldOut => "sold_out",
            Self::NotFound | Self::Gone => ("not_found", "Not found"),
        }
    }

    fn other(self) -> &'static str {
        match self {
            Self::SoldOut => "other",
        }
    }
}
"#;
        let codes: Vec<String> = codes_in(source, "fn as_str(").into_iter().collect();
        assert_eq!(codes, ["not_found", "sold_out"]);
    }
}
