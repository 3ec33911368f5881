//! `[mail]`: who takes the e-mails, and which ones there are.

use std::path::{Path, PathBuf};

use mail::texts::Language;
use mail::{Credentials, Message, Party, Password, SmtpSettings, Timeouts, Tls};
use serde::{Deserialize, Serialize};

use super::{ConfigError, Secret};

/// What an unset `from` says. No server out there takes it, so SMTP needs another one.
const LOCAL_SENDER: &str = "Firstcome <no-reply@firstcome.localhost>";
/// The queue keeps a message for 14 days.
const GRACE_MAX_S: u64 = 13 * 24 * 3_600;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// `mailbox` keeps them as files in `<data>/mail`, `smtp` hands them to a server, `off`
    /// sends none.
    pub transport: MailTransport,
    /// Who they are from: `shop@example.com` or `Name <shop@example.com>`. SMTP needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The server of `transport = "smtp"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp: Option<SmtpServer>,
    /// Tell buyers the verdicts on their orders.
    pub verdicts: bool,
    /// Tell winners of auctions, where their name is an e-mail address.
    pub winners: bool,
    /// How long a replenishment may take and nobody is asked to pause the ads, in seconds: 0 to
    /// 13 days.
    pub ads_grace_s: u64,
    /// `en` or `ko`, for everybody whose own language is not known.
    pub language: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTransport {
    Mailbox,
    Smtp,
    Off,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpServer {
    pub host: String,
    /// 465 for `required`, 587 for `starttls`, 25 for `none`, unless it is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// `required`: from the first byte; `starttls`: or nothing is sent; `none`: to loopback only.
    #[serde(default = "required")]
    pub tls: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Certificates in PEM that are trusted beside the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

fn required() -> String {
    "required".to_owned()
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            transport: MailTransport::Mailbox,
            from: None,
            smtp: None,
            verdicts: false,
            winners: false,
            ads_grace_s: 5,
            language: Language::English.tag().to_owned(),
        }
    }
}

impl Mail {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.ads_grace_s > GRACE_MAX_S {
            return Err(ConfigError::new(
                "mail.ads_grace_s",
                format!(
                    "must be 0 to {GRACE_MAX_S} (a message is kept for 14 days), is {}",
                    self.ads_grace_s
                ),
            ));
        }
        if !["en", "ko"].contains(&self.language.as_str()) {
            return Err(ConfigError::new("mail.language", "must be en or ko"));
        }
        self.check_sender()?;
        match (self.transport, &self.smtp) {
            (MailTransport::Smtp, None) => Err(ConfigError::new(
                "mail.smtp",
                "must be set for transport = \"smtp\": {host, port, tls, user, password}",
            )),
            (MailTransport::Smtp, Some(_)) if self.from.is_none() => Err(ConfigError::new(
                "mail.from",
                "must be set for transport = \"smtp\": an address that the server sends for",
            )),
            (MailTransport::Smtp | MailTransport::Mailbox | MailTransport::Off, Some(server)) => {
                server.settings().map(drop)
            }
            (MailTransport::Mailbox | MailTransport::Off, None) => Ok(()),
        }
    }

    /// By writing an e-mail that goes nowhere.
    fn check_sender(&self) -> Result<(), ConfigError> {
        let probe = Message {
            id: "probe".to_owned(),
            from: self.sender(),
            to: Party::new("nobody@firstcome.localhost"),
            reply_to: None,
            subject: String::new(),
            text: String::new(),
            html: None,
            headers: Vec::new(),
            at: 0,
        };
        match probe.compose() {
            Ok(_) => Ok(()),
            Err(invalid) => Err(ConfigError::new(
                "mail.from",
                format!(
                    "{}; give shop@example.com or Name <shop@example.com>",
                    invalid.reason
                ),
            )),
        }
    }

    pub fn sender(&self) -> Party {
        let text = self.from.as_deref().unwrap_or(LOCAL_SENDER).trim();
        match text.strip_suffix('>').and_then(|text| text.split_once('<')) {
            Some((name, address)) => Party::named(name.trim().trim_matches('"'), address.trim()),
            None => Party::new(text),
        }
    }

    pub fn language(&self) -> Language {
        Language::from_tag(&self.language).unwrap_or(Language::English)
    }

    /// The directory of the local mailbox.
    pub fn mailbox(data: &Path) -> PathBuf {
        data.join("mail")
    }
}

