//! What is wrong with a setting that cannot be read.

use figment::error::{Actual, Kind};

/// What is wrong, in words that repeat nothing of what was found: it may be a secret, also in the line
/// of a file that is not TOML.
pub(super) fn without_values(kind: &figment::error::Kind) -> String {
    let kind_of = |actual: &Actual| match actual {
        Actual::Bool(_) => "true or false",
        Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) | Actual::Bytes(_) => "a text",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "something else",
    };
    match kind {
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
            let hint = match actual {
                Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) | Actual::Bool(_)
                    if expected.contains("string") =>
                {
                    "; put it in quotes"
                }
                _ => "",
            };
            let wanted = match expected.as_str() {
                "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
                "a sequence" => "a list",
                expected => expected,
            };
            format!("must be {wanted}, is {}{hint}", kind_of(actual))
        }
        Kind::Message(text) => {
            // The first line says where, the last one what; between them stands the file's own line.
            let mut lines = text.trim_end().lines();
            let first = lines.next().unwrap_or_default();
            match lines.next_back() {
                Some(last) => format!("{first}: {last}"),
                None => first.to_owned(),
            }
        }
        _ => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use figment::Figment;
    use figment::providers::{Format as _, Toml};

    use super::*;
    use crate::config::Config;

    fn wrong(file: &str) -> String {
        let error = Figment::from(Toml::string(file))
            .extract::<Config>()
            .unwrap_err();
        without_values(&error.kind)
    }

    #[test]
    fn what_was_found_is_not_repeated() {
        for (file, expected) in [
            (
                "data = 5",
                "must be path string, is a number; put it in quotes",
            ),
            ("auth = \"9081726354\"", "must be struct Auth, is a text"),
            ("[limits]\nqueue_max = \"9081726354\"", "must be "),
            ("demo = \"9081726354\"", "must be a boolean, is a text"),
            (
                "[limits]\nbatch_max = -9081726354",
                "must be a whole number, 0 or more, is a number",
            ),
            (
                "[limits]\nqueue_max = \"9081726354\"",
                "must be a whole number, 0 or more, is a text",
            ),
            (
                "[outgoing]\nallowed_hosts = \"9081726354\"",
                "must be a list, is a text",
            ),
            (
                "[auth]\noperator_token = \"9081726354",
                "TOML parse error at line 2, column 29: invalid basic string",
            ),
            (
                "[auth]\ntoken = \"9081726354\"",
                "unknown field: found `token`",
            ),
        ] {
            let found = wrong(file);
            assert!(found.starts_with(expected), "{file}: {found}");
            assert!(!found.contains("9081726354"), "{file}: {found}");
        }
    }
}
