//! From nodes to code: every name is known, every type is right, every loop is bounded.

mod call;

use super::Gives;
use super::code::Code;
use super::fault::{Place, RuleError};
use super::ground::{self, Fact};
use super::syntax::{Kind, Node, Op, Ty};
use crate::plan::TAGS_MOST;

/// A whole expression that is in order.
pub(super) struct Checked {
    pub(super) code: Code,
    pub(super) steps: u64,
    pub(super) locals: usize,
    pub(super) facts: Vec<Fact>,
}

/// Checks an expression that has to give a value of this type.
pub(super) fn check(text: &str, node: &Node, gives: Gives) -> Result<Checked, RuleError> {
    let mut checker = Checker {
        text,
        scope: Vec::new(),
        locals: 0,
        facts: Vec::new(),
    };
    let part = checker.part(node)?;
    let wanted = match gives {
        Gives::Bool => Ty::Bool,
        Gives::Int => Ty::Int,
        Gives::Text => Ty::Text,
    };
    checker.is(node, &part, wanted, "the whole expression")?;
    Ok(Checked {
        code: part.code,
        steps: part.steps,
        locals: checker.locals,
        facts: checker.facts,
    })
}

/// A checked part of an expression.
struct Part {
    code: Code,
    ty: Ty,
    /// The most steps that it takes.
    steps: u64,
    /// The most elements that it has, if it is a list.
    length: u64,
}

impl Part {
    fn plain(code: Code, ty: Ty) -> Self {
        Self::costing(code, ty, 1)
    }

    fn costing(code: Code, ty: Ty, steps: u64) -> Self {
        let length = 0;
        Self {
            code,
            ty,
            steps,
            length,
        }
    }
}

struct Checker<'a> {
    text: &'a str,
    /// The variables of the loops that are open, outermost first.
    scope: Vec<(Box<str>, Ty)>,
    /// The most loops that were open at once.
    locals: usize,
    /// What is asked for.
    facts: Vec<Fact>,
}

