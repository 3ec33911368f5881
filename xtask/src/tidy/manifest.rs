//! As much of a Cargo.toml as the rules need: sections, and the dependencies in them.
//! Lines are read one by one, which is how this workspace writes its manifests.

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// The section without its brackets, `dev-dependencies`.
    pub(super) section: String,
    /// What stands after the name, `workspace = true` included.
    pub(super) value: String,
    /// How many dependencies since the last comment, this one included; 0 without one.
    pub(super) after_comment: usize,
}

impl Dependency {
    pub(super) fn is_for_tests(&self) -> bool {
        self.section.contains("dev-dependencies")
    }

    pub(super) fn is_from_workspace(&self) -> bool {
        self.value.replace(' ', "").contains("workspace=true")
    }

    pub(super) fn is_ours(&self) -> bool {
        self.value.replace(' ', "").contains("path=")
    }
}

/// Every dependency of every section whose name ends in `dependencies`.
pub(super) fn dependencies(toml: &str) -> Vec<Dependency> {
    let mut found = Vec::new();
    let mut section = String::new();
    let mut after_comment = 0;
    let mut commented = false;
    for line in toml.lines().map(str::trim) {
        if line.starts_with('#') {
            (commented, after_comment) = (true, 0);
        } else if line.is_empty() {
            (commented, after_comment) = (false, 0);
        } else if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
            (commented, after_comment) = (false, 0);
        } else if section.ends_with("dependencies")
            && let Some((name, value)) = line.split_once('=')
        {
            after_comment += usize::from(commented);
            // `serde.workspace = true` is `serde = { workspace = true }`.
            let (name, value) = match name.trim().split_once('.') {
                Some((name, key)) => (name, format!("{key} ={value}")),
                None => (name.trim(), value.trim().to_owned()),
            };
            found.push(Dependency {
                name: name.trim_matches('"').to_owned(),
                section: section.clone(),
                value,
                after_comment,
            });
        }
    }
    found
}

/// Whether the member takes the lint table of the workspace.
pub(super) fn has_workspace_lints(toml: &str) -> bool {
    let mut section = "";
    toml.lines().map(str::trim).any(|line| {
        if line.starts_with('[') {
            section = line;
        }
        let line = line.replace(' ', "");
        (section == "[lints]" && line == "workspace=true")
            || (section.is_empty() && line == "lints.workspace=true")
    })
}

#[cfg(test)]
mod tests {
    use super::{dependencies, has_workspace_lints};

    #[test]
    fn dependencies_are_read_with_their_reason() {
        let toml = "
[package]
name = \"x\"

[dependencies]
one.workspace = true
# Why two.
two = { version = \"1\" }
three = \"2\"

four = { path = \"../four\" }
[dev-dependencies]
five = { workspace = true }
";
        let row = |name: &str| {
            dependencies(toml)
                .into_iter()
                .find(|dependency| dependency.name == name)
                .unwrap()
        };
        assert_eq!(dependencies(toml).len(), 5);
        assert!(row("one").is_from_workspace());
        assert_eq!(row("one").after_comment, 0);
        assert_eq!(row("two").after_comment, 1);
        assert!(!row("two").is_from_workspace());
        assert_eq!(row("three").after_comment, 2);
        assert_eq!(row("four").after_comment, 0);
        assert!(row("four").is_ours());
        assert!(row("five").is_for_tests() && row("five").is_from_workspace());
    }

    #[test]
    fn lints_are_found_in_both_forms() {
        assert!(has_workspace_lints("[lints]\nworkspace = true\n"));
        assert!(has_workspace_lints("lints.workspace = true\n[package]\n"));
        assert!(!has_workspace_lints("[package]\nworkspace = true\n"));
        assert!(!has_workspace_lints(
            "[lints]\n[package]\nworkspace = true\n"
        ));
    }
}
