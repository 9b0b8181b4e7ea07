//! Shares of an amount: one rounding rule, and parts that add up.

use ledger::Minor;

use super::SHARE_WHOLE_BP;

/// A share of an amount in basis points, rounded once, half to even.
///
/// `None` when the result does not fit.
pub fn share_of(amount: Minor, share_bp: u32) -> Option<Minor> {
    let fine = i128::from(amount.0) * i128::from(share_bp);
    let step = i128::from(SHARE_WHOLE_BP);
    let (whole, rest) = (fine.div_euclid(step), fine.rem_euclid(step));
    let up = match (rest * 2).cmp(&step) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal if stdx::mutants::is("share-rounded-up") => 1,
        std::cmp::Ordering::Equal => whole.rem_euclid(2),
        std::cmp::Ordering::Greater => 1,
    };
    i64::try_from(whole + up).ok().map(Minor)
}

/// Parts of `total` in proportion to the lines, which add up to it exactly.
///
/// Each part is the difference of two rounded running sums, so no part is below zero or above its line while
/// `0 <= total <= sum of lines`. Lines that are all zero bear nothing; then the total has to be zero.
pub fn line_shares(total: Minor, lines: &[Minor]) -> Vec<Minor> {
    let sum: i128 = lines.iter().map(|line| i128::from(line.0)).sum();
    let (mut run, mut given) = (0_i128, 0_i128);
    let part = |line: &Minor| {
        run += i128::from(line.0);
        let until = match sum {
            0 => 0,
            _ => i128::from(total.0) * run / sum,
        };
        let part = until - given;
        given = until;
        Minor(i64::try_from(part).unwrap_or(i64::MAX))
    };
    lines.iter().map(part).collect()
}
