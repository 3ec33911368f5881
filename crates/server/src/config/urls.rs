//! Where factories are, and what they and others call this server by.

use outgoing::AllowedHosts;

use super::{Config, ConfigError};

/// A factory's id as it is compared: in the environment it can have neither small letters nor
/// hyphens.
pub(super) fn folded(id: &str) -> String {
    id.to_ascii_lowercase().replace('_', "-")
}

pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    if let Some(url) = &config.public_url {
        check_url("public_url", url)?;
        if url.contains(['?', '#']) {
            return Err(ConfigError::new(
                "public_url",
                "must have no query and no fragment: paths are put behind it",
            ));
        }
    }
    let mut seen: Vec<(String, &str)> = Vec::new();
    for (id, url) in &config.factories {
        let name = format!("factories.{id}");
        commerce::Sku::new(id).map_err(|error| ConfigError::new(&name, error.to_string()))?;
        check_url(&name, url)?;
        let folded = folded(id);
        if let Some((_, other)) = seen.iter().find(|(before, _)| *before == folded) {
            return Err(ConfigError::new(
                &name,
                format!(
                    "is the same factory as {other}: `-` and `_` are the same, and case does not matter"
                ),
            ));
        }
        seen.push((folded, id));
    }
    Ok(())
}

/// Says nothing of the URL itself: there may be a password in it.
fn check_url(name: &str, url: &str) -> Result<(), ConfigError> {
    AllowedHosts::only(url)
        .map(|_| ())
        .map_err(|error| ConfigError::new(name, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_nobody_can_call_are_refused_with_their_name() {
        for (url, works) in [
            ("http://127.0.0.1:1/api/manufactures", true),
            ("https://shop.example.com", true),
            ("https://shop.example.com/below/", true),
            ("not a url", false),
            ("shop.example.com", false),
            ("ftp://shop.example.com", false),
            ("http://", false),
            ("https://ada:hunter2@shop.example.com", false),
            ("", false),
        ] {
            let factories = [("FF-1".to_owned(), url.to_owned())].into();
            let as_factory = Config {
                factories,
                ..Config::default()
            };
            let as_public = Config {
                public_url: Some(url.to_owned()),
                ..Config::default()
            };
            for (config, name) in [(as_factory, "factories.FF-1"), (as_public, "public_url")] {
                let checked = check(&config);
                assert_eq!(checked.is_ok(), works, "{url}");
                if let Err(error) = checked {
                    assert_eq!(error.name, name, "{url}");
                    assert!(!error.what.contains("hunter2"), "{error}");
                }
            }
        }
        let config = Config {
            public_url: Some("http://shop.example.com/?x=1".to_owned()),
            ..Config::default()
        };
        assert_eq!(check(&config).unwrap_err().name, "public_url");
    }

    #[test]
    fn a_factory_stands_there_once() {
        let factories = ["FF-1", "ff_1"].map(|id| (id.to_owned(), "http://f.example/".to_owned()));
        let config = Config {
            factories: factories.into(),
            ..Config::default()
        };
        let error = check(&config).unwrap_err();
        assert_eq!(error.name, "factories.ff_1");
        assert!(error.what.contains("FF-1"), "{error}");
    }
}
