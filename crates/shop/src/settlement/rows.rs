//! The rows of a settlement file, one after the other.

use std::io::Read;

use api::{PaymentId, RefundId, Time};
use csv::StringRecord;

use super::formats::{Columns, Format};
use super::{Key, SettlementError};

/// Rows of one file, at most.
const ROWS_MAX: u64 = 50_000_000;
/// Bytes of a file, at most: 16 GiB.
const FILE_BYTES_MAX: u64 = 16 << 30;
/// Bytes of one field, at most.
const FIELD_BYTES_MAX: usize = 4_096;
/// Letters of a charge's or refund's identifier.
const KEY_BYTES: usize = 18;
/// WeChat's times are those of Beijing, ahead of UTC by so much.
const BEIJING_S: i64 = 8 * 3_600;

/// Money that moved, as the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) key: Key,
    pub(super) amount_minor: i64,
    pub(super) currency: Box<str>,
    pub(super) at_ms: Option<u64>,
}

/// A row that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadRow {
    pub(super) line: u64,
    pub(super) what: String,
}

/// The rows of a file.
pub(super) struct Rows<'a> {
    reader: csv::Reader<Box<dyn Read + 'a>>,
    columns: Columns,
    /// What our keys begin with in this file.
    house: String,
    record: StringRecord,
    read: u64,
    ended: bool,
}

/// A row of ours, or `None` for one about something else, or what is wrong with it.
type Said = Result<Option<Row>, String>;
/// The next row, or the end.
type Next = Result<Option<Result<Option<Row>, BadRow>>, SettlementError>;

impl<'a> Rows<'a> {
    /// Reads the header.
    pub(super) fn begin(file: &'a mut dyn Read, house: &str) -> Result<Self, SettlementError> {
        // One byte more than is allowed, so that a longer file is noticed where it is cut.
        let bounded: Box<dyn Read + 'a> = Box::new(file.take(FILE_BYTES_MAX));
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .has_headers(true)
            .from_reader(bounded);
        let header = reader
            .headers()
            .map_err(|error| unreadable(&error))?
            .clone();
        let names: Vec<&str> = header.iter().collect();
        let told = || {
            let names = names.join(", ");
            names.chars().take(300).collect::<String>()
        };
        let columns = Columns::of(&names).ok_or_else(|| SettlementError::Header(told()))?;
        Ok(Self {
            reader,
            columns,
            house: house.to_owned(),
            record: StringRecord::new(),
            read: 0,
            ended: false,
        })
    }

    pub(super) fn format(&self) -> Format {
        self.columns.format()
    }

