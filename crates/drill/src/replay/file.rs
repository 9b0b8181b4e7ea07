//! Reads a recorded order history, plain or gzip, row by row. What cannot be understood is rejected, never guessed.

use super::ReplayError;
use api::PriceText;
use api::limits::{KEY_MAX, QUANTITY_MAX, SKU_MAX};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::rc::Rc;

/// Rows that one file may have.
pub const ROWS_MAX: u32 = 5_000_000;
/// Bytes that one file may have when it is unpacked: a small archive must not fill the memory.
pub const BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Bytes that one row may have: the reader holds a whole row, and a small archive unpacks to a very long one.
const ROW_BYTES_MAX: u64 = 1024 * 1024;
/// The first two bytes of every gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The columns that a file must have, in this order.
const COLUMNS: [&str; 7] = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
];
/// Invoice numbers become idempotency keys with an order id and a dash behind them.
const INVOICE_MAX: usize = KEY_MAX - 32;
/// `customer-` is put before the number.
const CUSTOMER_MAX: usize = 48;

/// One row that was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// Its number, counted from 1 behind the header.
    pub number: u32,
    /// The invoice that it belongs to.
    pub invoice: &'a str,
    /// The item's stock code.
    pub item: &'a str,
    /// The item's description.
    pub name: &'a str,
    /// Units; below zero they come back or are lost. Never zero.
    pub units: i32,
    /// Minutes and seconds of the invoice, by the calendar of the shop.
    pub at: jiff::civil::DateTime,
    /// Price of one unit.
    pub price: PriceText,
    /// The customer's number, when there is one.
    pub customer: Option<&'a str>,
}

/// A row that is not booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Number of the row, counted from 1 behind the header.
    pub row: u32,
    /// Why.
    pub reason: Box<str>,
}

/// What reading a whole file gave besides its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contents {
    /// Rows, good and bad, without the header.
    pub rows: u32,
    /// Rows that were not understood.
    pub rejections: Vec<Rejection>,
    /// Digest of the unpacked bytes: the same history has the same name, packed or not.
    pub digest: blake3::Hash,
}

/// Calls `each` for every row that can be understood, in the order of the file.
///
/// # Errors
/// The file cannot be read, has other columns, or is beyond [`ROWS_MAX`] or [`BYTES_MAX`].
pub(super) fn read(path: &Path, mut each: impl FnMut(&Row<'_>)) -> Result<Contents, ReplayError> {
    let hasher = Rc::new(RefCell::new(blake3::Hasher::new()));
    let row_end = Rc::new(Cell::new(ROW_BYTES_MAX));
    let digesting = Digesting {
        source: open(path)?.take(BYTES_MAX + 1),
        hasher: Rc::clone(&hasher),
        read: 0,
        row_end: Rc::clone(&row_end),
    };
    let mut csv = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(digesting);
    let columns = find_columns(csv.byte_headers().map_err(unreadable(path))?)?;
    let mut record = csv::ByteRecord::new();
    let mut contents = Contents {
        rows: 0,
        rejections: Vec::new(),
        digest: blake3::Hash::from_bytes([0; 32]),
    };
    while csv
        .read_byte_record(&mut record)
        .map_err(unreadable(path))?
    {
        row_end.set(csv.position().byte().saturating_add(ROW_BYTES_MAX));
        contents.rows += 1;
        if contents.rows > ROWS_MAX {
            return Err(ReplayError::TooManyRows(ROWS_MAX));
        }
        match understand(&record, &columns, contents.rows) {
            Ok(row) => each(&row),
            Err(reason) => contents.rejections.push(Rejection {
                row: contents.rows,
                reason,
            }),
        }
    }
    if csv.position().byte() > BYTES_MAX {
        return Err(ReplayError::TooManyBytes(BYTES_MAX));
    }
    contents.digest = hasher.borrow().finalize();
    Ok(contents)
}

fn unreadable(path: &Path) -> impl Fn(csv::Error) -> ReplayError + '_ {
    |error| ReplayError::Unreadable(path.to_owned(), error.into())
}

fn open(path: &Path) -> Result<Box<dyn Read>, ReplayError> {
    let failed = |error| ReplayError::Unreadable(path.to_owned(), error);
    let mut file = BufReader::with_capacity(256 * 1024, File::open(path).map_err(failed)?);
    let packed = std::io::BufRead::fill_buf(&mut file)
        .map_err(failed)?
        .starts_with(&GZIP_MAGIC);
    if packed {
        let unpacked = flate2::bufread::MultiGzDecoder::new(file);
        Ok(Box::new(BufReader::with_capacity(256 * 1024, unpacked)))
    } else {
        Ok(Box::new(file))
    }
}

/// Digests what passes through, and stops in a row that does not end.
struct Digesting<R> {
    source: R,
    hasher: Rc<RefCell<blake3::Hasher>>,
    /// Bytes that passed.
    read: u64,
    /// Where the row that is being read must have ended.
    row_end: Rc<Cell<u64>>,
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.read > self.row_end.get() {
            let endless = format!("a row has more than {ROW_BYTES_MAX} bytes");
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                endless,
            ));
        }
        let length = self.source.read(buffer)?;
        self.read += length as u64;
        self.hasher.borrow_mut().update(&buffer[..length]);
        Ok(length)
    }
}

fn find_columns(header: &csv::ByteRecord) -> Result<[usize; 7], ReplayError> {
    let mut places = [0; 7];
    for (place, name) in places.iter_mut().zip(COLUMNS) {
        // A byte order mark before the first name is harmless.
        let found = header
            .iter()
            .position(|cell| cell.strip_prefix(b"\xef\xbb\xbf").unwrap_or(cell) == name.as_bytes());
        *place = found.ok_or(ReplayError::ColumnMissing(name))?;
    }
    Ok(places)
}

