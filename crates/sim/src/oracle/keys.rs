//! INV-4: one key, one request, one effect, whoever sends it how often, whatever breaks in between.

use std::collections::BTreeMap;

use api::{OrderId, TicketId};
use commerce::Entry;
use siphasher::sip128::SipHasher13;

use super::deeds::{Act, Deed, Heard, Shown};
use super::provider::Books;
use super::rows::{Rows, bound};
use crate::record::{Finding, Who};

/// The digest under which a book keeps a key, made anew: who, a byte that no name has, and the key.
fn digest(rows: &Rows, who: &Who, key: &str) -> Option<[u8; 16]> {
    let terms = rows.terms.as_ref()?;
    let (scope, name) = match who {
        Who::Merchant => (1, &terms.account),
        Who::Buyer(name) => (2, name),
        Who::Anybody => return None,
    };
    let text = [&[scope], name.as_bytes(), &[0xFF], key.as_bytes()].concat();
    let hasher = SipHasher13::new_with_key(&terms.secret);
    Some(hasher.hash(&text).as_bytes())
}

/// The sale and the key in it that deeds share.
pub(super) type Scope = (u32, [u8; 16]);

/// The deeds of each key.
pub(super) type ByKey<'a> = BTreeMap<Scope, Vec<&'a Deed<'a>>>;

/// Sorts deeds by the key that they were asked under. A sale that is to be created has no number yet: it is the one
/// whose first entry has the key.
pub(super) fn by_key<'a>(deeds: &'a [Deed<'a>], books: &Books) -> ByKey<'a> {
    let mut keys = ByKey::new();
    for deed in deeds {
        let Some(key) = &deed.key else { continue };
        let sales: Vec<&Rows> = match (deed.act, deed.sale) {
            (Act::Create, _) => books.values().collect(),
            (_, Some(sale)) => books.get(&sale).into_iter().collect(),
            _ => Vec::new(),
        };
        for rows in sales {
            let Some(digest) = digest(rows, &deed.call.who, key) else {
                continue;
            };
            if deed.act != Act::Create || rows.bound.get(&digest) == Some(&0) {
                keys.entry((rows.sale, digest)).or_default().push(deed);
            }
        }
    }
    keys
}

/// In the journal itself: no key is bound twice.
pub(super) fn once(rows: &Rows, findings: &mut Vec<Finding>) {
    for (place, at) in rows.story.iter().enumerate() {
        let Some(key) = bound(&at.entry) else {
            continue;
        };
        if rows.bound.get(&key.digest) != Some(&place) {
            let what = format!(
                "sale {} batch {}: a key did two things, here {:?}",
                rows.sale, at.sequence, at.entry
            );
            findings.push(Finding::new("INV-4", what));
        }
    }
}

/// What was done under each key is what its clients heard.
pub(super) fn judge(keys: &ByKey<'_>, books: &Books, findings: &mut Vec<Finding>) {
    for ((sale, digest), deeds) in keys {
        let Some(rows) = books.get(sale) else {
            continue;
        };
        let place = rows.bound.get(digest);
        let done = place.and_then(|place| rows.story.get(*place));
        one_request(deeds, findings);
        let fresh = |deed: &&&Deed<'_>| {
            matches!(
                deed.heard,
                Heard::Yes {
                    repeated: false,
                    ..
                }
            )
        };
        let by_itself = |deed: &&Deed<'_>| deed.act == Act::Chargeback;
        if deeds.iter().filter(fresh).count() > 1 && !deeds.iter().any(by_itself) {
            let what = format!("done twice under one key: {}", deeds[0].name());
            findings.push(Finding::new("INV-4", what));
        }
        for deed in deeds {
            if let Some((promise, what)) = differs(deed, done, rows.sale) {
                findings.push(Finding::new(promise, format!("{}: {what}", deed.name())));
            }
        }
        let refused = |deed: &&Deed<'_>| matches!(deed.heard, Heard::No { .. });
        if let Some(done) = done.filter(|_| deeds.iter().all(refused)) {
            let what = format!(
                "refused, and yet it was done: {}: {:?}",
                deeds[0].name(),
                done.entry
            );
            findings.push(Finding::new("INV-7", what));
        }
    }
}

/// All that was accepted under a key is the same request.
fn one_request(deeds: &[&Deed<'_>], findings: &mut Vec<Finding>) {
    let mut accepted = deeds
        .iter()
        .filter(|deed| matches!(deed.heard, Heard::Yes { .. }));
    let Some(first) = accepted.next() else { return };
    for other in accepted {
        let same =
            (first.act, first.order) == (other.act, other.order) && first.asked == other.asked;
        if !same {
            let what = format!(
                "one key, two requests, both accepted: {} and {}",
                first.name(),
                other.name()
            );
            findings.push(Finding::new("INV-4", what));
        }
        if let (Some(one), Some(two)) = (subject(first), subject(other))
            && one != two
        {
            let what = format!("one key gave {one:?} and {two:?}: {}", other.name());
            findings.push(Finding::new("INV-4", what));
        }
    }
}

/// What an answer was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    /// An order, and the number of its refund.
    Order(OrderId, u16),
    Ticket(TicketId),
}

