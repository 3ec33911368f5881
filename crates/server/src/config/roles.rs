//! What one process does of all that the program can do.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Config, ConfigError};

/// A part that can run in a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// What buyers, operators and pages call.
    Api,
    /// SQS and SNS for AWS SDKs.
    Aws,
    /// The consumers.
    Workers,
    /// The reference factory.
    Factory,
}

/// In the settings a list, or a text with commas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Vec<String>")]
pub struct Roles(Vec<Role>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    List(Vec<String>),
}

/// What a process is, by its roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The shop: everything that needs the store is here.
    Shop,
    /// Consumers whose queues are elsewhere.
    Workers,
    Factory,
}

impl Role {
    const ALL: [Self; 4] = [Self::Api, Self::Aws, Self::Workers, Self::Factory];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Aws => "aws",
            Self::Workers => "workers",
            Self::Factory => "factory",
        }
    }
}

impl Default for Roles {
    fn default() -> Self {
        Self(vec![Role::Api, Role::Aws, Role::Workers])
    }
}

impl TryFrom<Written> for Roles {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let names = match written {
            Written::Text(text) => text.split(',').map(str::to_owned).collect(),
            Written::List(list) => list,
        };
        let mut roles = Vec::new();
        for name in names {
            let name = name.trim();
            let known = Role::ALL.into_iter().find(|role| role.as_str() == name);
            let role = known.ok_or_else(|| {
                format!("no role is called `{name}`; there are api, aws, workers, factory")
            })?;
            if !roles.contains(&role) {
                roles.push(role);
            }
        }
        Ok(Self(roles))
    }
}

impl From<Roles> for Vec<String> {
    fn from(roles: Roles) -> Self {
        roles
            .0
            .iter()
            .map(|role| role.as_str().to_owned())
            .collect()
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Vec::<String>::from(self.clone()).join(","))
    }
}

impl Roles {
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// What the process is; a sum of roles that no process can be is refused.
    pub fn shape(&self) -> Result<Shape, &'static str> {
        match (self.has(Role::Api), self.has(Role::Aws), &self.0[..]) {
            (true, true, _) => Ok(Shape::Shop),
            (true, false, _) | (false, true, _) => Err(
                "api and aws cannot be apart: both need the store, and SQLite lets one process \
                 write; name both, or neither",
            ),
            (false, false, [Role::Workers]) => Ok(Shape::Workers),
            (false, false, [Role::Factory]) => Ok(Shape::Factory),
            (false, false, []) => Err("must name one role or more: api, aws, workers, factory"),
            (false, false, _) => Err("without api and aws, workers and factory are a process each"),
        }
    }
}

pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let refuse = |name: &str, what: &str| Err(ConfigError::new(name, what));
    let shape = match config.roles.shape() {
        Ok(shape) => shape,
        Err(what) => return refuse("roles", what),
    };
    match shape {
        Shape::Shop => Ok(()),
        Shape::Workers | Shape::Factory if config.demo => {
            refuse("demo", "needs the roles api and aws")
        }
        Shape::Workers if config.workers.sqs.is_none() => refuse(
            "workers.sqs",
            "must be set for the role workers alone: where the queues are, such as \
             http://127.0.0.1:9324",
        ),
        Shape::Workers | Shape::Factory => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_make_a_process_or_are_refused() {
        for (text, expected) in [
            ("api,aws,workers", Ok(Shape::Shop)),
            ("aws, api", Ok(Shape::Shop)),
            ("factory,workers,aws,api", Ok(Shape::Shop)),
            ("workers", Ok(Shape::Workers)),
            ("factory", Ok(Shape::Factory)),
            ("api", Err("cannot be apart")),
            ("aws,workers", Err("cannot be apart")),
            ("workers,factory", Err("a process each")),
        ] {
            let roles = Roles::try_from(Written::Text(text.to_owned())).unwrap();
            match (roles.shape(), expected) {
                (Ok(shape), Ok(expected)) => assert_eq!(shape, expected, "{text}"),
                (Err(what), Err(part)) => assert!(what.contains(part), "{text}: {what}"),
                (other, _) => panic!("{text}: {other:?}"),
            }
        }
        assert!(Roles(Vec::new()).shape().is_err());
        let unknown = Roles::try_from(Written::List(vec!["worker".to_owned()]));
        assert!(unknown.unwrap_err().contains("`worker`"));
    }
}
