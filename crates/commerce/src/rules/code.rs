//! What a checked rule consists of, and the values that it handles while it runs.

use std::borrow::Cow;

use super::ground::Fact;
use super::syntax::Op;

/// A checked expression: names are resolved, types are right.
#[derive(Debug, Clone)]
pub(super) enum Code {
    Bool(bool),
    Int(i64),
    Text(Box<str>),
    List(Vec<Code>),
    Fact(Fact),
    Has(Fact),
    Local(usize),
    Not(Box<Code>),
    Negate(Box<Code>),
    Binary(Op, Box<Code>, Box<Code>),
    Either(Box<Code>, Box<Code>, Box<Code>),
    Index(Box<Code>, Box<Code>),
    Size(Box<Code>),
    Find(Find, Box<Code>, Box<Code>),
    Loop(Box<Loop>),
}

/// A question about a text within a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Find {
    Contains,
    StartsWith,
    EndsWith,
}

/// What a loop over a list gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sum {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

/// A loop over a list.
#[derive(Debug, Clone)]
pub(super) struct Loop {
    pub(super) sum: Sum,
    pub(super) range: Code,
    /// The place of the loop's variable.
    pub(super) local: usize,
    /// Which elements count.
    pub(super) test: Code,
    /// What a map makes of them.
    pub(super) gives: Code,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Bool(bool),
    Int(i64),
    Text(Cow<'a, str>),
    List(Vec<Value<'a>>),
}

impl<'a> Value<'a> {
    pub(super) fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    pub(super) fn texts(texts: &'a [Box<str>]) -> Self {
        Self::List(texts.iter().map(|text| Self::text(text)).collect())
    }
}