impl SmtpServer {
    /// # Errors
    /// Names what is wrong with it.
    pub fn settings(&self) -> Result<SmtpSettings, ConfigError> {
        let refuse =
            |field: &str, what: String| ConfigError::new(&format!("mail.smtp.{field}"), what);
        let tls: Tls = self
            .tls
            .parse()
            .map_err(|invalid: mail::InvalidSetting| refuse(invalid.field, invalid.reason))?;
        let credentials = match (&self.user, &self.password) {
            (Some(user), Some(password)) => Some(Credentials {
                user: user.clone(),
                password: Password::new(password.0.clone()),
            }),
            (None, None) => None,
            (Some(_), None) => {
                return Err(refuse(
                    "password",
                    "must be set, as there is a user".to_owned(),
                ));
            }
            (None, Some(_)) => {
                return Err(refuse(
                    "user",
                    "must be set, as there is a password".to_owned(),
                ));
            }
        };
        let settings = SmtpSettings {
            port: self.port,
            credentials,
            ca_file: self.ca_file.clone(),
            timeouts: Timeouts {
                send: std::time::Duration::from_secs(30),
                ..Timeouts::default()
            },
            ..SmtpSettings::new(self.host.clone(), tls)
        };
        // Connects to nobody; reads the certificates, so that a wrong file is told of now.
        match mail::Smtp::new(&settings) {
            Ok(_) => Ok(settings),
            Err(invalid) => Err(refuse(invalid.field, invalid.reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smtp() -> SmtpServer {
        SmtpServer {
            host: "smtp.example.com".to_owned(),
            port: None,
            tls: required(),
            user: None,
            password: None,
            ca_file: None,
        }
    }

    #[test]
    fn a_wrong_setting_is_refused_with_its_name() {
        let with_smtp = |server: SmtpServer| Mail {
            transport: MailTransport::Smtp,
            from: Some("shop@example.com".to_owned()),
            smtp: Some(server),
            ..Mail::default()
        };
        let user = Some("u".to_owned());
        let ca_file = Some("/nowhere/ca.pem".into());
        let from = |text: &str| Mail {
            from: Some(text.to_owned()),
            ..Mail::default()
        };
        for (mail, expected) in [
            (Mail::default(), None),
            (with_smtp(smtp()), None),
            (from("Shop <shop@example.com>"), None),
            (from("nobody"), Some("mail.from")),
            (
                from("a@example.com\r\nBcc: b@example.com"),
                Some("mail.from"),
            ),
            (
                Mail {
                    ads_grace_s: GRACE_MAX_S + 1,
                    ..Mail::default()
                },
                Some("mail.ads_grace_s"),
            ),
            (
                Mail {
                    language: "fr".to_owned(),
                    ..Mail::default()
                },
                Some("mail.language"),
            ),
            (
                Mail {
                    smtp: None,
                    ..with_smtp(smtp())
                },
                Some("mail.smtp"),
            ),
            (
                Mail {
                    from: None,
                    ..with_smtp(smtp())
                },
                Some("mail.from"),
            ),
            (
                with_smtp(SmtpServer {
                    tls: "maybe".to_owned(),
                    ..smtp()
                }),
                Some("mail.smtp.tls"),
            ),
            (
                with_smtp(SmtpServer {
                    tls: "none".to_owned(),
                    ..smtp()
                }),
                Some("mail.smtp.tls"),
            ),
            (
                with_smtp(SmtpServer {
                    host: "a b".to_owned(),
                    ..smtp()
                }),
                Some("mail.smtp.host"),
            ),
            (
                with_smtp(SmtpServer { user, ..smtp() }),
                Some("mail.smtp.password"),
            ),
            (
                with_smtp(SmtpServer { ca_file, ..smtp() }),
                Some("mail.smtp.ca_file"),
            ),
        ] {
            let refused = mail.check().err().map(|error| error.name);
            assert_eq!(refused.as_deref(), expected, "{mail:?}");
        }
    }

    #[test]
    fn a_sender_has_a_name_or_none() {
        let sender = |text: &str| {
            let from = Some(text.to_owned());
            Mail {
                from,
                ..Mail::default()
            }
            .sender()
        };
        assert!(sender("a@example.com") == Party::new("a@example.com"));
        assert!(
            sender("\"The Shop\" <a@example.com>") == Party::named("The Shop", "a@example.com")
        );
    }
}
