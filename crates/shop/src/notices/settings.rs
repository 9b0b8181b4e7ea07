//! How buyers are told things.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::event::Event;
use crate::provider::http::check_url;
use crate::saga::Hidden;

/// Settings of the notices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The channel where a buyer prefers none: `webhook`, `mail` or `file`. Default not set: nobody is told anything.
    pub channel: Option<ChannelName>,
    /// The language where a buyer prefers none: `zh` or `en`.
    pub locale: Locale,
    /// What is told: names of events. Default: everything.
    pub events: Vec<Event>,
    /// Templates of your own, one file `EVENT.LOCALE.txt` each: the subject in the first line, then the text. Default
    /// not set: the ones that come with Tidegate.
    pub templates: Option<PathBuf>,
    /// Where `webhook` sends to, like `http://127.0.0.1:9200/notices`; plain HTTP.
    pub webhook_url: Option<String>,
    /// Signs what `webhook` sends: 32 bytes at least.
    pub webhook_secret: Option<Hidden>,
    /// The file that `file` writes, one JSON object a line.
    pub file: Option<PathBuf>,
    /// The mail server of `mail`, a name or an address.
    pub mail_host: Option<String>,
    /// Its port.
    pub mail_port: u16,
    /// How mail is sent: `off` (to this machine only), `starttls` or `tls`.
    pub mail_tls: MailTls,
    /// Whom mail is from, like `Shop <shop@example.org>`.
    pub mail_from: Option<String>,
    /// The name to log in to the mail server with. Default not set: no login.
    pub mail_user: Option<String>,
    /// The password of `mail_user`; from a file (`mail_secret_file`) or the environment.
    pub mail_secret: Option<Hidden>,
    /// Tries of one delivery before it is given up. Limit: 1 to 100.
    pub attempts_max: u32,
    /// Letters that wait or were given up, at most; beyond it the journal is read on when there is room. Limit: 100 to
    /// 1,000,000.
    pub letters_max: usize,
}

/// A channel's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelName {
    /// A signed request.
    Webhook,
    /// Mail.
    Mail,
    /// A line in a file.
    File,
}

impl ChannelName {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Mail => "mail",
            Self::File => "file",
        }
    }
}

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Locale {
    /// Chinese.
    Zh,
    /// English.
    En,
}

impl Locale {
    /// All languages.
    pub const ALL: &'static [Self] = &[Self::Zh, Self::En];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
        }
    }
}

/// How mail is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// In the clear, for a server on this machine.
    Off,
    /// Begun in the clear and then secured; without it nothing is sent.
    Starttls,
    /// Secured from the first byte.
    Tls,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            channel: None,
            locale: Locale::En,
            events: Event::ALL.to_vec(),
            templates: None,
            webhook_url: None,
            webhook_secret: None,
            file: None,
            mail_host: None,
            mail_port: 25,
            mail_tls: MailTls::Starttls,
            mail_from: None,
            mail_user: None,
            mail_secret: None,
            attempts_max: 10,
            letters_max: 10_000,
        }
    }
}

impl Settings {
    /// Everything that is wrong, as option and reason.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let needed = match self.channel {
            None => &[][..],
            Some(ChannelName::Webhook) => &[
                ("webhook_url", self.webhook_url.is_some()),
                ("webhook_secret", self.webhook_secret.is_some()),
            ],
            Some(ChannelName::Mail) => &[
                ("mail_host", self.mail_host.is_some()),
                ("mail_from", self.mail_from.is_some()),
            ],
            Some(ChannelName::File) => &[("file", self.file.is_some())],
        };
        let missing = needed.iter().filter(|(_, given)| !given);
        faults.extend(missing.map(|(option, _)| (*option, "is needed by the channel".to_owned())));
        if let Some(Err(error)) = self.webhook_url.as_deref().map(check_url) {
            faults.push(("webhook_url", error.to_string()));
        }
        let short = |secret: &Hidden| secret.bytes().len() < 32;
        if self.webhook_secret.as_ref().is_some_and(short) {
            faults.push(("webhook_secret", "must have 32 bytes at least".into()));
        }
        if let Some(Err(error)) = self.mail_from.as_deref().map(super::mail::check_address) {
            faults.push(("mail_from", error));
        }
        faults.extend(self.login_fault());
        // Whatever the shop's own channel is: a buyer may prefer mail.
        if self.mail_tls == MailTls::Off && self.mail_host.is_some() && !self.mail_is_here() {
            faults.push((
                "mail_tls",
                "`off` is for a mail server on this machine".into(),
            ));
        }
        if !(1..=100).contains(&self.attempts_max) {
            faults.push(("attempts_max", "must be from 1 to 100".into()));
        }
        if !(100..=1_000_000).contains(&self.letters_max) {
            faults.push(("letters_max", "must be from 100 to 1000000".into()));
        }
        faults
    }

    /// Half a login is none.
    fn login_fault(&self) -> Option<(&'static str, String)> {
        match (&self.mail_user, &self.mail_secret) {
            (Some(_), None) => Some(("mail_secret", "is needed by mail_user".into())),
            (None, Some(_)) => Some(("mail_user", "is needed by mail_secret".into())),
            _ => None,
        }
    }

    fn mail_is_here(&self) -> bool {
        self.mail_host.as_deref().is_some_and(is_here)
    }
}

/// Whether a host is this machine.
fn is_here(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_leaves_this_machine_by_tls_only() {
        let said = |host: &str, mail_tls| {
            let settings = Settings {
                channel: Some(ChannelName::Mail),
                mail_host: Some(host.into()),
                mail_from: Some("Shop <shop@example.org>".into()),
                mail_tls,
                ..Settings::default()
            };
            settings.faults()
        };
        for host in ["localhost", "127.0.0.1", "::1", "[::1]"] {
            assert_eq!(said(host, MailTls::Off), []);
        }
        for host in ["mail.example.org", "192.0.2.1", "localhost.example.org"] {
            assert_eq!(said(host, MailTls::Off)[0].0, "mail_tls", "{host}");
            assert_eq!(said(host, MailTls::Starttls), []);
        }
    }

    #[test]
    fn a_login_to_the_mail_server_is_whole_and_never_in_the_clear_over_a_network() {
        let options = |user: bool, secret: bool, host: &str| {
            let settings = Settings {
                mail_user: user.then(|| "shop".into()),
                mail_secret: secret.then(|| Hidden::new("word")),
                mail_host: Some(host.into()),
                mail_tls: MailTls::Off,
                ..Settings::default()
            };
            let faults = settings.faults().into_iter();
            faults.map(|(option, _)| option).collect::<Vec<_>>()
        };
        assert_eq!(options(true, false, "127.0.0.1"), ["mail_secret"]);
        assert_eq!(options(false, true, "127.0.0.1"), ["mail_user"]);
        assert_eq!(options(true, true, "smtp.example.org"), ["mail_tls"]);
        assert_eq!(options(true, true, "::1"), [""; 0]);
    }
}
