//! The parts of a rule: tokens, nodes, operators and types.

/// A type. Lists hold numbers, texts or truths; lists of lists are of no use to a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ty {
    Bool,
    Int,
    Text,
    Bools,
    Ints,
    Texts,
    /// The empty list, which is a list of anything.
    Nothings,
}

impl Ty {
    /// The type as people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bool => "a bool",
            Self::Int => "an int",
            Self::Text => "a string",
            Self::Bools => "a list of bools",
            Self::Ints => "a list of ints",
            Self::Texts => "a list of strings",
            Self::Nothings => "an empty list",
        }
    }

    /// The type of a list's elements.
    pub(super) fn element(self) -> Option<Self> {
        match self {
            Self::Bools => Some(Self::Bool),
            Self::Ints => Some(Self::Int),
            Self::Texts => Some(Self::Text),
            Self::Bool | Self::Int | Self::Text | Self::Nothings => None,
        }
    }

    /// The type of a list of these.
    pub(super) fn list(self) -> Option<Self> {
        match self {
            Self::Bool => Some(Self::Bools),
            Self::Int => Some(Self::Ints),
            Self::Text => Some(Self::Texts),
            Self::Bools | Self::Ints | Self::Texts | Self::Nothings => None,
        }
    }

    pub(super) fn is_list(self) -> bool {
        self == Self::Nothings || self.element().is_some()
    }

    /// The type that holds both, if there is one.
    pub(super) fn with(self, other: Self) -> Option<Self> {
        match (self, other) {
            (one, two) if one == two => Some(one),
            (Self::Nothings, list) | (list, Self::Nothings) if list.is_list() => Some(list),
            _ => None,
        }
    }
}

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
    In,
    Plus,
    Minus,
    Times,
    Over,
    Rest,
}

impl Op {
    /// How tightly it binds; more is tighter.
    pub(super) fn power(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal
            | Self::Unequal
            | Self::Less
            | Self::AtMost
            | Self::More
            | Self::AtLeast
            | Self::In => 3,
            Self::Plus | Self::Minus => 4,
            Self::Times | Self::Over | Self::Rest => 5,
        }
    }

    /// As it is written.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
            Self::In => "in",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times => "*",
            Self::Over => "/",
            Self::Rest => "%",
        }
    }
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A whole number without its sign.
    Int(u64),
    Text(Box<str>),
    Name(Box<str>),
    Op(Op),
    Not,
    Question,
    Colon,
    Comma,
    Dot,
    Open,
    Close,
    OpenList,
    CloseList,
    End,
}

/// A part of an expression and the byte at which it begins.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: usize,
    /// How many nodes lie on the longest way down from here.
    pub(super) depth: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Bool(bool),
    Int(i64),
    Text(Box<str>),
    List(Vec<Node>),
    Name(Box<str>),
    Field(Box<Node>, Box<str>),
    Index(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    Binary(Op, Box<Node>, Box<Node>),
    Either(Box<Node>, Box<Node>, Box<Node>),
    Call(Option<Box<Node>>, Box<str>, Vec<Node>),
}