    /// The next row; `Ok(None)` inside for one that is about something else.
    pub(super) fn next(&mut self) -> Next {
        if self.ended {
            return Ok(None);
        }
        let read = self.reader.read_record(&mut self.record);
        let line = self.record.position().map_or(0, csv::Position::line);
        match read {
            Ok(false) => return Ok(None),
            Ok(true) => {}
            // A row of bytes that are no text is a bad row; the next one may be good.
            Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                let line = error.position().map_or(line, csv::Position::line);
                let what = "the row is not UTF-8".to_owned();
                return self.counted(Err(BadRow { line, what }));
            }
            Err(error) => return Err(unreadable(&error)),
        }
        if self
            .record
            .iter()
            .any(|field| field.len() > FIELD_BYTES_MAX)
        {
            let what = format!("a field has more than {FIELD_BYTES_MAX} bytes");
            return self.counted(Err(BadRow { line, what }));
        }
        if matches!(self.columns, Columns::Wechat { .. }) && self.field(0).starts_with("总交易单数")
        {
            // The summary at the end of a bill is no row of it.
            self.ended = true;
            return Ok(None);
        }
        let row = self.row(line).map_err(|what| BadRow { line, what });
        self.counted(row)
    }

    fn counted(&mut self, row: Result<Option<Row>, BadRow>) -> Next {
        self.read += 1;
        if self.read > ROWS_MAX {
            return Err(SettlementError::TooLong(ROWS_MAX));
        }
        Ok(Some(row))
    }

    /// A field without the mark that WeChat puts before each.
    fn field(&self, at: usize) -> &str {
        let field = self.record.get(at).unwrap_or_default().trim();
        field.strip_prefix('`').unwrap_or(field)
    }

    fn row(&self, line: u64) -> Said {
        match self.columns.clone() {
            Columns::Plain {
                what,
                key,
                amount,
                currency,
                time,
            } => self.plain(line, (what, key, amount, currency), time),
            Columns::Stripe {
                category,
                amount,
                currency,
                time,
                charge,
                refund,
            } => self.stripe(line, (category, amount, currency), time, (charge, refund)),
            Columns::Wechat { .. } => self.wechat(line),
        }
    }

    fn plain(&self, line: u64, at: (usize, usize, usize, usize), time: Option<usize>) -> Said {
        let (what, key, amount, currency) = at;
        let key = match self.field(what) {
            "charge" => self.charge(key)?,
            "refund" => self.refund(key)?,
            other => return Err(format!("expected `charge` or `refund`, found `{other}`")),
        };
        let Some(key) = key else {
            return Err(format!("`{}` is none of our keys", self.field(key_of(at))));
        };
        let amount = self.field(amount);
        let amount_minor = amount.parse().ok().filter(|amount: &i64| *amount >= 0);
        let amount_minor =
            amount_minor.ok_or_else(|| format!("`{amount}` is no amount in minor units"))?;
        let at_ms = match time
            .map(|time| self.field(time))
            .filter(|time| !time.is_empty())
        {
            Some(text) => Some(rfc3339(text).ok_or_else(|| format!("`{text}` is no time"))?),
            None => None,
        };
        let currency = currency_of(self.field(currency))?;
        Ok(Some(Row {
            line,
            key,
            amount_minor,
            currency,
            at_ms,
        }))
    }

    fn stripe(
        &self,
        line: u64,
        (category, amount, currency): (usize, usize, usize),
        time: Option<usize>,
        (charge, refund): (usize, Option<usize>),
    ) -> Said {
        let category = self.field(category).to_lowercase();
        let key = match category.as_str() {
            "charge" | "payment" => self.charge(charge)?,
            "refund" | "payment_refund" => match refund {
                Some(refund) => self.refund(refund)?,
                None => return Err("a refund, and the file has no column for its key".to_owned()),
            },
            _ => return Ok(None),
        };
        let Some(key) = key else {
            return Ok(None);
        };
        let currency = currency_of(&self.field(currency).to_uppercase())?;
        let amount_minor = minor(self.field(amount), &currency)?.abs();
        let at_ms = time.and_then(|time| seconds(self.field(time), 0));
        Ok(Some(Row {
            line,
            key,
            amount_minor,
            currency,
            at_ms,
        }))
    }

    fn wechat(&self, line: u64) -> Said {
        let Columns::Wechat {
            time,
            state,
            charge,
            amount,
            currency,
            refund,
            refund_amount,
            refund_state,
        } = self.columns
        else {
            return Ok(None);
        };
        let (key, amount) = match self.field(state) {
            "SUCCESS" => (self.charge(charge)?, amount),
            "REFUND" if self.field(refund_state) == "SUCCESS" => {
                (self.refund(refund)?, refund_amount)
            }
            "REFUND" | "REVOKED" => return Ok(None),
            other => return Err(format!("`{other}` is no state of a transaction")),
        };
        let Some(key) = key else {
            return Ok(None);
        };
        let currency = currency_of(self.field(currency))?;
        let at = self.field(time);
        let at_ms = seconds(at, BEIJING_S).ok_or_else(|| format!("`{at}` is no time"))?;
        Ok(Some(Row {
            line,
            key,
            amount_minor: minor(self.field(amount), &currency)?,
            currency,
            at_ms: Some(at_ms),
        }))
    }

    /// The charge of this field; `None` when it is another program's.
    fn charge(&self, at: usize) -> Result<Option<Key>, String> {
        let key = self.ours(at, "pay_").map(str::parse::<PaymentId>);
        let key = key.transpose().map_err(|error| error.to_string())?;
        Ok(key.map(Key::Charge))
    }

    fn refund(&self, at: usize) -> Result<Option<Key>, String> {
        let key = self.ours(at, "ref_").map(str::parse::<RefundId>);
        let key = key.transpose().map_err(|error| error.to_string())?;
        Ok(key.map(Key::Refund))
    }

    /// Our key behind the house's name. Without a name every key of ours counts, whatever stands before it.
    fn ours(&self, at: usize, begin: &str) -> Option<&str> {
        let field = self.field(at);
        let key = match self.house.is_empty() {
            true => field.get(field.len().checked_sub(KEY_BYTES)?..)?,
            false => field.strip_prefix(&self.house)?,
        };
        key.starts_with(begin).then_some(key)
    }
}

fn key_of((_, key, ..): (usize, usize, usize, usize)) -> usize {
    key
}

fn unreadable(error: &csv::Error) -> SettlementError {
    let line = error.position().map_or(1, csv::Position::line);
    let what = error.to_string();
    SettlementError::Unreadable { line, what }
}

fn currency_of(text: &str) -> Result<Box<str>, String> {
    let known = ledger::Currency::new(text).ok_or_else(|| format!("`{text}` is no currency"))?;
    Ok(known.code().into())
}

/// Minor units of a decimal number of major units; exact, or an error.
fn minor(text: &str, currency: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no amount of {currency}");
    let digits = ledger::Currency::new(currency)
        .ok_or_else(wrong)?
        .exponent();
    let digits = usize::try_from(digits).map_err(|_| wrong())?;
    let (sign, number) = match text.strip_prefix('-') {
        Some(number) => (-1, number),
        None => (1, text),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let zeros = part.get(digits..).unwrap_or_default();
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(part) || zeros.bytes().any(|byte| byte != b'0') {
        return Err(wrong());
    }
    let part: String = part.chars().chain("0000".chars()).take(digits).collect();
    let minor: i64 = format!("{whole}{part}").parse().map_err(|_| wrong())?;
    Ok(sign * minor)
}

/// Unix milliseconds of a time as RFC 3339 writes it.
fn rfc3339(text: &str) -> Option<u64> {
    text.parse::<Time>().ok().map(|time| time.ms())
}

/// Unix milliseconds of `2026-01-31 23:59:59`, in a zone that is so much ahead of UTC.
fn seconds(text: &str, ahead_s: i64) -> Option<u64> {
    let utc = rfc3339(&format!("{}Z", text.trim().replacen(' ', "T", 1)))?;
    utc.checked_add_signed(-ahead_s * 1_000)
}