fn understand<'a>(
    record: &'a csv::ByteRecord,
    columns: &[usize; 7],
    number: u32,
) -> Result<Row<'a>, Box<str>> {
    let cell = |place: usize| -> Result<&'a str, Box<str>> {
        let name = COLUMNS[place];
        let bytes = record
            .get(columns[place])
            .ok_or_else(|| format!("the column {name} is missing"))?;
        Ok(std::str::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8"))?)
    };
    let customer = cell(6)?;
    Ok(Row {
        number,
        invoice: code(COLUMNS[0], cell(0)?, INVOICE_MAX)?,
        item: text(COLUMNS[1], cell(1)?, SKU_MAX)?,
        name: cell(2)?,
        units: units(cell(3)?)?,
        at: cell(4)?
            .parse()
            .map_err(|_| "InvoiceDate is no date and time")?,
        price: cell(5)?
            .parse()
            .map_err(|error| format!("UnitPrice: {error}"))?,
        customer: match customer {
            "" => None,
            some => Some(text(COLUMNS[6], some, CUSTOMER_MAX)?),
        },
    })
}

fn code<'a>(name: &str, text: &'a str, most: usize) -> Result<&'a str, Box<str>> {
    let visible = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if visible && text.len() <= most {
        return Ok(text);
    }
    Err(format!("{name} must be 1 to {most} visible ASCII characters").into())
}

fn text<'a>(name: &str, text: &'a str, most: usize) -> Result<&'a str, Box<str>> {
    let clean = !text.is_empty() && !text.chars().any(char::is_control);
    if clean && text.len() <= most {
        return Ok(text);
    }
    Err(format!("{name} must have 1 to {most} bytes and no control characters").into())
}

fn units(text: &str) -> Result<i32, Box<str>> {
    let units: i32 = text.parse().map_err(|_| "Quantity is no whole number")?;
    if units == 0 {
        return Err("Quantity is zero".into());
    }
    if units.unsigned_abs() > QUANTITY_MAX {
        return Err(format!("Quantity is beyond {QUANTITY_MAX}").into());
    }
    Ok(units)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write;

    const HEADER: &str =
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

    fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn a_packed_file_reads_like_a_plain_one() {
        let text = format!(
            "{HEADER}1,A,\"a, \"\"b\"\"\",2,2010-12-01 08:26:00,2.55,17850,United Kingdom\n"
        );
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        let mut seen = Vec::new();
        let digests = [text.clone().into_bytes(), packer.finish().unwrap()].map(|bytes| {
            let contents = read(written(&bytes).path(), |row| {
                seen.push(format!("{row:?}"));
            })
            .unwrap();
            assert_eq!((contents.rows, contents.rejections.len()), (1, 0));
            contents.digest
        });
        assert_eq!(digests[0], digests[1]);
        assert_eq!(digests[0], blake3::hash(text.as_bytes()));
        assert_eq!(seen[0], seen[1]);
        assert!(seen[0].contains(r#"name: "a, \"b\"""#), "{}", seen[0]);
    }

    #[test]
    fn bad_rows_are_rejected_with_their_number_and_reason() {
        let rows = [
            "1,A,x,two,2010-12-01 08:26:00,2.55,1,UK",
            "1,A,x,0,2010-12-01 08:26:00,2.55,1,UK",
            "1,A,x,1,yesterday,2.55,1,UK",
            "1,A,x,1,2010-12-01 08:26:00,-2.55,1,UK",
            "1,A,x,1,2010-12-01 08:26:00,1.00001,1,UK",
            "1,,x,1,2010-12-01 08:26:00,1,1,UK",
            "a b,A,x,1,2010-12-01 08:26:00,1,1,UK",
            "1,A,x,2000000,2010-12-01 08:26:00,1,1,UK",
            "1,A,x,1",
            "1,A,x,1,2010-12-01 08:26:00,1,,UK",
        ];
        let file = written(format!("{HEADER}{}\n", rows.join("\n")).as_bytes());
        let mut good = Vec::new();
        let contents = read(file.path(), |row| good.push(row.number)).unwrap();
        assert_eq!((contents.rows, good), (10, vec![10]));
        let reasons: Vec<&str> = contents.rejections.iter().map(|r| &*r.reason).collect();
        assert_eq!(
            reasons,
            [
                "Quantity is no whole number",
                "Quantity is zero",
                "InvoiceDate is no date and time",
                "UnitPrice: a price is never negative",
                "UnitPrice: a price has at most four decimals",
                "StockCode must have 1 to 64 bytes and no control characters",
                "InvoiceNo must be 1 to 96 visible ASCII characters",
                "Quantity is beyond 1000000",
                "the column CustomerID is missing",
            ]
        );
    }

    #[test]
    fn a_small_archive_of_one_endless_row_is_refused() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(HEADER.as_bytes()).unwrap();
        for _ in 0..16 {
            packer.write_all(&[b'a'; 1024 * 1024]).unwrap();
        }
        let file = written(&packer.finish().unwrap());
        let error = read(file.path(), |_| panic!("a row")).unwrap_err();
        let ReplayError::Unreadable(_, why) = error else {
            panic!("{error}");
        };
        assert!(why.to_string().contains("more than 1048576 bytes"), "{why}");
    }

    #[test]
    fn a_file_with_other_columns_is_refused() {
        let file = written(b"a,b,c\n1,2,3\n");
        let error = read(file.path(), |_| {}).unwrap_err();
        assert!(matches!(error, ReplayError::ColumnMissing("InvoiceNo")));
        let missing = read(Path::new("no/such/file.csv"), |_| {}).unwrap_err();
        assert!(matches!(missing, ReplayError::Unreadable(..)));
    }
}