impl Subject {
    /// Its sale, its number there, and the number of a refund.
    fn place(self) -> (u32, u64, u16) {
        match self {
            Self::Order(order, refund) => (order.sale().get(), order.number(), refund),
            Self::Ticket(ticket) => (ticket.sale().get(), ticket.number(), 0),
        }
    }
}

fn subject(deed: &Deed<'_>) -> Option<Subject> {
    let Heard::Yes { shown, .. } = &deed.heard else {
        return None;
    };
    match shown {
        Shown::Order(order) => Some(Subject::Order(order.id, 0)),
        Shown::Slim { order, .. } => Some(Subject::Order(*order, 0)),
        Shown::Refund(refund) => Some(Subject::Order(refund.id.order, refund.id.number)),
        Shown::Ticket(ticket) => Some(Subject::Ticket(ticket.id)),
        _ => None,
    }
}

/// How a yes differs from what the journal has under its key.
fn differs(
    deed: &Deed<'_>,
    done: Option<&super::rows::Happening>,
    sale: u32,
) -> Option<(&'static str, String)> {
    let Heard::Yes { repeated, at, .. } = &deed.heard else {
        return None;
    };
    // A chargeback beyond all bounds is noted and binds no key.
    let Some(done) = done else {
        return (deed.act != Act::Chargeback)
            .then(|| ("INV-7", "a yes that is not in the journal".into()));
    };
    if let Some((_, position)) = at
        && (position.sequence < done.sequence || (!repeated && position.sequence != done.sequence))
    {
        let what = format!(
            "the receipt says batch {}, it was done in {}",
            position.sequence, done.sequence
        );
        return Some(("INV-7", what));
    }
    let same = match (act_of(&done.entry), subject(deed)) {
        (Some((act, order)), subject) => {
            let of = |subject: Subject| {
                let done = order.map(|(order, refund)| (sale, u64::from(order), refund));
                Some(subject.place()) == done
            };
            act == deed.act && subject.is_none_or(of)
        }
        (None, _) => false,
    };
    (!same).then(|| {
        (
            "INV-7",
            format!("a yes to something else than was done: {:?}", done.entry),
        )
    })
}

/// What an entry did, in the words of the wire: for which order or place in line, and as which refund.
fn act_of(entry: &Entry) -> Option<(Act, Option<(u32, u16)>)> {
    use commerce::SaleState::{Closed, Open, Paused, Retired, Scheduled};
    let of = |act, order: u32| Some((act, Some((order, 0))));
    match entry {
        Entry::Created { .. } | Entry::CreatedWith { .. } => Some((Act::Create, None)),
        Entry::Altered { .. } => Some((Act::Alter, None)),
        Entry::OfferAltered { .. } => Some((Act::AlterOffer, None)),
        Entry::Waits(waits) => of(Act::Wait, waits.ticket),
        Entry::LeftLine { ticket, .. } => of(Act::LeaveLine, *ticket),
        Entry::Turned {
            to: Open | Scheduled,
            ..
        } => Some((Act::Open, None)),
        Entry::Turned { to: Paused, .. } => Some((Act::Pause, None)),
        Entry::Turned { to: Closed, .. } => Some((Act::Close, None)),
        Entry::Turned { to: Retired, .. } => Some((Act::Retire, None)),
        Entry::StockAdded { .. } => Some((Act::AddStock, None)),
        Entry::WrittenOff { .. } => Some((Act::WriteOff, None)),
        Entry::Placed(placed) => of(Act::Place, placed.order),
        Entry::Dealt(dealt) => of(Act::Place, dealt.placed.order),
        Entry::PayBegun { order, .. } => of(Act::Pay, *order),
        Entry::Cancelled { order, .. } | Entry::GivenUp { order, .. } => of(Act::Cancel, *order),
        Entry::RefundsBegun { refunds, .. } => {
            let first = refunds.first()?;
            Some((Act::Refund, Some((first.order, first.number))))
        }
        Entry::ChargedBack { order, .. } => of(Act::Chargeback, *order),
        Entry::Shipped { order, .. } | Entry::ShippedInPart { order, .. } => of(Act::Ship, *order),
        Entry::Delivered { order, .. } => of(Act::Deliver, *order),
        Entry::RefundBegun { refund, .. } => {
            Some((Act::Refund, Some((refund.order, refund.number))))
        }
        _ => None,
    }
}

/// Nothing was placed, charged, given up or refunded that nobody asked for.
pub(super) fn uninvited(keys: &ByKey<'_>, books: &Books, findings: &mut Vec<Finding>) {
    for rows in books.values() {
        for at in &rows.story {
            let asked = matches!(
                at.entry,
                Entry::Placed(_)
                    | Entry::Dealt(_)
                    | Entry::Waits(_)
                    | Entry::WaitsKnown { .. }
                    | Entry::LeftLine { .. }
                    | Entry::PayBegun { .. }
                    | Entry::Cancelled { .. }
                    | Entry::GivenUp { .. }
                    | Entry::RefundsBegun { .. }
                    | Entry::RefundBegun { .. }
            );
            let key = bound(&at.entry).filter(|_| asked);
            if key.is_some_and(|key| !keys.contains_key(&(rows.sale, key.digest))) {
                let what = format!(
                    "sale {} batch {}: nobody asked for {:?}",
                    rows.sale, at.sequence, at.entry
                );
                findings.push(Finding::new("INV-4", what));
            }
        }
    }
}
