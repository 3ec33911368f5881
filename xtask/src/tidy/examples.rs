//! A page that shows a file shows it as it is. Above the block stands which file that is:
//!
//! ````text
//! <!-- file: examples/sold-units/consumer.py -->
//! ```python
//! the file, line for line
//! ```
//! ````

use std::path::Path;

use super::run::{files, short, text};

const MARK: &str = "<!-- file: ";

pub(super) fn problems(root: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    for page in files(&root.join("docs"), ".md") {
        let place = short(root, &page);
        for (file, shown) in shown(&text(&page)) {
            let path = root.join(&file);
            if !path.is_file() {
                problems.push(format!("{place}: shows {file}, which is not there"));
            } else if shown.as_deref() != Some(&text(&path)) {
                problems.push(format!("{place}: does not show {file} as it is"));
            }
        }
    }
    problems
}

/// The files that a page says it shows, each with the block below it, if there is one.
fn shown(page: &str) -> Vec<(String, Option<String>)> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(file) = line
            .strip_prefix(MARK)
            .and_then(|rest| rest.strip_suffix(" -->"))
        else {
            continue;
        };
        let is_block = lines.next().is_some_and(|line| line.starts_with("```"));
        let block = is_block.then(|| {
            let block = lines.by_ref().take_while(|line| *line != "```");
            block.fold(String::new(), |text, line| text + line + "\n")
        });
        found.push((file.to_owned(), block));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn what_a_page_shows_is_the_block_below_the_mark() {
        let page = "text\n<!-- file: a.py -->\n```python\nimport x\n\nx()\n```\n\
                    ```sh\nnot a file\n```\n<!-- file: b.mjs -->\nno block\n";
        let expected = [
            ("a.py".to_owned(), Some("import x\n\nx()\n".to_owned())),
            ("b.mjs".to_owned(), None),
        ];
        assert_eq!(shown(page), expected);
    }
}