impl Checker<'_> {
    fn wrong<T>(&self, node: &Node, what: String) -> Result<T, RuleError> {
        let at = Place::of(self.text, node.at);
        Err(RuleError::Type { at, what })
    }

    fn unknown<T>(
        &self,
        node: &Node,
        what: &'static str,
        name: &str,
        hint: String,
    ) -> Result<T, RuleError> {
        Err(RuleError::Unknown {
            at: Place::of(self.text, node.at),
            what,
            name: name.into(),
            hint,
        })
    }

    fn is(&self, node: &Node, part: &Part, wanted: Ty, what: &str) -> Result<(), RuleError> {
        if part.ty == wanted {
            return Ok(());
        }
        let (wanted, found) = (wanted.name(), part.ty.name());
        self.wrong(node, format!("{what} has to be {wanted}, and is {found}"))
    }

    fn part(&mut self, node: &Node) -> Result<Part, RuleError> {
        match &node.kind {
            Kind::Bool(is) => Ok(Part::plain(Code::Bool(*is), Ty::Bool)),
            Kind::Int(number) => Ok(Part::plain(Code::Int(*number), Ty::Int)),
            Kind::Text(text) => Ok(Part::plain(Code::Text(text.clone()), Ty::Text)),
            Kind::List(nodes) => self.list(nodes),
            Kind::Name(name) => self.name(node, name),
            Kind::Field(of, field) => {
                let (fact, ty) = self.field(node, of, field)?;
                self.facts.push(fact);
                let length = if ty.is_list() { TAGS_MOST as u64 } else { 0 };
                let part = Part::plain(Code::Fact(fact), ty);
                Ok(Part { length, ..part })
            }
            Kind::Index(list, index) => self.index(list, index),
            Kind::Not(inner) => {
                let part = self.part(inner)?;
                self.is(inner, &part, Ty::Bool, "what `!` turns round")?;
                let code = Code::Not(Box::new(part.code));
                Ok(Part::costing(code, Ty::Bool, part.steps + 1))
            }
            Kind::Negate(inner) => {
                let part = self.part(inner)?;
                self.is(inner, &part, Ty::Int, "what `-` negates")?;
                let code = Code::Negate(Box::new(part.code));
                Ok(Part::costing(code, Ty::Int, part.steps + 1))
            }
            Kind::Binary(op, left, right) => self.binary(node, *op, left, right),
            Kind::Either(test, then, other) => self.either(test, then, other),
            Kind::Call(target, name, args) => self.call(node, target.as_deref(), name, args),
        }
    }

    fn name(&self, node: &Node, name: &str) -> Result<Part, RuleError> {
        let local = self.scope.iter().rposition(|(own, _)| **own == *name);
        if let Some(local) = local {
            return Ok(Part::plain(Code::Local(local), self.scope[local].1));
        }
        if name == "now" {
            return Ok(Part::plain(Code::Fact(Fact::Now), Ty::Int));
        }
        if ground::fields(name).is_some() {
            return self.wrong(
                node,
                format!("`{name}` is no value: name one of its fields"),
            );
        }
        let roots: Vec<_> = ground::ROOTS.iter().map(|(root, _)| *root).collect();
        let hint = format!("; there are {} and now", roots.join(", "));
        self.unknown(node, "variable", name, hint)
    }

    /// The fact behind `variable.field`.
    fn field(&self, node: &Node, of: &Node, field: &str) -> Result<(Fact, Ty), RuleError> {
        let Kind::Name(root) = &of.kind else {
            return self.wrong(node, format!("a value has no field `{field}`"));
        };
        let local = self.scope.iter().any(|(own, _)| own == root);
        let Some(fields) = ground::fields(root).filter(|_| !local) else {
            // Either the variable is unknown, or it is a value, which has no fields.
            self.name(of, root)?;
            return self.wrong(node, format!("`{root}` has no field `{field}`"));
        };
        if let Some((_, fact, ty)) = fields.iter().find(|(name, ..)| *name == field) {
            return Ok((*fact, *ty));
        }
        let names: Vec<_> = fields.iter().map(|(name, ..)| *name).collect();
        let hint = format!("; `{root}` has {}", names.join(", "));
        self.unknown(node, "field", field, hint)
    }

    fn list(&mut self, nodes: &[Node]) -> Result<Part, RuleError> {
        let mut codes = Vec::with_capacity(nodes.len());
        let mut element: Option<Ty> = None;
        let mut steps = 1_u64;
        for node in nodes {
            let part = self.part(node)?;
            if part.ty.is_list() {
                return self.wrong(node, "a list holds no lists".into());
            }
            self.is(node, &part, element.unwrap_or(part.ty), "each element")?;
            element = Some(part.ty);
            steps = steps.saturating_add(part.steps);
            codes.push(part.code);
        }
        let ty = element.and_then(Ty::list).unwrap_or(Ty::Nothings);
        Ok(Part {
            length: nodes.len() as u64,
            ..Part::costing(Code::List(codes), ty, steps)
        })
    }

    fn index(&mut self, list: &Node, index: &Node) -> Result<Part, RuleError> {
        let (from, at) = (self.part(list)?, self.part(index)?);
        self.is(index, &at, Ty::Int, "an index")?;
        let Some(element) = from.ty.element() else {
            let found = from.ty.name();
            return self.wrong(
                list,
                format!("only a list has elements, and this is {found}"),
            );
        };
        let steps = from.steps.saturating_add(at.steps).saturating_add(1);
        let code = Code::Index(Box::new(from.code), Box::new(at.code));
        Ok(Part::costing(code, element, steps))
    }

    fn either(&mut self, test: &Node, then: &Node, other: &Node) -> Result<Part, RuleError> {
        let first = self.part(test)?;
        self.is(test, &first, Ty::Bool, "what stands before `?`")?;
        let (yes, no) = (self.part(then)?, self.part(other)?);
        let Some(ty) = yes.ty.with(no.ty) else {
            let (yes, no) = (yes.ty.name(), no.ty.name());
            return self.wrong(
                other,
                format!("both sides of `:` have one type, and these are {yes} and {no}"),
            );
        };
        let steps = first.steps.saturating_add(yes.steps.max(no.steps)) + 1;
        let code = Code::Either(Box::new(first.code), Box::new(yes.code), Box::new(no.code));
        Ok(Part {
            length: yes.length.max(no.length),
            ..Part::costing(code, ty, steps)
        })
    }

    fn binary(
        &mut self,
        node: &Node,
        op: Op,
        left: &Node,
        right: &Node,
    ) -> Result<Part, RuleError> {
        let (one, two) = (self.part(left)?, self.part(right)?);
        let Some(ty) = result(op, one.ty, two.ty) else {
            let (sign, one, two) = (op.sign(), one.ty.name(), two.ty.name());
            return self.wrong(
                node,
                format!("`{sign}` does not stand between {one} and {two}"),
            );
        };
        let both = one.length.saturating_add(two.length);
        let steps = one.steps.saturating_add(two.steps).saturating_add(both);
        let code = Code::Binary(op, Box::new(one.code), Box::new(two.code));
        Ok(Part {
            length: if ty.is_list() { both } else { 0 },
            ..Part::costing(code, ty, steps.saturating_add(1))
        })
    }
}

/// The type that an operator gives, if it stands between values of these types.
fn result(op: Op, left: Ty, right: Ty) -> Option<Ty> {
    let same = left.with(right);
    match op {
        Op::Or | Op::And => (left == Ty::Bool && right == Ty::Bool).then_some(Ty::Bool),
        Op::Equal | Op::Unequal => same.map(|_| Ty::Bool),
        Op::Less | Op::AtMost | Op::More | Op::AtLeast => {
            same.filter(|ty| matches!(ty, Ty::Int | Ty::Text))?;
            Some(Ty::Bool)
        }
        Op::In => {
            let fits = right == Ty::Nothings || right.element() == Some(left);
            (fits && !left.is_list()).then_some(Ty::Bool)
        }
        Op::Plus => same.filter(|ty| *ty != Ty::Bool),
        Op::Minus | Op::Times | Op::Over | Op::Rest => same.filter(|ty| *ty == Ty::Int),
    }
}
