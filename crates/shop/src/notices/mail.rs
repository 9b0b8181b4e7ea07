//! Mail over SMTP. The work blocks, and is done off the tasks.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message as Mail, MessageBuilder};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{SmtpTransport, Transport};

use super::channel::{ChannelError, Message};
use super::settings::{MailTls, Settings};

/// Sends mail.
pub(super) struct Mailer {
    transport: Result<SmtpTransport, String>,
    from: Mailbox,
}

/// Whether a text is an address that mail can be from.
pub(super) fn check_address(text: &str) -> Result<(), String> {
    let read: Result<Mailbox, _> = text.parse();
    read.map(|_| ()).map_err(|error| error.to_string())
}

impl Mailer {
    /// A mailer, if one is configured.
    pub(super) fn new(settings: &Settings, patience: Duration) -> Option<Self> {
        let host = settings.mail_host.as_deref()?;
        let from = settings.mail_from.as_deref()?.parse().ok()?;
        let transport = secured(host, settings.mail_tls).map(|tls| {
            let builder = SmtpTransport::builder_dangerous(host)
                .port(settings.mail_port)
                .timeout(Some(patience))
                .tls(tls);
            match login(settings) {
                Some(login) => builder
                    .credentials(login)
                    .authentication(vec![Mechanism::Plain, Mechanism::Login])
                    .build(),
                None => builder.build(),
            }
        });
        Some(Self { transport, from })
    }

    /// Sends a message once. Its key is the message's id, so that a second one is known for what it is.
    pub(super) fn send(&self, message: &Message) -> Result<(), ChannelError> {
        let never = |why: String| ChannelError::Never(why);
        let transport = self.transport.as_ref();
        let transport = transport.map_err(|why| ChannelError::Later(why.clone()))?;
        let to = message.mail.as_deref();
        let to = to.ok_or_else(|| never("no address is known for mail".into()))?;
        let to: Mailbox = to
            .parse()
            .map_err(|_| never("the address is none for mail".into()))?;
        let mail = self.write(message, to);
        let mail = mail.map_err(|_| never("the mail cannot be written".into()))?;
        match transport.send(&mail) {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(never(reason(&error))),
            Err(error) => Err(ChannelError::Later(reason(&error))),
        }
    }

    fn write(&self, message: &Message, to: Mailbox) -> Result<Mail, lettre::error::Error> {
        let domain = self.from.email.domain();
        let builder: MessageBuilder = Mail::builder()
            .message_id(Some(format!("<{}@{domain}>", message.key)))
            .from(self.from.clone())
            .to(to)
            .subject(message.subject.as_str());
        builder
            .header(ContentType::TEXT_PLAIN)
            .body(message.text.clone())
    }
}

/// Why a server did not take a mail, by the code of its answer only: its words repeat the address, and what is said here
/// goes into logs, the file of letters and the list of the dead, which no erasure reaches.
fn reason(error: &SmtpError) -> String {
    match error.status() {
        Some(code) => format!("the mail server said {code}"),
        None if error.is_timeout() => "the mail server did not answer in time".into(),
        None if error.is_tls() => "the way to the mail server cannot be secured".into(),
        None if error.is_response() => "the mail server's answer cannot be read".into(),
        None if error.is_client() => "the mail server does not offer what is needed".into(),
        None => "the mail server cannot be reached".into(),
    }
}

fn login(settings: &Settings) -> Option<Credentials> {
    let user = settings.mail_user.clone()?;
    let password = settings.mail_secret.as_ref()?.text();
    Some(Credentials::new(user, password.to_owned()))
}

fn secured(host: &str, tls: MailTls) -> Result<Tls, String> {
    let parameters = || TlsParameters::new(host.to_owned()).map_err(|error| error.to_string());
    Ok(match tls {
        MailTls::Off => Tls::None,
        MailTls::Starttls => Tls::Required(parameters()?),
        MailTls::Tls => Tls::Wrapper(parameters()?),
    })
}
