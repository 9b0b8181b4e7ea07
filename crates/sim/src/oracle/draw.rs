//! INV-6 for lottery teams: the draw can be repeated by anybody, from the promised seed and the list of entries.

use std::fmt::Write as _;

use super::gather::{SeatIs, TeamIs, TeamRow};
use super::rows::{Phase, Rows};

/// How a draw differs from the one that seed and entries give.
pub(super) fn differs(
    rows: &Rows,
    at: usize,
    (seed, entries, winners): (&[u8; 32], &[u8; 32], &[u32]),
) -> Option<String> {
    let Some(team) = rows.gathered.teams.get(at) else {
        return Some("no such team is drawn".into());
    };
    if team.is != TeamIs::Complete || team.winners.is_some() {
        return Some(format!("a team is drawn that is {:?}", team.is));
    }
    if team.promise != Some(hmac_sha256::Hash::hash(seed)) {
        return Some("the seed is not the promised one".into());
    }
    let (list, orders) = list(rows, team);
    if hmac_sha256::Hash::hash(list.as_bytes()) != *entries {
        return Some(format!("the list of entries is another than {list:?}"));
    }
    let again = again(seed, entries, orders, team.prizes);
    (again != winners).then(|| format!("anybody else draws {again:?}"))
}

/// The list of entries: each paid seat whose money and goods are not on their way back.
fn list(rows: &Rows, team: &TeamRow) -> (String, Vec<u32>) {
    let (mut text, mut orders) = (String::new(), Vec::new());
    for (at, seat) in &team.seats {
        let Some(row) = rows.orders.get(*at).filter(|_| *seat == SeatIs::Paid) else {
            continue;
        };
        let in_it = row.phase == Phase::Paid && (row.total == 0 || row.left() > 0);
        if in_it && row.units_left() > 0 {
            // A list in memory takes every line.
            let _ = writeln!(text, "{at},{}", row.buyer.as_deref().unwrap_or_default());
            orders.push(u32::try_from(*at).unwrap_or(u32::MAX));
        }
    }
    (text, orders)
}

fn again(seed: &[u8; 32], entries: &[u8; 32], mut left: Vec<u32>, prizes: i64) -> Vec<u32> {
    let mut index = 0_u64;
    let mut winners = Vec::new();
    for _ in 0..prizes {
        let count = u64::try_from(left.len()).unwrap_or(u64::MAX);
        if count == 0 {
            break;
        }
        let beyond = (u64::MAX / count) * count;
        let number = loop {
            let said = [&entries[..], &index.to_le_bytes()].concat();
            let hash = hmac_sha256::HMAC::mac(&said, seed);
            index += 1;
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&hash[..8]);
            let number = u64::from_le_bytes(bytes);
            if number < beyond {
                break number;
            }
        };
        winners.push(left.swap_remove(usize::try_from(number % count).unwrap_or(0)));
    }
    winners.sort_unstable();
    winners
}
