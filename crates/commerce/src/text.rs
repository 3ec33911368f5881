//! Short texts with bounds, and the one way in which a value says that it is not valid.

use std::fmt;

/// Why a value was refused: a lowercase fragment that names the bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(pub String);

impl Invalid {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

/// Declares a newtype over `Box<str>` that can only hold what its check lets through.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
        #[serde(try_from = "std::borrow::Cow<'_, str>")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Checks the text against the bounds of this type.
            pub fn new(text: &str) -> Result<Self, $crate::text::Invalid> {
                $check(text)?;
                Ok(Self(text.into()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<std::borrow::Cow<'_, str>> for $name {
            type Error = $crate::text::Invalid;
            fn try_from(text: std::borrow::Cow<'_, str>) -> Result<Self, Self::Error> {
                Self::new(&text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use checked_text;

fn check_name(text: &str) -> Result<(), Invalid> {
    let characters = text.chars().count();
    if !(1..=200).contains(&characters) {
        return Err(Invalid::new(format!(
            "must have 1 to 200 characters, has {characters}"
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(Invalid::new("must not contain control characters"));
    }
    if text.trim().is_empty() {
        return Err(Invalid::new("must not be blank"));
    }
    Ok(())
}

checked_text!(
    /// What a person reads as a product's name: 1 to 200 characters, no control characters.
    Name,
    check_name
);

fn check_reference(text: &str) -> Result<(), Invalid> {
    let characters = text.chars().count();
    if !(1..=128).contains(&characters) {
        return Err(Invalid::new(format!(
            "must have 1 to 128 characters, has {characters}"
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(Invalid::new("must not contain control characters"));
    }
    Ok(())
}

checked_text!(
    /// The name of a delivery, given by whoever delivers: 1 to 128 printable characters. The
    /// same reference on the same product is the same delivery.
    Reference,
    check_reference
);
