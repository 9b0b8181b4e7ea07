//! The payment machine as a table: each state that an order can reach, with each event. `docs/payments.md` is that table.

#[path = "../../examples/payments/table.rs"]
mod table;

/// What was made of the code last.
const DOCUMENT: &str = include_str!("../../../../docs/payments.md");

#[test]
fn every_event_has_an_answer_in_every_state_and_the_document_says_which() {
    let walks = table::walks();
    for walk in &walks {
        assert_eq!(
            walk.cells.len(),
            walk.rows().len() * walk.events.len(),
            "{}: a cell is missing",
            walk.name
        );
        assert_eq!(walk.settled, 4 * walk.states.len(), "{}", walk.name);
    }
    let now = table::document(&walks);
    let differs = DOCUMENT
        .lines()
        .zip(now.lines())
        .find(|(was, is)| was != is);
    assert!(
        DOCUMENT == now,
        "docs/payments.md is not what the code says, from {differs:?} on; make it anew: \
         cargo run -p tidegate-commerce --example payments > docs/payments.md"
    );
}
